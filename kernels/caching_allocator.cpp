#include "kernels/caching_allocator.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <utility>

#include <sys/sysinfo.h>

#include "kernels/error.h"

namespace counterfoil {

CachingAllocator::CachingAllocator(std::string name, SystemAllocate system_allocate, SystemRelease system_release,
                                   std::size_t limit)
    : name_(std::move(name)),
      system_allocate_(std::move(system_allocate)),
      system_release_(std::move(system_release)),
      limit_(limit) {}

CachingAllocator::~CachingAllocator() {
  trim();
}

std::size_t CachingAllocator::size_class(std::size_t bytes) {
  constexpr std::size_t kSmallest = 256;
  constexpr std::size_t kLarge = std::size_t{1} << 20;
  if (bytes <= kSmallest) return kSmallest;
  if (bytes <= kLarge) return std::bit_ceil(bytes);
  const std::size_t step = std::bit_floor(bytes) / 8;
  return (bytes + step - 1) / step * step;
}

void* CachingAllocator::ask(std::size_t size) {
  return size > limit_ || use_.reserved > limit_ - size ? nullptr : system_allocate_(size);
}

void* CachingAllocator::take(SizeClass& blocks, std::size_t size) {
  if (!blocks.cached.empty()) {
    void* const data = blocks.cached.back();
    blocks.cached.pop_back();
    return data;
  }
  ++use_.system_calls;
  void* data = ask(size);
  if (data == nullptr) {
    trim_locked();
    data = ask(size);
  }
  if (data == nullptr) fail("{}: out of memory: {} bytes asked for, {} bytes in use", name_, size, use_.in_use);
  use_.reserved += size;
  // Capacity for every live block of this class, so that release() never allocates.
  ++blocks.live;
  if (blocks.cached.capacity() < blocks.live) blocks.cached.reserve(2 * blocks.live);
  return data;
}

void* CachingAllocator::allocate(std::size_t bytes) {
  if (bytes == 0) return nullptr;
  constexpr std::size_t kLimit = std::size_t{1} << 46;
  if (bytes > kLimit) fail("{}: cannot allocate {} bytes", name_, bytes);
  const std::size_t size = size_class(bytes);
  const std::lock_guard lock(mutex_);
  void* data = nullptr;
  if (filling_ == nullptr) {
    data = take(classes_[size], size);
  } else {
    SizeClass& own = filling_->classes_[size];
    if (!own.cached.empty()) {
      data = take(own, size);
    } else {
      data = take(classes_[size], size);
      reserved_.emplace(data, filling_);
      ++own.live;
      if (own.cached.capacity() < own.live) own.cached.reserve(2 * own.live);
    }
  }
  use_.in_use += size;
  use_.high_water = std::max(use_.high_water, use_.in_use);
  return data;
}

void CachingAllocator::release(void* data, std::size_t bytes) noexcept {
  if (data == nullptr) return;
  const std::size_t size = size_class(bytes);
  const std::lock_guard lock(mutex_);
  use_.in_use -= size;
  const auto owner = reserved_.find(data);
  auto& classes = owner == reserved_.end() ? classes_ : owner->second->classes_;
  classes.find(size)->second.cached.push_back(data);
}

void CachingAllocator::begin_reserve(Reserve& reserve) {
  const std::lock_guard lock(mutex_);
  filling_ = &reserve;
}

void CachingAllocator::end_reserve() {
  const std::lock_guard lock(mutex_);
  filling_ = nullptr;
}

void CachingAllocator::dissolve(Reserve& reserve) {
  const std::lock_guard lock(mutex_);
  for (const auto& [size, blocks] : reserve.classes_) {
    std::vector<void*>& cached = classes_[size].cached;
    cached.insert(cached.end(), blocks.cached.begin(), blocks.cached.end());
  }
  std::erase_if(reserved_, [&](const auto& block) { return block.second == &reserve; });
  reserve.classes_.clear();
}

MemoryUse CachingAllocator::use() const {
  const std::lock_guard lock(mutex_);
  return use_;
}

void CachingAllocator::reset_high_water() {
  const std::lock_guard lock(mutex_);
  use_.high_water = use_.in_use;
}

void CachingAllocator::trim() {
  const std::lock_guard lock(mutex_);
  trim_locked();
}

void CachingAllocator::trim_locked() {
  for (auto& [size, blocks] : classes_) {
    for (void* data : blocks.cached) system_release_(data, size);
    use_.reserved -= size * blocks.cached.size();
    blocks.live -= blocks.cached.size();
    blocks.cached.clear();
  }
}

void* allocate_host_memory(std::size_t bytes) {
  constexpr std::size_t kAlignment = 64;
  return std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
}

void release_host_memory(void* data, std::size_t) {
  std::free(data);
}

std::size_t host_memory_size() {
  std::size_t size = std::numeric_limits<std::size_t>::max();
  struct sysinfo machine = {};
  if (::sysinfo(&machine) == 0) size = (std::size_t{machine.totalram} + machine.totalswap) * machine.mem_unit;
  // A container's own, by control groups of version 2 or 1; where there is none the file is absent or says "max".
  for (const char* file : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::size_t limit = 0;
    if (std::ifstream(file) >> limit) size = std::min(size, limit);
  }
  return size;
}

}  // namespace counterfoil
