#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "kernels/caching_allocator.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/event_timeline.h"
#include "kernels/cuda/operator_ranges.h"
#include "kernels/cuda/recorded_graph.h"
#include "kernels/cuda/router.h"
#include "kernels/cuda/staging.h"
#include "kernels/listening_backend.h"
#include "kernels/span.h"

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

class CudaDevice final : public Device, public GraphRecorder, public SpanSink, public TimelineSource {
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
    forbid_recording("copies from the host");
    staging_.to_device(target, source, bytes);
  }
  void copy_to_host(void* target, const void* source, std::size_t bytes) override {
    forbid_recording("copies to the host");
    staging_.to_host(target, source, bytes);
  }
  void copy_within(void* target, const void* source, std::size_t bytes) override {
    if (bytes == 0) return;
    check(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDeviceToDevice, stream_), "cudaMemcpyAsync on the device");
  }
  void synchronize() override {
    forbid_recording("waits for the device");
    check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  }

  Backend& backend() override { return named_; }
  Router& router() { return router_; }

  std::unique_ptr<Graph> record(const std::function<void()>& work) override {
    return std::make_unique<RecordedGraph>(*this, allocator_, stream_, work);
  }
  std::unique_ptr<Timeline> make_timeline() override { return std::make_unique<EventTimeline>(stream_); }
  std::size_t begin_span(const char* name) override {
    nvtxRangePushA(name);
    return 0;
  }
  void end_span(std::size_t) noexcept override { nvtxRangePop(); }

 private:
  static void forbid_recording(const char* what) {
    if (Recording::active() != nullptr) fail("device '{}': what is recorded in a graph {}", kName, what);
  }

  cudaStream_t stream_ = create_stream();
  CachingAllocator allocator_{kName, allocate_device_memory, release_device_memory};
  Staging staging_{stream_};
  CudaBackend backend_{*this, stream_};
  OperatorRanges ranges_;
  ListeningBackend named_{backend_, ranges_};
  Router& router_ = cuda::router(*this, stream_);
};

/// Why a status of cudaGetDeviceCount is none to compute with.
std::string why_none(cudaError_t status) {
  if (status == cudaErrorNoDevice || status == cudaSuccess) {
    return "the driver finds no GPU (CUDA_VISIBLE_DEVICES may hide it)";
  }
  if (status != cudaErrorInsufficientDriver) {
    return fmt::format("the driver does not start: {} ({})", cudaGetErrorString(status), cudaGetErrorName(status));
  }
  int driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  if (driver == 0) return "no NVIDIA driver is loaded on this machine";
  return fmt::format("the driver is for CUDA {}.{}; expected one for {}.{} or later", driver / 1000, driver % 1000 / 10,
                     runtime / 1000, runtime % 1000 / 10);
}

/// Throws Error unless there is a GPU to compute on.
void require_gpu() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess || count == 0) {
    cudaGetLastError();
    fail("device '{}': {}", kName, why_none(status));
  }
  check(cudaSetDevice(0), "cudaSetDevice");
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  constexpr int kOldest = 8;  // what kernels/cuda/CMakeLists.txt compiles for
  if (properties.major < kOldest) {
    fail("device '{}': {} has compute capability {}.{}; expected {}.0 or later", kName, properties.name,
         properties.major, properties.minor, kOldest);
  }
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
