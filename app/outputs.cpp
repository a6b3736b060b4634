#include "app/outputs.h"

#include <set>
#include <system_error>

#include "kernels/error.h"
#include "tensor/atomic_file.h"
#include "tensor/nearest_name.h"

namespace counterfoil::app {

void check_outputs(const std::vector<std::filesystem::path>& files, const std::vector<std::filesystem::path>& inputs) {
  std::set<std::filesystem::path> taken, read;
  const auto place = [](const std::filesystem::path& file) {
    std::error_code unknown;  // what it cannot say, opening the file will
    return std::filesystem::weakly_canonical(std::filesystem::absolute(file, unknown), unknown);
  };
  for (const std::filesystem::path& input : inputs) {
    if (!input.empty()) read.insert(place(input));
  }
  for (const std::filesystem::path& file : files) {
    if (file.empty()) continue;
    check_writable(file);
    if (read.contains(place(file))) fail("{}: it is to be read, and would be written over", file.string());
    if (!taken.insert(place(file)).second) fail("{}: two things are to be written there", file.string());
  }
}

void prepare_folder(const std::filesystem::path& folder, const std::vector<std::string>& names) {
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (!seen.insert(name).second) fail("--input: two images called {}: their pictures would be one", in_quotes(name));
  }
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail("{}: {}", folder.string(), error.message());
  check_writable(folder / (names.front() + ".png"));
}

}  // namespace counterfoil::app
