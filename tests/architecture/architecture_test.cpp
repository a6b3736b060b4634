#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

// The rules of the house, checked on the text of the tree: see docs/architecture.md.

namespace {

namespace fs = std::filesystem;

const fs::path kRoot = COUNTERFOIL_SOURCE_DIR;

// What each floor may include. tests/cases is a library too: the tests, the benchmarks and `selftest` run it.
const std::map<std::string, std::set<std::string>> kMayInclude = {
    {"kernels", {"kernels"}},
    {"tensor", {"kernels", "tensor"}},
    {"autograd", {"kernels", "tensor", "autograd"}},
    {"nn", {"kernels", "tensor", "autograd", "nn"}},
    {"data", {"kernels", "tensor", "data"}},
    {"methods", {"kernels", "tensor", "autograd", "nn", "data", "methods"}},
    {"metrics", {"kernels", "tensor", "autograd", "nn", "metrics"}},
    {"tests/cases", {"kernels", "tensor", "autograd", "nn", "tests/cases"}},
    {"app", {"kernels", "tensor", "autograd", "nn", "data", "methods", "metrics", "tests/cases", "app"}},
};

constexpr int kLongestFile = 550;

struct Source {
  std::string path;  // relative to the root, with slashes
  std::vector<std::string> lines;
};

std::vector<std::string> lines_of(std::istream& text) {
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

bool is_source(const fs::path& path) {
  static const std::set<std::string> extensions = {".h", ".cpp", ".cu", ".cuh", ".inc", ".py", ".cmake"};
  return extensions.contains(path.extension().string());
}

// Every source file of the tree; build folders, runs and hidden folders are not part of it.
std::vector<Source> read_tree() {
  std::vector<Source> sources;
  for (auto entry = fs::recursive_directory_iterator(kRoot); entry != fs::recursive_directory_iterator(); ++entry) {
    const std::string name = entry->path().filename().string();
    const bool ours = !name.starts_with(".") && !(entry.depth() == 0 && (name.starts_with("build") || name == "runs"));
    if (entry->is_directory() && !ours) entry.disable_recursion_pending();
    if (!entry->is_regular_file() || !ours || !is_source(entry->path())) continue;
    std::ifstream file(entry->path());
    sources.push_back({fs::relative(entry->path(), kRoot).generic_string(), lines_of(file)});
  }
  return sources;
}

const std::vector<Source>& tree() {
  static const std::vector<Source> sources = read_tree();
  return sources;
}

std::string floor_of(const std::string& path) {
  if (path.starts_with("tests/cases/")) return "tests/cases";
  return path.substr(0, path.find('/'));
}

struct Include {
  std::string target;
  bool quoted;
};

std::vector<Include> includes_of(const Source& source) {
  static const std::regex directive(R"re(^\s*#\s*include\s*(["<])([^">]+)[">])re");
  std::vector<Include> includes;
  for (const std::string& line : source.lines) {
    std::smatch match;
    if (std::regex_search(line, match, directive)) includes.push_back({match[2], match[1] == "\""});
  }
  return includes;
}

std::vector<std::string> arrows_pointing_up(const Source& source) {
  std::vector<std::string> complaints;
  const auto rule = kMayInclude.find(floor_of(source.path));
  if (rule == kMayInclude.end()) return complaints;
  for (const Include& include : includes_of(source)) {
    if (include.quoted && !rule->second.contains(floor_of(include.target)))
      complaints.push_back(source.path + " includes " + include.target);
  }
  return complaints;
}

std::vector<std::string> vendor_headers(const Source& source) {
  static const std::regex vendor(
      R"(^(oneapi/|dnnl|cuda|cudnn|cublas|curand|nvtx3/|nvToolsExt|cub/|thrust/|mma\.h|omp\.h))");
  std::vector<std::string> complaints;
  if (source.path.starts_with("kernels/") || source.path.starts_with("tests/simt/")) return complaints;
  for (const Include& include : includes_of(source)) {
    if (std::regex_search(include.target, vendor)) complaints.push_back(source.path + " includes " + include.target);
  }
  return complaints;
}

using Rule = std::vector<std::string> (*)(const Source&);

std::vector<std::string> complaints_of(Rule rule) {
  std::vector<std::string> all;
  for (const Source& source : tree()) {
    for (std::string& complaint : rule(source)) all.push_back(std::move(complaint));
  }
  return all;
}

Source made_of(const std::string& path, const std::string& text) {
  std::istringstream stream(text);
  return {path, lines_of(stream)};
}

TEST(Architecture, FindsTheTree) {
  std::set<std::string> floors;
  for (const Source& source : tree()) floors.insert(floor_of(source.path));
  for (const char* floor : {"kernels", "tensor", "autograd", "nn", "data", "methods", "tests"}) {
    EXPECT_TRUE(floors.contains(floor)) << floor;
  }
}

TEST(Architecture, IncludesPointDown) {
  EXPECT_EQ(complaints_of(arrows_pointing_up), std::vector<std::string>{});
  EXPECT_EQ(arrows_pointing_up(made_of("data/x.h", "#include \"tensor/tensor.h\"\n  # include \"nn/module.h\"\n")),
            std::vector<std::string>{"data/x.h includes nn/module.h"});
  EXPECT_EQ(arrows_pointing_up(made_of("metrics/x.cpp", "#include \"methods/syce.h\"\n")).size(), 1u);
}

TEST(Architecture, QuotedIncludesNameFilesFromTheRoot) {
  for (const Source& source : tree()) {
    for (const Include& include : includes_of(source)) {
      EXPECT_TRUE(!include.quoted || fs::exists(kRoot / include.target)) << source.path << ": " << include.target;
    }
  }
}

TEST(Architecture, VendorHeadersStayInKernels) {
  EXPECT_EQ(complaints_of(vendor_headers), std::vector<std::string>{});
  EXPECT_EQ(vendor_headers(made_of("nn/x.cpp", "#include <oneapi/dnnl/dnnl.hpp>\n#include <cudnn.h>\n")).size(), 2u);
  EXPECT_EQ(vendor_headers(made_of("kernels/cuda/x.cu", "#include <cublas_v2.h>\n")).size(), 0u);
}

TEST(Architecture, FilesHoldOneThing) {
  for (const Source& source : tree()) {
    EXPECT_LE(source.lines.size(), static_cast<std::size_t>(kLongestFile)) << source.path << " holds two things";
  }
}

TEST(Architecture, FoldersSayWhatTheyHold) {
  static const std::regex vague("(^|/)(utils?|helpers?|common|misc)(\\.|/)");
  for (const Source& source : tree()) EXPECT_FALSE(std::regex_search(source.path, vague)) << source.path;
}

}  // namespace
