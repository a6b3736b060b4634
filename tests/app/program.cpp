#include "tests/app/program.h"

#include <cerrno>
#include <csignal>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <stdexcept>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace counterfoil::app {

namespace fs = std::filesystem;

std::vector<std::string> Outcome::error_lines() const {
  std::vector<std::string> lines;
  std::istringstream stream(errors);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

Program::Program(const Arguments& arguments, const fs::path& folder, std::uint64_t file_limit)
    : output_(folder / "stdout.txt"), errors_(folder / "stderr.txt") {
  const std::string program = std::string(COUNTERFOIL_BINARY_DIR) + "/counterfoil";
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  child_ = ::fork();
  if (child_ < 0) throw std::runtime_error("fork failed");
  if (child_ == 0) {
    const int output = ::open(output_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    const int errors = ::open(errors_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(errors, STDERR_FILENO);
    if (file_limit > 0) {
      const rlimit limit{file_limit, file_limit};
      ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ::execv(program.c_str(), argv.data());
    ::_exit(127);
  }
}

Program::~Program() {
  if (ended_) return;
  ::kill(child_, SIGKILL);
  (void)wait();
}

void Program::send(int signal) const {
  ::kill(child_, signal);
}

bool Program::running() {
  if (!ended_) ended_ = ::waitpid(child_, &status_, WNOHANG) == child_;
  return !ended_;
}

Outcome Program::wait() {
  while (!ended_ && ::waitpid(child_, &status_, 0) < 0 && errno == EINTR) {
  }
  ended_ = true;
  return {WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_), bytes_of(output_), bytes_of(errors_)};
}

Outcome run(const Arguments& arguments, const fs::path& folder, std::uint64_t file_limit) {
  return Program(arguments, folder, file_limit).wait();
}

std::string bytes_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void write_idx_folder(const fs::path& folder, std::int64_t count, std::int64_t side, int classes) {
  fs::create_directories(folder);
  std::mt19937_64 engine(3);
  for (const std::string part : {"train", "t10k"}) {
    const auto byte = [](std::int64_t value, int shift) { return static_cast<char>(value >> shift & 255); };
    std::string images = {0, 0, 8, 3}, labels = {0, 0, 8, 1};
    for (const std::int64_t extent : {count, side, side}) {
      for (const int shift : {24, 16, 8, 0}) images += byte(extent, shift);
    }
    for (const int shift : {24, 16, 8, 0}) labels += byte(count, shift);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t label = i % classes;
      labels += static_cast<char>(label);
      for (std::int64_t pixel = 0; pixel < side * side; ++pixel) {
        const bool first_half = label % 2 == 0 ? pixel / side < side / 2 : pixel % side < side / 2;
        const bool lit = first_half == (label < 2);
        images += static_cast<char>((lit ? 150 : 20) + static_cast<int>(engine() % 80));
      }
    }
    std::ofstream(folder / (part + "-images-idx3-ubyte"), std::ios::binary) << images;
    std::ofstream(folder / (part + "-labels-idx1-ubyte"), std::ios::binary) << labels;
  }
}

}  // namespace counterfoil::app
