#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace counterfoil::simt {

inline constexpr std::size_t kStaticSharedBytes = 48 * 1024;    // per block, on every GPU
inline constexpr std::size_t kDynamicSharedBytes = 163 * 1024;  // per block on sm_80, after asking for it

/// The shared memory of one block: arrays are laid out in the order in which the block's threads first reach them,
/// filled with poison, with guards between them.
class SharedMemory {
 public:
  struct Array {
    const void* site;
    const char* name;
    const char* file;
    int line;
    std::byte* data;
    std::size_t bytes;
  };

  SharedMemory();
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  /// Forgets all arrays and lays out the dynamic one.
  void begin_block(std::size_t dynamic_bytes);
  /// The array of this declaration, null where the static arrays would pass kStaticSharedBytes.
  void* array(const void* site, std::size_t bytes, const char* name, const char* file, int line) {
    for (const Array& known : arrays_) {
      if (known.site == site) return known.data;
    }
    return add(site, bytes, name, file, line);
  }
  void* dynamic() const { return dynamic_; }
  /// The first array whose guards were written to, or null.
  const Array* overrun() const;

  bool contains(const void* address) const { return address >= storage_ && address < storage_ + kBytes; }
  /// The array that holds these bytes, or null.
  const Array* find(const void* address, std::size_t bytes) const;
  /// "shared array 'tile', byte 132 of 128": the array that holds the address, or the last one before it.
  std::string nearest(const void* address) const;

 private:
  static constexpr std::size_t kGuard = 512, kAlignment = 128, kMaxArrays = 64;
  static constexpr std::size_t kBytes =
      kStaticSharedBytes + kDynamicSharedBytes + (kMaxArrays + 2) * (kGuard + kAlignment);

  void* add(const void* site, std::size_t bytes, const char* name, const char* file, int line);

  std::byte* storage_;
  std::vector<Array> arrays_;
  std::byte* end_;  // of the last guard
  void* dynamic_ = nullptr;
  std::size_t static_bytes_ = 0;
};

}  // namespace counterfoil::simt
