#include "kernels/simt/runtime.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <new>
#include <vector>

#include <fmt/format.h>

#include "kernels/simt/block.h"
#include "kernels/simt/poison.h"
#include "kernels/simt/simt.h"
#include "kernels/simt/streams.h"
#include "kernels/simt/symbols.h"

using counterfoil::simt::call;
using counterfoil::simt::noted;
using counterfoil::simt::Runtime;

namespace counterfoil::simt {
namespace {

constexpr int kRuntimeVersion = 13000;
thread_local cudaError_t last_error = cudaSuccess;

/// Allocations by address.
struct Heap {
  std::map<const std::byte*, std::size_t> blocks;
  std::size_t in_use = 0;

  void* allocate(std::size_t bytes) {
    std::byte* const data = allocate_poison(bytes);
    if (data == nullptr) return nullptr;
    blocks.emplace(data, bytes);
    in_use += bytes;
    return data;
  }
  bool release(void* data) {
    const auto found = blocks.find(static_cast<std::byte*>(data));
    if (found == blocks.end()) return false;
    in_use -= found->second;
    release_poison(static_cast<std::byte*>(data), found->second);
    blocks.erase(found);
    return true;
  }
  /// Whether [data, data + bytes) lies in one block.
  bool holds(const void* data, std::size_t bytes) const {
    const auto* const first = static_cast<const std::byte*>(data);
    auto after = blocks.upper_bound(first);
    if (after == blocks.begin()) return false;
    --after;
    return static_cast<std::size_t>(first - after->first) + bytes <= after->second;
  }
};

Heap& device_heap() {
  static Heap& heap = *new Heap;
  return heap;
}
Heap& pinned_heap() {
  static Heap& heap = *new Heap;
  return heap;
}

/// Dynamic shared memory that a kernel was allowed with cudaFuncSetAttribute.
std::map<const void*, std::size_t>& allowances() {
  static auto& map = *new std::map<const void*, std::size_t>;
  return map;
}

/// How often each kernel was started.
std::map<const void*, std::uint64_t>& launch_counts() {
  static auto& map = *new std::map<const void*, std::uint64_t>;
  return map;
}

cudaError_t check_copy(const void* target, const void* source, std::size_t bytes, cudaMemcpyKind kind) {
  if (kind < cudaMemcpyHostToHost || kind > cudaMemcpyDefault) return cudaErrorInvalidMemcpyDirection;
  if (kind == cudaMemcpyDefault || bytes == 0) return cudaSuccess;
  const Heap& heap = device_heap();
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  const bool target_fits = to_device ? heap.holds(target, bytes) : !heap.holds(target, 1);
  const bool source_fits = from_device ? heap.holds(source, bytes) : !heap.holds(source, 1);
  return target_fits && source_fits ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t check_geometry(const void* kernel, dim3 grid, dim3 block, std::size_t shared_bytes) {
  const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
  if (threads < 1 || threads > 1024 || block.x > 1024 || block.y > 1024 || block.z > 64) {
    return cudaErrorInvalidConfiguration;
  }
  if (grid.x < 1 || grid.y < 1 || grid.z < 1 || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535) {
    return cudaErrorInvalidConfiguration;
  }
  const auto allowed = allowances().find(kernel);
  const std::size_t limit = allowed != allowances().end() ? allowed->second : kStaticSharedBytes;
  return shared_bytes <= limit ? cudaSuccess : cudaErrorInvalidValue;
}

}  // namespace

bool is_device_memory(const void* address) {
  return device_heap().holds(address, 1);
}

cudaError_t noted(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

cudaError_t launch_kernel(const void* kernel, dim3 grid, dim3 block, std::size_t shared_bytes, cudaStream_t stream,
                          std::function<void()> thread) {
  return call([&](Runtime& runtime) {
    const auto target = runtime.find(stream);
    if (target == nullptr) return cudaErrorInvalidResourceHandle;
    if (const cudaError_t error = check_geometry(kernel, grid, block, shared_bytes); error != cudaSuccess) return error;
    if (fault_due(&Faults::refused_launch)) return cudaErrorInvalidConfiguration;
    ++launch_counts()[kernel];
    return runtime.append(*target, [&runtime, kernel, grid, block, shared_bytes, thread = std::move(thread)] {
      if (fault_due(&Faults::launch)) {
        runtime.fail(cudaErrorIllegalAddress, fmt::format("kernel {}: injected fault", function_name(kernel)));
        return;
      }
      Launch launch;
      launch.kernel = kernel;
      launch.grid = grid;
      launch.block = block;
      launch.dynamic_shared = shared_bytes;
      launch.thread = thread;
      launch.options = options();
      const std::string report = run_grid(launch);
      if (!report.empty()) {
        runtime.fail(cudaErrorLaunchFailure, fmt::format("kernel {}, {}", function_name(kernel), report));
      }
    });
  });
}

std::map<std::string, std::uint64_t> launches() {
  std::map<const void*, std::uint64_t> counts;
  call([&](Runtime&) {
    counts = launch_counts();
    return cudaSuccess;
  });
  std::vector<const void*> kernels;
  for (const auto& [kernel, count] : counts) kernels.push_back(kernel);
  std::map<std::string, std::uint64_t> named;
  const std::vector<Place> places = places_of(kernels);
  for (std::size_t i = 0; i < kernels.size(); ++i) named[places[i].function] += counts[kernels[i]];
  return named;
}

}  // namespace counterfoil::simt

using namespace counterfoil::simt;

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorInvalidValue:
      return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration:
      return "cudaErrorInvalidConfiguration";
    case cudaErrorInvalidMemcpyDirection:
      return "cudaErrorInvalidMemcpyDirection";
    case cudaErrorInsufficientDriver:
      return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice:
      return "cudaErrorNoDevice";
    case cudaErrorInvalidDevice:
      return "cudaErrorInvalidDevice";
    case cudaErrorInvalidResourceHandle:
      return "cudaErrorInvalidResourceHandle";
    case cudaErrorNotReady:
      return "cudaErrorNotReady";
    case cudaErrorIllegalAddress:
      return "cudaErrorIllegalAddress";
    case cudaErrorLaunchFailure:
      return "cudaErrorLaunchFailure";
    case cudaErrorStreamCaptureUnsupported:
      return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated:
      return "cudaErrorStreamCaptureInvalidated";
    case cudaErrorStreamCaptureUnmatched:
      return "cudaErrorStreamCaptureUnmatched";
    case cudaErrorStreamCaptureUnjoined:
      return "cudaErrorStreamCaptureUnjoined";
    case cudaErrorStreamCaptureIsolation:
      return "cudaErrorStreamCaptureIsolation";
    case cudaErrorStreamCaptureImplicit:
      return "cudaErrorStreamCaptureImplicit";
    case cudaErrorCapturedEvent:
      return "cudaErrorCapturedEvent";
  }
  return "unrecognized error code";
}

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorInvalidValue:
      return "invalid argument";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    case cudaErrorInvalidMemcpyDirection:
      return "invalid copy direction for memcpy";
    case cudaErrorInsufficientDriver:
      return "CUDA driver version is insufficient for CUDA runtime version";
    case cudaErrorNoDevice:
      return "no CUDA-capable device is detected";
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    case cudaErrorInvalidResourceHandle:
      return "invalid resource handle";
    case cudaErrorNotReady:
      return "device not ready";
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure: {
      thread_local std::string text;
      Runtime& runtime = Runtime::instance();
      const std::lock_guard lock(runtime.mutex);
      text = runtime.failure_text().empty() ? "unspecified launch failure" : runtime.failure_text();
      return text.c_str();
    }
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated:
      return "operation failed due to a previous error during capture";
    case cudaErrorStreamCaptureUnmatched:
      return "capture was not ended in the same stream as it began";
    case cudaErrorStreamCaptureUnjoined:
      return "capturing stream has unjoined work";
    case cudaErrorStreamCaptureIsolation:
      return "dependency created on uncaptured work in another stream";
    case cudaErrorStreamCaptureImplicit:
      return "operation would make the legacy stream depend on a capturing blocking stream";
    case cudaErrorCapturedEvent:
      return "operation not permitted on an event last recorded in a capturing stream";
  }
  return "unrecognized error code";
}

cudaError_t cudaGetLastError() {
  return std::exchange(last_error, cudaSuccess);
}
cudaError_t cudaPeekAtLastError() {
  return last_error;
}

cudaError_t cudaGetDeviceCount(int* count) {
  if (count == nullptr) return noted(cudaErrorInvalidValue);
  const Faults now = faults();
  if (now.driver < kRuntimeVersion) return noted(cudaErrorInsufficientDriver);
  *count = now.devices;
  return now.devices > 0 ? cudaSuccess : noted(cudaErrorNoDevice);
}

cudaError_t cudaSetDevice(int device) {
  return noted(device == 0 ? cudaSuccess : cudaErrorInvalidDevice);
}

cudaError_t cudaGetDevice(int* device) {
  if (device == nullptr) return noted(cudaErrorInvalidValue);
  *device = 0;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (properties == nullptr) return noted(cudaErrorInvalidValue);
  if (device != 0) return noted(cudaErrorInvalidDevice);
  *properties = {};
  std::strncpy(properties->name, "host emulation", sizeof(properties->name) - 1);
  properties->totalGlobalMem = faults().memory;
  properties->sharedMemPerBlock = kStaticSharedBytes;
  properties->sharedMemPerBlockOptin = kDynamicSharedBytes;
  properties->major = faults().capability / 10;
  properties->minor = faults().capability % 10;
  properties->multiProcessorCount = 108;
  properties->warpSize = 32;
  properties->maxThreadsPerBlock = 1024;
  properties->l2CacheSize = 40 << 20;
  properties->regsPerBlock = 65536;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  cudaDeviceProp properties;
  if (value == nullptr) return noted(cudaErrorInvalidValue);
  if (const cudaError_t error = cudaGetDeviceProperties(&properties, device); error != cudaSuccess) return error;
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount:
      *value = properties.multiProcessorCount;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
      *value = properties.major;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
      *value = properties.minor;
      return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = static_cast<int>(properties.sharedMemPerBlockOptin);
      return cudaSuccess;
  }
  return noted(cudaErrorInvalidValue);
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = faults().driver;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = kRuntimeVersion;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** pointer, std::size_t bytes) {
  return call([&](Runtime& runtime) {
    if (pointer == nullptr) return cudaErrorInvalidValue;
    *pointer = nullptr;
    for (const auto& capture : runtime.captures) {
      if (capture->mode != cudaStreamCaptureModeRelaxed) return runtime.forbid_capture();
    }
    if (bytes == 0) return cudaSuccess;
    Heap& heap = device_heap();
    const std::size_t memory = faults().memory;
    if (fault_due(&Faults::allocation) || bytes > memory || heap.in_use > memory - bytes) {
      return cudaErrorMemoryAllocation;
    }
    *pointer = heap.allocate(bytes);
    return *pointer != nullptr ? cudaSuccess : cudaErrorMemoryAllocation;
  });
}

cudaError_t cudaFree(void* pointer) {
  return call([&](Runtime& runtime) {
    if (pointer == nullptr) return cudaSuccess;
    if (const cudaError_t error = runtime.forbid_capture(); error != cudaSuccess) return error;
    const cudaError_t error = runtime.run_everything();
    if (!device_heap().release(pointer)) return cudaErrorInvalidValue;
    return error;
  });
}

cudaError_t cudaMallocHost(void** pointer, std::size_t bytes) {
  return cudaHostAlloc(pointer, bytes, 0);
}

cudaError_t cudaHostAlloc(void** pointer, std::size_t bytes, unsigned) {
  return call([&](Runtime&) {
    if (pointer == nullptr) return cudaErrorInvalidValue;
    *pointer = bytes > 0 ? pinned_heap().allocate(bytes) : nullptr;
    return *pointer != nullptr || bytes == 0 ? cudaSuccess : cudaErrorMemoryAllocation;
  });
}

cudaError_t cudaFreeHost(void* pointer) {
  return call([&](Runtime& runtime) {
    if (pointer == nullptr) return cudaSuccess;
    const cudaError_t error = runtime.run_everything();
    if (!pinned_heap().release(pointer)) return cudaErrorInvalidValue;
    return error;
  });
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  return call([&](Runtime&) {
    if (free == nullptr || total == nullptr) return cudaErrorInvalidValue;
    *total = faults().memory;
    *free = *total - std::min(*total, device_heap().in_use);
    return cudaSuccess;
  });
}

cudaError_t cudaMemcpy(void* target, const void* source, std::size_t bytes, cudaMemcpyKind kind) {
  const cudaError_t error = cudaMemcpyAsync(target, source, bytes, kind, nullptr);
  return error != cudaSuccess ? error : cudaStreamSynchronize(nullptr);
}

cudaError_t cudaMemcpyAsync(void* target, const void* source, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  if (const cudaError_t error = call([&](Runtime&) { return check_copy(target, source, bytes, kind); });
      error != cudaSuccess) {
    return error;
  }
  return enqueue(stream, [=] {
    if (bytes > 0) std::memmove(target, source, bytes);
  });
}

cudaError_t cudaMemset(void* target, int value, std::size_t bytes) {
  return cudaMemsetAsync(target, value, bytes);
}

cudaError_t cudaMemsetAsync(void* target, int value, std::size_t bytes, cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  const bool fits = device_heap().holds(target, bytes);
  if (!fits) return noted(cudaErrorInvalidValue);
  return enqueue(stream, [=] {
    if ((value & 0xff) == kPoison) {
      poison(static_cast<std::byte*>(target), bytes);
    } else {
      std::memset(target, value, bytes);
    }
  });
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  return call([&](Runtime&) {
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 ||
        static_cast<std::size_t>(value) > kDynamicSharedBytes) {
      return cudaErrorInvalidValue;
    }
    allowances()[kernel] = static_cast<std::size_t>(value);
    return cudaSuccess;
  });
}
