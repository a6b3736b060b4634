#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cuda/dialect.h"

// How work is spread over a grid: kernels stride, so any grid is right and blocks_for is large enough; or each block
// has its own piece, which its number names.

namespace counterfoil::cuda {

inline constexpr int kThreads = 256;  ///< of a block, where nothing asks for another number

/// Blocks for `items` threads' worth of work, at most sixteen for each multiprocessor of the largest GPU.
inline unsigned blocks_for(std::int64_t items, int threads = kThreads) {
  constexpr std::int64_t kMost = 16 * 144;
  return static_cast<unsigned>(std::min((items + threads - 1) / threads, kMost));
}

/// A block for each piece. Throws Error where one launch cannot hold them.
inline unsigned block_each(std::int64_t pieces) {
  constexpr std::int64_t kMost = 0x7fffffff;
  if (pieces > kMost) fail("cuda: work in {} blocks; one launch holds at most {}", pieces, kMost);
  return static_cast<unsigned>(pieces);
}

#if defined(COUNTERFOIL_SIMT) || defined(__CUDACC__)

/// for (std::int64_t i = first_item(); i < count; i += item_stride())
__device__ __forceinline__ std::int64_t first_item() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ __forceinline__ std::int64_t item_stride() {
  return static_cast<std::int64_t>(gridDim.x) * blockDim.x;
}

#endif

}  // namespace counterfoil::cuda
