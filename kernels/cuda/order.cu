#include "kernels/checks.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/group.h"
#include "kernels/require_f32.h"

// The order of the elements of a row: the largest, or the one of a given rank, through integer keys in the order of the
// floats.

namespace counterfoil::cuda {

namespace {

/// A key with the order of floats, NaN above all; the two zeros are one.
__device__ __forceinline__ unsigned key_of(float x) {
  if (x != x) return 0xffffffffu;
  const unsigned bits = __float_as_uint(x + 0.0f);
  return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}
__device__ __forceinline__ float float_of(unsigned key) {
  return __uint_as_float((key & 0x80000000u) != 0 ? key & 0x7fffffffu : ~key);
}

struct Largest {
  __device__ static unsigned long long join(unsigned long long a, unsigned long long b) { return a > b ? a : b; }
};

/// A warp for each row. The key's lower half falls with the position, so the first of equals is the largest.
__global__ void __launch_bounds__(kThreads) argmax_kernel(std::int32_t* __restrict__ index, const float* __restrict__ x,
                                                          std::int64_t rows, std::int64_t columns) {
  const std::int64_t lane = threadIdx.x % 32;
  for (std::int64_t row = first_item() / 32; row < rows; row += item_stride() / 32) {
    unsigned long long best = 0;
    for (std::int64_t j = lane; j < columns; j += 32) {
      const unsigned long long key = key_of(x[row * columns + j]);
      best = Largest::join(best, key << 32 | (0xffffffffu - static_cast<unsigned>(j)));
    }
    best = group_join<32, Largest>(best, static_cast<unsigned long long*>(nullptr));
    if (lane == 0) index[row] = static_cast<std::int32_t>(0xffffffffu - static_cast<unsigned>(best));
  }
}

/// Radix selection, a block for each row: four passes fix a byte of the key each, from the highest. A pass counts the
/// next byte of the elements that agree so far, and finds the byte whose elements hold the rank.
__global__ void __launch_bounds__(kThreads)
    order_statistic_kernel(float* __restrict__ out, const float* __restrict__ x, std::int64_t rows,
                           std::int64_t columns, unsigned rank) {
  SHARED_ARRAY(unsigned, bins, [256]);
  SHARED_ARRAY(unsigned, chosen, [2]);  // the byte, and the rank among its elements
  const unsigned me = threadIdx.x;
  for (std::int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    unsigned fixed = 0, mask = 0, left = rank;
    for (int shift = 24; shift >= 0; shift -= 8) {
      bins[me] = 0;
      __syncthreads();
      for (std::int64_t j = me; j < columns; j += kThreads) {
        const unsigned key = key_of(x[row * columns + j]);
        if ((key & mask) == fixed) atomicAdd(&bins[key >> shift & 255u], 1u);
      }
      __syncthreads();
      if (me < 32) {  // eight bins a lane
        unsigned sum = 0;
        for (unsigned b = 8 * me; b < 8 * me + 8; ++b) sum += bins[b];
        unsigned upto = sum;
        for (unsigned distance = 1; distance < 32; distance *= 2) {
          const unsigned before = __shfl_up_sync(0xffffffffu, upto, distance);
          if (me >= distance) upto += before;
        }
        unsigned below = upto - sum;
        if (left >= below && left < upto) {
          unsigned b = 8 * me;
          while (left >= below + bins[b]) below += bins[b++];
          chosen[0] = b;
          chosen[1] = left - below;
        }
      }
      __syncthreads();
      fixed |= chosen[0] << shift;
      mask |= 255u << shift;
      left = chosen[1];
    }
    if (me == 0) out[row] = float_of(fixed);
    __syncthreads();
  }
}

}  // namespace

void CudaBackend::argmax(View index, ConstView x) {
  check::argmax(index, x);
  require_f32("argmax", x);
  launch(argmax_kernel, blocks_for(x.shape[0] * 32), kThreads, 0, stream_, index.as<std::int32_t>(), x.as<float>(),
         x.shape[0], x.shape[1]);
}

void CudaBackend::order_statistic(View out, ConstView x, std::int64_t k) {
  check::order_statistic(out, x, k);
  require_f32("order_statistic", out);
  const std::int64_t rows = x.shape[0], columns = x.shape[1];
  if (columns >= std::int64_t{1} << 32) fail("order_statistic: expected fewer than 2^32 columns, found {}", columns);
  static_assert(kThreads == 256, "a thread for each value of a byte");
  launch(order_statistic_kernel, blocks_for(rows, 1), kThreads, 0, stream_, out.as<float>(), x.as<float>(), rows,
         columns, static_cast<unsigned>(k));
}

}  // namespace counterfoil::cuda
