#include "kernels/simt/shared_memory.h"

#include <algorithm>
#include <cstring>
#include <new>

#include <fmt/format.h>

#include "kernels/simt/address_sanitizer.h"
#include "kernels/simt/poison.h"

namespace counterfoil::simt {
namespace {

constexpr int kGuardFill = 0xa5;

// AddressSanitizer watches the guards itself.
#if defined(COUNTERFOIL_SIMT_ASAN)
void set_guard(std::byte*, std::size_t) {}
bool intact(const std::byte*, std::size_t) {
  return true;
}
#else
void set_guard(std::byte* guard, std::size_t bytes) {
  std::memset(guard, kGuardFill, bytes);
}
bool intact(const std::byte* guard, std::size_t bytes) {
  return std::all_of(guard, guard + bytes, [](std::byte b) { return b == std::byte{kGuardFill}; });
}
#endif

}  // namespace

SharedMemory::SharedMemory()
    : storage_(static_cast<std::byte*>(::operator new (kBytes, std::align_val_t{kAlignment}))),
      end_(storage_ + kGuard) {
  set_guard(storage_, kGuard);
  arrays_.reserve(kMaxArrays);
  ASAN_POISON_MEMORY_REGION(storage_, kBytes);
}

SharedMemory::~SharedMemory() {
  ASAN_UNPOISON_MEMORY_REGION(storage_, kBytes);
  ::operator delete (storage_, std::align_val_t{kAlignment});
}

void SharedMemory::begin_block(std::size_t dynamic_bytes) {
  for (const Array& array : arrays_) ASAN_POISON_MEMORY_REGION(array.data, array.bytes);
  arrays_.clear();
  end_ = storage_ + kGuard;
  static_bytes_ = 0;
  dynamic_ = dynamic_bytes > 0 ? add(nullptr, dynamic_bytes, "dynamic shared memory", "", 0) : nullptr;
}

void* SharedMemory::add(const void* site, std::size_t bytes, const char* name, const char* file, int line) {
  if (site != nullptr) {
    if (static_bytes_ + bytes > kStaticSharedBytes || arrays_.size() == kMaxArrays) return nullptr;
    static_bytes_ += bytes;
  }
  std::byte* const data = end_;
  end_ += (bytes + kAlignment - 1) / kAlignment * kAlignment + kGuard;
  ASAN_UNPOISON_MEMORY_REGION(data, bytes);
  std::memset(data, kPoison, bytes);
  set_guard(data + bytes, static_cast<std::size_t>(end_ - data) - bytes);
  arrays_.push_back({site, name, file, line, data, bytes});
  return data;
}

const SharedMemory::Array* SharedMemory::overrun() const {
  for (std::size_t i = 0; i < arrays_.size(); ++i) {
    const Array& array = arrays_[i];
    const std::byte* const next = i + 1 < arrays_.size() ? arrays_[i + 1].data : end_;
    const std::byte* const end = array.data + array.bytes;
    if (!intact(end, static_cast<std::size_t>(next - end))) return &array;
  }
  return !arrays_.empty() && !intact(storage_, kGuard) ? &arrays_.front() : nullptr;
}

const SharedMemory::Array* SharedMemory::find(const void* address, std::size_t bytes) const {
  const auto* const byte = static_cast<const std::byte*>(address);
  for (const Array& array : arrays_) {
    if (byte >= array.data && byte + bytes <= array.data + array.bytes) return &array;
  }
  return nullptr;
}

std::string SharedMemory::nearest(const void* address) const {
  const auto* const byte = static_cast<const std::byte*>(address);
  const Array* nearest = nullptr;
  for (const Array& array : arrays_) {
    if (nearest == nullptr || array.data <= byte) nearest = &array;
  }
  if (nearest == nullptr) return "shared memory, of which the block has none";
  return fmt::format("shared array '{}', byte {} of {}", nearest->name, byte - nearest->data, nearest->bytes);
}

}  // namespace counterfoil::simt
