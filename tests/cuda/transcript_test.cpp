#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

// The gdb session in docs/kernels.md stops at lines of kernels/cuda/matmul.cu and shows them: those of today.

namespace counterfoil::cuda_test {
namespace {

std::vector<std::string> lines_of(const std::string& file) {
  std::ifstream stream(COUNTERFOIL_SOURCE_DIR "/" + file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(KernelsPage, TheTranscriptShowsTheSource) {
  const std::vector<std::string> source = lines_of("kernels/cuda/matmul.cu");
  const std::regex shown(R"(^(\d+)\t(.*)$)");
  int compared = 0;
  for (const std::string& line : lines_of("docs/kernels.md")) {
    std::smatch parts;
    if (!std::regex_match(line, parts, shown)) continue;
    ++compared;
    const std::size_t number = std::stoul(parts[1]);
    ASSERT_LE(number, source.size());
    EXPECT_EQ(parts[2], source[number - 1]) << "line " << number << ": run the session of docs/kernels.md again";
  }
  EXPECT_GE(compared, 3);
}

}  // namespace
}  // namespace counterfoil::cuda_test
