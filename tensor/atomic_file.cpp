#include "tensor/atomic_file.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "kernels/error.h"

namespace counterfoil {

namespace {

std::filesystem::path checked_target(std::filesystem::path file) {
  std::error_code ignored;
  const std::filesystem::file_status status = std::filesystem::status(file, ignored);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    fail("cannot write {}: it exists and is not a regular file", file.string());
  }
  if (std::filesystem::is_symlink(file, ignored)) return std::filesystem::weakly_canonical(file);
  return file;
}

// Makes the rename itself survive a power cut. Some file systems cannot; nothing is lost to the program then.
void sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  (void)::fsync(descriptor);
  (void)::close(descriptor);
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path file) : file_(checked_target(std::move(file))), partial_(file_) {
  partial_ += ".partial";
  descriptor_ = ::open(partial_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_with_errno();
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  (void)::close(descriptor_);
  (void)::unlink(partial_.c_str());
}

void AtomicFile::write(const void* data, std::size_t bytes) {
  constexpr std::size_t kMostAtOnce = std::size_t{1} << 30;
  const auto* rest = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor_, rest, std::min(bytes, kMostAtOnce));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_with_errno();
    rest += written;
    bytes -= static_cast<std::size_t>(written);
  }
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) fail_with_errno();
  if (::rename(partial_.c_str(), file_.c_str()) != 0) fail_with_errno();
  (void)::close(std::exchange(descriptor_, -1));
  sync_folder(file_.parent_path());
}

void AtomicFile::fail_with_errno() const {
  const int code = errno;
  fail("cannot write {}: {}", file_.string(), std::generic_category().message(code));
}

void check_writable(const std::filesystem::path& file) {
  const AtomicFile without_commit(file);
}

}  // namespace counterfoil
