#include <cstring>

#include "kernels/caching_allocator.h"
#include "kernels/device.h"
#include "kernels/reference/reference_backend.h"

namespace counterfoil {

namespace {

class ReferenceDevice final : public Device {
 public:
  std::string_view name() const override { return "reference"; }
  std::string description() const override { return "plain loops in double precision, one thread"; }
  bool host_accessible() const override { return true; }

  void* allocate(std::size_t bytes) override { return allocator_.allocate(bytes); }
  void release(void* data, std::size_t bytes) noexcept override { allocator_.release(data, bytes); }
  MemoryUse memory_use() const override { return allocator_.use(); }
  void reset_high_water() override { allocator_.reset_high_water(); }
  void trim() override { allocator_.trim(); }

  void copy_from_host(void* target, const void* source, std::size_t bytes) override { copy(target, source, bytes); }
  void copy_to_host(void* target, const void* source, std::size_t bytes) override { copy(target, source, bytes); }
  void copy_within(void* target, const void* source, std::size_t bytes) override { copy(target, source, bytes); }
  void synchronize() override {}

  Backend& backend() override { return backend_; }

 private:
  static void copy(void* target, const void* source, std::size_t bytes) {
    if (bytes > 0) std::memmove(target, source, bytes);
  }

  CachingAllocator allocator_{"reference", allocate_host_memory, release_host_memory, host_memory_size()};
  ReferenceBackend backend_;
};

}  // namespace

Device& reference_device() {
  static auto* device = new ReferenceDevice;  // never destroyed: tensors may outlive everything else
  return *device;
}

}  // namespace counterfoil
