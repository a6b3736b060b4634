#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

// Runs build/counterfoil as a user does.

namespace counterfoil::app {

using Arguments = std::vector<std::string>;

struct Outcome {
  int status = -1;  ///< exit status, or 128 + signal when one ended it
  std::string output, errors;

  /// The lines of `errors`.
  std::vector<std::string> error_lines() const;
};

/// A child process with stdout and stderr in files of a folder.
class Program {
 public:
  /// file_limit: bytes that any file may have, 0 for no limit (RLIMIT_FSIZE).
  Program(const Arguments& arguments, const std::filesystem::path& folder, std::uint64_t file_limit = 0);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void send(int signal) const;
  bool running();
  Outcome wait();

 private:
  std::filesystem::path output_, errors_;
  pid_t child_ = -1;
  int status_ = -1;
  bool ended_ = false;
};

Outcome run(const Arguments& arguments, const std::filesystem::path& folder, std::uint64_t file_limit = 0);

/// The bytes of a file, empty when there is none.
std::string bytes_of(const std::filesystem::path& file);

/// Writes a training and a test file of `count` images [side,side] of up to four classes that a classifier can tell
/// apart: each has another half lit.
void write_idx_folder(const std::filesystem::path& folder, std::int64_t count, std::int64_t side, int classes = 2);

}  // namespace counterfoil::app
