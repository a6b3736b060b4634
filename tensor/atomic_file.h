#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

namespace counterfoil {

/// A file that appears whole or not at all: written under "<name>.partial" in the same folder, fsynced and renamed by
/// commit(). Without commit() the partial file is removed and what was there before stays. A symbolic link is followed.
/// Everything throws Error with the file's name and the system's reason.
class AtomicFile {
 public:
  /// Throws Error when the folder cannot be written, or something that is not a regular file bears the name.
  explicit AtomicFile(std::filesystem::path file);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void commit();

 private:
  [[noreturn]] void fail_with_errno() const;

  std::filesystem::path file_, partial_;
  int descriptor_ = -1;
};

/// Throws Error as AtomicFile does when a file cannot be written, before the work of finding out what to write.
void check_writable(const std::filesystem::path& file);

}  // namespace counterfoil
