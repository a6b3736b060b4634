#include "tests/simt/planted.h"

namespace counterfoil::simt_test {
namespace {

constexpr unsigned kAll = 0xffffffffu;

__global__ void missing_barrier_kernel(float* data) {
  SHARED_ARRAY(float, tile, [64]);
  const int t = threadIdx.x;
  tile[t] = static_cast<float>(t);  // WITH: missing_barrier
  data[t] = tile[(t + 32) % 64];    // BUG: missing_barrier
}

__global__ void block_race_kernel(float* data) {
  SHARED_ARRAY(int, count, [1]);
  if (threadIdx.x == 0) count[0] = 0;
  __syncthreads();
  count[0] += 1;  // BUG: block_race
  __syncthreads();
  if (threadIdx.x == 0) data[0] = static_cast<float>(count[0]);
}

__global__ void cross_block_kernel(float* data) {
  if (threadIdx.x == 0) data[0] += 1.0f;  // BUG: cross_block
}

__global__ void missing_syncwarp_kernel(float* data) {
  SHARED_ARRAY(float, tile, [64]);
  const int t = threadIdx.x;
  tile[t] = static_cast<float>(t);
  if (t >= 32) __syncwarp();
  data[t] = tile[t ^ 1];  // BUG: missing_syncwarp
}

__global__ void overflow_kernel(float* data) {
  SHARED_ARRAY(float, first, [60]);
  SHARED_ARRAY(float, second, [64]);
  second[threadIdx.x] = 1.0f;
  float* const row = first;
  row[threadIdx.x] = data[threadIdx.x];  // BUG: overflow
  __syncthreads();
  data[threadIdx.x] = first[0] + second[threadIdx.x];
}

__global__ void divergent_barrier_kernel(float* data) {
  if (threadIdx.x < 32) {
    __syncthreads();
    data[threadIdx.x] = 1.0f;
  } else {
    __syncthreads();  // BUG: divergent_barrier
    data[threadIdx.x] = 2.0f;
  }
}

__global__ void skipped_barrier_kernel(float* data) {
  if (threadIdx.x == 40) return;
  __syncthreads();  // BUG: skipped_barrier
  data[threadIdx.x] = 1.0f;
}

__global__ void not_in_mask_kernel(float* data) {
  data[threadIdx.x] = __shfl_xor_sync(0x0000ffffu, 1.0f, 1);  // BUG: not_in_mask
}

__global__ void exited_lane_kernel(float* data) {
  if (threadIdx.x % 32 == 0) return;
  data[threadIdx.x] = __shfl_down_sync(kAll, 1.0f, 1);  // BUG: exited_lane
}

__global__ void exits_later_kernel(float* data) {
  if (threadIdx.x % 32 == 31) return;
  data[threadIdx.x] = __shfl_down_sync(kAll, 1.0f, 1);  // BUG: exits_later
}

__global__ void shuffle_deadlock_kernel(float* data) {
  if (threadIdx.x % 32 < 16) {
    data[threadIdx.x] = __shfl_xor_sync(kAll, 1.0f, 1);  // BUG: shuffle_deadlock
  }
  __syncthreads();
}

__global__ void divergent_shuffle_kernel(float* data) {
  if (threadIdx.x % 2 == 0) {
    data[threadIdx.x] = __shfl_xor_sync(kAll, 1.0f, 1);
  } else {
    data[threadIdx.x] = __shfl_xor_sync(kAll, 1.0f, 1);  // BUG: divergent_shuffle
  }
}

__global__ void uninitialised_kernel(float* data) {
  SHARED_ARRAY(float, tile, [64]);
  if (threadIdx.x != 5) tile[threadIdx.x] = 1.0f;
  __syncthreads();
  data[threadIdx.x] = tile[63 - threadIdx.x];  // BUG: uninitialised
}

__global__ void unshuffled_kernel(float* data) {
  float value = 1.0f;
  if (threadIdx.x < 16) value = __shfl_down_sync(0x0000ffffu, value, 8);
  data[threadIdx.x] = value;
}

__global__ void too_much_shared_kernel(float* data) {
  SHARED_ARRAY(float, half, [6 * 1024]);
  SHARED_ARRAY(float, other_half, [6 * 1024]);
#if defined(COUNTERFOIL_SIMT)
  SHARED_ARRAY(float, too_much, [1]);  // BUG: too_much_shared
  too_much[0] = 0.0f;
#endif
  half[threadIdx.x] = other_half[threadIdx.x] = data[threadIdx.x];
}

__global__ void traffic_kernel(float* out, const float* x) {
  SHARED_ARRAY(float, tile, [32][32]);
  SHARED_ARRAY(float, padded, [32][33]);
  const int t = threadIdx.x;
  const float in_order = x[t];                                                                   // LINE: in_order
  const float strided = x[t * 32];                                                               // LINE: strided
  tile[t][0] = in_order;                                                                         // LINE: conflict
  padded[t][0] = strided;                                                                        // LINE: padded
  reinterpret_cast<float4*>(out)[t] = make_float4(in_order, strided, tile[t][0], padded[t][0]);  // LINE: vector
}

__global__ void misaligned_kernel(float* data) {
  const float value = data[threadIdx.x];
  if (threadIdx.x != 3) return;
  reinterpret_cast<float4*>(data + 9)[0] = make_float4(value, 2 * value, 3 * value, 4 * value);  // BUG: misaligned
}

}  // namespace

void plant(Bug bug, float* data, int blocks, cudaStream_t stream) {
  const auto run = [&](void (*kernel)(float*)) {
    cuda::launch(kernel, static_cast<unsigned>(blocks), 64, 0, stream, data);
  };
  switch (bug) {
    case Bug::none:
      return;
    case Bug::missing_barrier:
      return run(missing_barrier_kernel);
    case Bug::block_race:
      return run(block_race_kernel);
    case Bug::cross_block:
      return run(cross_block_kernel);
    case Bug::missing_syncwarp:
      return run(missing_syncwarp_kernel);
    case Bug::overflow:
      return run(overflow_kernel);
    case Bug::divergent_barrier:
      return run(divergent_barrier_kernel);
    case Bug::skipped_barrier:
      return run(skipped_barrier_kernel);
    case Bug::not_in_mask:
      return run(not_in_mask_kernel);
    case Bug::exited_lane:
      return run(exited_lane_kernel);
    case Bug::exits_later:
      return run(exits_later_kernel);
    case Bug::shuffle_deadlock:
      return run(shuffle_deadlock_kernel);
    case Bug::divergent_shuffle:
      return run(divergent_shuffle_kernel);
    case Bug::uninitialised:
      return run(uninitialised_kernel);
    case Bug::unshuffled:
      return run(unshuffled_kernel);
    case Bug::too_much_shared:
      return run(too_much_shared_kernel);
    case Bug::misaligned:
      return run(misaligned_kernel);
  }
}

void traffic(float* out, const float* x, cudaStream_t stream) {
  cuda::launch(traffic_kernel, 1, 32, 0, stream, out, x);
}

}  // namespace counterfoil::simt_test
