#include "kernels/simt/poison.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>

#include <sys/mman.h>
#include <unistd.h>

namespace counterfoil::simt {
namespace {

constexpr std::align_val_t kAlignment{256};
constexpr std::size_t kSparse = std::size_t{256} << 20, kFileBytes = std::size_t{64} << 20;

/// A file of poison that has no name; -1 where the system has none to give.
int poison_file() {
  static const int file = [] {
    const int made = ::memfd_create("poison", MFD_CLOEXEC);
    if (made < 0) return -1;
    void* const content = ::ftruncate(made, kFileBytes) == 0
                              ? ::mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, made, 0)
                              : MAP_FAILED;
    if (content == MAP_FAILED) return -1;
    std::memset(content, kPoison, kFileBytes);
    ::munmap(content, kFileBytes);
    return made;
  }();
  return file;
}

/// The file over whole pages, private to whoever writes.
bool map_poison(std::byte* data, std::size_t bytes) {
  for (std::size_t done = 0; done < bytes; done += kFileBytes) {
    void* const mapped = ::mmap(data + done, std::min(kFileBytes, bytes - done), PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, poison_file(), 0);
    if (mapped == MAP_FAILED) return false;
  }
  return true;
}

}  // namespace

std::byte* allocate_poison(std::size_t bytes) {
  if (bytes < kSparse || poison_file() < 0) {
    auto* const data =
        static_cast<std::byte*>(::operator new(std::max<std::size_t>(bytes, 1), kAlignment, std::nothrow));
    if (data != nullptr) std::memset(data, kPoison, bytes);
    return data;
  }
  void* const data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) return nullptr;
  if (map_poison(static_cast<std::byte*>(data), bytes)) return static_cast<std::byte*>(data);
  ::munmap(data, bytes);
  return nullptr;
}

void release_poison(std::byte* data, std::size_t bytes) {
  if (bytes < kSparse || poison_file() < 0) {
    ::operator delete(data, kAlignment);
  } else {
    ::munmap(data, bytes);
  }
}

void poison(std::byte* data, std::size_t bytes) {
  // A stretch so long lies in sparse memory; its whole pages are mapped anew.
  if (bytes >= kSparse && poison_file() >= 0) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t before = (page - reinterpret_cast<std::uintptr_t>(data) % page) % page;
    const std::size_t pages = (bytes - before) / page * page;
    std::memset(data, kPoison, before);
    if (map_poison(data + before, pages)) {
      data += before + pages;
      bytes -= before + pages;
    }
  }
  std::memset(data, kPoison, bytes);
}

}  // namespace counterfoil::simt
