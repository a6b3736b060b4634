#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>

#include <dnnl.h>

#include "kernels/caching_allocator.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/error.h"

namespace counterfoil {

namespace {

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "processor";
}

// What this build's loops use, not what the processor could do.
constexpr const char* vector_extension() {
#if defined(__AVX512F__)
  return "AVX-512";
#elif defined(__AVX2__)
  return "AVX2";
#elif defined(__AVX__)
  return "AVX";
#elif defined(__SSE2__)
  return "SSE2";
#elif defined(__ARM_FEATURE_SVE)
  return "SVE";
#elif defined(__ARM_NEON)
  return "NEON";
#else
  return "scalar";
#endif
}

class CpuDevice final : public Device {
 public:
  std::string_view name() const override { return "cpu"; }
  std::string description() const override {
    const dnnl_version_t* version = dnnl_version();
    return fmt::format("{}, {}, oneDNN {}.{}.{}", processor_name(), vector_extension(), version->major, version->minor,
                       version->patch);
  }
  bool host_accessible() const override { return true; }

  void* allocate(std::size_t bytes) override { return allocator_.allocate(bytes); }
  void release(void* data, std::size_t bytes) noexcept override { allocator_.release(data, bytes); }
  MemoryUse memory_use() const override { return allocator_.use(); }
  void reset_high_water() override { allocator_.reset_high_water(); }
  void trim() override { allocator_.trim(); }

  void copy_from_host(void* target, const void* source, std::size_t bytes) override { copy(target, source, bytes); }
  void copy_to_host(void* target, const void* source, std::size_t bytes) override { copy(target, source, bytes); }
  void copy_within(void* target, const void* source, std::size_t bytes) override { copy(target, source, bytes); }
  void synchronize() override {}  // primitives have run when they return

  Backend& backend() override { return backend_; }

 private:
  static void copy(void* target, const void* source, std::size_t bytes) {
    if (bytes > 0) std::memcpy(target, source, bytes);
  }

  CachingAllocator allocator_{"cpu", allocate_host_memory, release_host_memory, host_memory_size()};
  CpuBackend backend_{*this};
};

}  // namespace

Device& cpu_device() {
  static CpuDevice& device = *new CpuDevice;  // never destroyed: tensors may outlive every static
  return device;
}

}  // namespace counterfoil
