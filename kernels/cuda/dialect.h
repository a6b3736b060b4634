#pragma once

// The one header of every source in kernels/cuda: CUDA as this project writes it. It has two backends. Under nvcc it is
// plain CUDA; with COUNTERFOIL_SIMT defined (linking counterfoil_simt defines it) the same source is compiled by the
// host compiler and executed by kernels/simt.
//
// Host side
//   launch(kernel, grid, block, shared_bytes, stream, arguments...)
//                              the only way to start a kernel: converts the arguments to the kernel's parameter types,
//                              opens an NVTX range, asks for large dynamic shared memory where needed, checks the
//                              launch (throws Error naming the kernel). An empty grid launches nothing.
//   check(status, "call")      throws Error unless status is cudaSuccess, naming the call and the operator at work
//   cuda*                      the runtime calls declared in kernels/simt/runtime.h, with CUDA's names and meaning
//
// Kernel side
//   __global__ __device__ __host__ __forceinline__ __launch_bounds__(threads, blocks) __restrict__
//   threadIdx blockIdx blockDim gridDim warpSize
//   SHARED_ARRAY(float, tile, [32][33]);   a static shared array, 16-byte aligned; no __shared__ elsewhere
//   SHARED_DYN(float, buffer);             float* to the launch's dynamic shared memory
//   __syncthreads() __syncwarp(mask)
//   __shfl_sync __shfl_up_sync __shfl_down_sync __shfl_xor_sync (values of up to 8 bytes)
//   __ballot_sync __any_sync __all_sync __activemask
//   atomicAdd Sub Min Max And Or Xor Exch CAS on int, unsigned, unsigned long long (global or shared) and __threadfence
//   float2 float4 int2 int4 uint2 uint4 ... and make_*; a 16-byte vector needs a 16-byte aligned address
//   __ldg __ldcs __ldcg __stcs __stcg
//   math.h in float and double, min max, rsqrtf, __expf __logf __powf __sinf __cosf __fdividef __frcp_rn __fmaf_rn ...
//   __float_as_int and family, __float2int_rn and family, __popc __clz __ffs __brev __umulhi and their 64-bit forms
//   __nv_bfloat16 and __nv_bfloat162: conversions and loads; compute in float
//   kernels/cuda/tensor_core.h adds asynchronous copies to shared memory and matrix fragments
//
// Rules, because both compilers and the checks need them
//   * No <<<>>>, __shared__, __constant__, float atomics, cooperative groups, CUB, extended lambdas (write a functor),
//     memcpy in kernels, dynamic parallelism, or inline PTX outside kernels/cuda/tensor_core.h.
//   * Every thread of a block reaches every __syncthreads(), at the same line: no early return before a barrier, guard
//     the work instead. Lanes that take part in a warp operation exist and are named in its mask, all with one mask;
//     a lane outside the mask reads as poison.
//   * Lanes see each other's writes to memory only after __syncwarp() or __syncthreads(); shuffles do not order memory.
//   * Blocks of one launch share global memory only through integer atomics: what one block writes, another does not
//     read in the same launch.
//   * Kernel locals are trivial types of at most a few KiB; kernels do not throw.

#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "kernels/error.h"

#if defined(COUNTERFOIL_SIMT)
#include "kernels/simt/bf16.h"
#include "kernels/simt/intrinsics.h"
#include "kernels/simt/profiler_ranges.h"
#include "kernels/simt/runtime.h"
#include "kernels/simt/tensor_core.h"
#include "kernels/simt/thread.h"
#include "kernels/simt/vector_types.h"
#else
#include <cstdlib>

#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <cxxabi.h>
#include <nvtx3/nvToolsExt.h>
#endif

#if defined(COUNTERFOIL_SIMT)

#define SHARED_ARRAY(T, name, extents)           \
  static const char counterfoil_site_##name = 0; \
  T(&name)                                       \
  extents = *reinterpret_cast<T(*) extents>(     \
      ::counterfoil::simt::shared_array(&counterfoil_site_##name, sizeof(T extents), #name, __FILE__, __LINE__))
#define SHARED_DYN(T, name) T* const name = static_cast<T*>(::counterfoil::simt::dynamic_shared())

#elif defined(__CUDACC__)

#define SHARED_ARRAY(T, name, extents) __shared__ __align__(16) T name extents
#define SHARED_DYN(T, name)                                            \
  extern __shared__ __align__(16) unsigned char counterfoil_dynamic[]; \
  T* const name = reinterpret_cast<T*>(counterfoil_dynamic)

#endif

namespace counterfoil::cuda {

/// The primitive at work on this thread, as kernels/backend.h names it; empty outside of one.
inline std::string_view& current_operator() {
  thread_local std::string_view name;
  return name;
}

/// Throws Error "cuda: OPERATOR: CALL: NAME: TEXT" unless status is cudaSuccess.
inline void check(cudaError_t status, std::string_view call) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // so that an error thrown here is not met again by the next check
  const std::string_view at_work = current_operator();
  fail("cuda: {}{}{}: {}: {}", at_work, at_work.empty() ? "" : ": ", call, cudaGetErrorName(status),
       cudaGetErrorString(status));
}

/// The readable name of a kernel, template arguments included: "scale_kernel<float>". Found once by each thread: every
/// launch asks for it.
inline const std::string& kernel_name(const void* kernel) {
  thread_local std::unordered_map<const void*, std::string> known;
  std::string& name = known[kernel];
  if (!name.empty()) return name;
#if defined(COUNTERFOIL_SIMT)
  name = simt::function_name(kernel);
#else
  const char* mangled = nullptr;
  if (cudaFuncGetName(&mangled, kernel) != cudaSuccess || mangled == nullptr) mangled = "unknown kernel";
  char* readable = abi::__cxa_demangle(mangled, nullptr, nullptr, nullptr);
  name = readable != nullptr ? readable : mangled;
  std::free(readable);
#endif
  return name;
}

/// A named range in the profiler's timeline, for the life of the object.
class Range {
 public:
  explicit Range(const char* name) { nvtxRangePushA(name); }
  ~Range() { nvtxRangePop(); }
  Range(const Range&) = delete;
  Range& operator=(const Range&) = delete;
};

/// Starts a kernel on a stream; the arguments are copied now. Throws Error naming the kernel and the geometry when the
/// launch is refused; an error while it runs is met by the next call that waits.
template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes, cudaStream_t stream,
            const Arguments&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments), "launch: as many arguments as the kernel takes");
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  const void* address = reinterpret_cast<const void*>(kernel);
  const auto checked = [&](cudaError_t status) {
    if (status == cudaSuccess) return;
    check(status, fmt::format("launch of {} with grid {}x{}x{}, block {}x{}x{}, {} bytes of shared memory",
                              kernel_name(address), grid.x, grid.y, grid.z, block.x, block.y, block.z, shared_bytes));
  };
  constexpr std::size_t kSharedWithoutAsking = 48 * 1024;
  if (shared_bytes > kSharedWithoutAsking) {
    checked(cudaFuncSetAttribute(address, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)));
  }
#if defined(COUNTERFOIL_SIMT)
  checked(simt::launch_kernel(
      address, grid, block, shared_bytes, stream,
      [kernel, ... values = Parameters(simt::converted<Parameters>(arguments))] { kernel(values...); }));
#else
  std::tuple<Parameters...> values(arguments...);
  std::apply(
      [&](auto&... value) {
        void* pointers[] = {static_cast<void*>(&value)..., nullptr};
        const Range range(kernel_name(address).c_str());
        checked(cudaLaunchKernel(address, grid, block, pointers, shared_bytes, stream));
      },
      values);
#endif
}

}  // namespace counterfoil::cuda
