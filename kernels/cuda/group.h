#pragma once

#include "kernels/cuda/dialect.h"
#include "kernels/cuda/grid.h"
#include "kernels/pointwise.h"

// Joining the values of a warp or a block, in a fixed order.

namespace counterfoil::cuda {

struct Sum {
  COUNTERFOIL_HOST_DEVICE static float first() { return 0; }
  COUNTERFOIL_HOST_DEVICE static float join(float a, float b) { return a + b; }
};
/// NaN wins.
struct Maximum {
  COUNTERFOIL_HOST_DEVICE static float first() { return -INFINITY; }
  COUNTERFOIL_HOST_DEVICE static float join(float a, float b) { return pointwise::maximum(a, b); }
};
struct Minimum {
  COUNTERFOIL_HOST_DEVICE static float first() { return INFINITY; }
  COUNTERFOIL_HOST_DEVICE static float join(float a, float b) { return pointwise::minimum(a, b); }
};

#if defined(COUNTERFOIL_SIMT) || defined(__CUDACC__)

/// The values of a group of `lanes` consecutive threads, a warp or a whole block of kThreads, joined; every thread gets
/// the result. All threads of the block take part. `shared` holds one value per warp.
template <int lanes, typename Join, typename T>
__device__ __forceinline__ T group_join(T value, T* shared) {
  static_assert(lanes == 32 || lanes == kThreads);
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    value = Join::join(value, __shfl_xor_sync(0xffffffffu, value, distance));
  }
  if constexpr (lanes > 32) {
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
    __syncthreads();
    value = shared[0];
#pragma unroll
    for (int warp = 1; warp < lanes / 32; ++warp) value = Join::join(value, shared[warp]);
    __syncthreads();  // before shared is written again
  }
  return value;
}

#endif

}  // namespace counterfoil::cuda
