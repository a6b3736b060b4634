#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <string>

#include "kernels/caching_allocator.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/router.h"

namespace counterfoil::cuda {

namespace {

#if defined(COUNTERFOIL_SIMT)
constexpr const char* kName = "simt";
#else
constexpr const char* kName = "cuda";
#endif

cudaStream_t create_stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  return stream;
}

void* allocate_device_memory(std::size_t bytes) {
  void* data = nullptr;
  const cudaError_t status = cudaMalloc(&data, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  check(status, "cudaMalloc");
  return data;
}

void release_device_memory(void* data, std::size_t) {
  cudaFree(data);
}

/// Two halves of pinned memory between the host's pages and the GPU, so that one is filled while the other is copied.
class Staging {
 public:
  explicit Staging(cudaStream_t stream) : stream_(stream) {}

  void to_device(void* target, const void* source, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    for_each_part(bytes, [&](Half& half, std::size_t begin, std::size_t count) {
      check(cudaEventSynchronize(half.copied), "cudaEventSynchronize");
      std::memcpy(half.data, static_cast<const std::byte*>(source) + begin, count);
      check(cudaMemcpyAsync(static_cast<std::byte*>(target) + begin, half.data, count, cudaMemcpyHostToDevice, stream_),
            "cudaMemcpyAsync to the device");
      check(cudaEventRecord(half.copied, stream_), "cudaEventRecord");
    });
  }

  void to_host(void* target, const void* source, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    Half* last = nullptr;
    std::size_t last_begin = 0, last_count = 0;
    const auto unload = [&] {
      if (last == nullptr) return;
      check(cudaEventSynchronize(last->copied), "cudaEventSynchronize");
      std::memcpy(static_cast<std::byte*>(target) + last_begin, last->data, last_count);
    };
    for_each_part(bytes, [&](Half& half, std::size_t begin, std::size_t count) {
      check(cudaMemcpyAsync(half.data, static_cast<const std::byte*>(source) + begin, count, cudaMemcpyDeviceToHost,
                            stream_),
            "cudaMemcpyAsync to the host");
      check(cudaEventRecord(half.copied, stream_), "cudaEventRecord");
      unload();  // the part before, while this one is copied
      last = &half;
      last_begin = begin;
      last_count = count;
    });
    unload();
  }

 private:
  static constexpr std::size_t kHalf = std::size_t{4} << 20;

  struct Half {
    std::byte* data = nullptr;
    cudaEvent_t copied = nullptr;
  };

  template <typename F>
  void for_each_part(std::size_t bytes, F&& f) {
    if (halves_[0].data == nullptr) {
      void* data = nullptr;
      check(cudaMallocHost(&data, 2 * kHalf), "cudaMallocHost");
      for (std::size_t i = 0; i < 2; ++i) {
        halves_[i].data = static_cast<std::byte*>(data) + i * kHalf;
        check(cudaEventCreateWithFlags(&halves_[i].copied, cudaEventDisableTiming), "cudaEventCreateWithFlags");
      }
    }
    for (std::size_t begin = 0; begin < bytes; begin += kHalf) {
      f(halves_[next_], begin, std::min(kHalf, bytes - begin));
      next_ = 1 - next_;
    }
  }

  cudaStream_t stream_;
  std::mutex mutex_;
  std::array<Half, 2> halves_{};
  std::size_t next_ = 0;
};

class CudaDevice final : public Device {
 public:
  std::string_view name() const override { return kName; }
  std::string description() const override {
    cudaDeviceProp properties{};
    int driver = 0, runtime = 0;
    check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
    check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
    check(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
    return fmt::format("{}, compute capability {}.{}, {} GiB, driver for CUDA {}.{}, runtime {}.{}, {}",
                       properties.name, properties.major, properties.minor, properties.totalGlobalMem >> 30,
                       driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10, router_.description());
  }
  bool host_accessible() const override { return false; }

  void* allocate(std::size_t bytes) override { return allocator_.allocate(bytes); }
  void release(void* data, std::size_t bytes) noexcept override { allocator_.release(data, bytes); }
  MemoryUse memory_use() const override { return allocator_.use(); }
  void reset_high_water() override { allocator_.reset_high_water(); }
  void trim() override { allocator_.trim(); }

  void copy_from_host(void* target, const void* source, std::size_t bytes) override {
    staging_.to_device(target, source, bytes);
  }
  void copy_to_host(void* target, const void* source, std::size_t bytes) override {
    staging_.to_host(target, source, bytes);
  }
  void copy_within(void* target, const void* source, std::size_t bytes) override {
    if (bytes == 0) return;
    check(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDeviceToDevice, stream_), "cudaMemcpyAsync on the device");
  }
  void synchronize() override { check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize"); }

  Backend& backend() override { return backend_; }
  Router& router() { return router_; }

 private:
  cudaStream_t stream_ = create_stream();
  CachingAllocator allocator_{kName, allocate_device_memory, release_device_memory};
  Staging staging_{stream_};
  CudaBackend backend_{*this, stream_};
  Router& router_ = cuda::router(*this, stream_);
};

/// Throws Error unless there is a GPU to compute on.
void require_gpu() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) {
    cudaGetLastError();
    fail("device '{}': no driver or no GPU to compute on: {} ({})", kName, cudaGetErrorString(status),
         cudaGetErrorName(status));
  }
  if (count == 0) fail("device '{}': this machine has no CUDA device", kName);
  check(cudaSetDevice(0), "cudaSetDevice");
}

CudaDevice& the_device() {
  static CudaDevice& device = []() -> CudaDevice& {
    require_gpu();
    return *new CudaDevice;  // never destroyed: tensors may outlive every static
  }();
  return device;
}

}  // namespace

Device& open() {
  return the_device();
}

void set_route(std::string_view route) {
  the_device().router().set(route);
}

}  // namespace counterfoil::cuda

#if !defined(COUNTERFOIL_SIMT)
// What the program looks up in the shared library.
extern "C" counterfoil::Device* counterfoil_open_cuda() {
  return &counterfoil::cuda::open();
}
extern "C" void counterfoil_set_cuda_route(std::string_view route) {
  counterfoil::cuda::set_route(route);
}
#endif
