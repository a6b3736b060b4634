#include "kernels/cuda/tensor_core.h"
#include "tests/simt/correct.h"

namespace counterfoil::simt_test {
namespace {

__device__ unsigned packed(float low, float high) {
  return __bfloat16_as_ushort(__float2bfloat16(low)) |
         static_cast<unsigned>(__bfloat16_as_ushort(__float2bfloat16(high))) << 16;
}

__global__ void product_bf16_kernel(float* out, const float* a, const float* b) {
  const int group = threadIdx.x / 4, member = threadIdx.x % 4;
  unsigned a_words[4], b_words[2];
  for (int i = 0; i < 4; ++i) {
    const float* at = a + (group + i % 2 * 8) * 16 + 2 * member + i / 2 * 8;
    a_words[i] = packed(at[0], at[1]);
  }
  for (int i = 0; i < 2; ++i) {
    const float* at = b + (2 * member + i * 8) * 8 + group;
    b_words[i] = packed(at[0], at[8]);
  }
  float d[4] = {1.0f, 1.0f, 1.0f, 1.0f};
  cuda::mma_bf16(d, a_words, b_words);
  for (int i = 0; i < 4; ++i) out[(group + i / 2 * 8) * 8 + 2 * member + i % 2] = d[i];
}

__global__ void product_tf32_kernel(float* out, const float* a, const float* b) {
  const int group = threadIdx.x / 4, member = threadIdx.x % 4;
  unsigned a_words[4], b_words[2];
  for (int i = 0; i < 4; ++i) a_words[i] = cuda::to_tf32(a[(group + i % 2 * 8) * 8 + member + i / 2 * 4]);
  for (int i = 0; i < 2; ++i) b_words[i] = cuda::to_tf32(b[(member + i * 4) * 8 + group]);
  float d[4] = {1.0f, 1.0f, 1.0f, 1.0f};
  cuda::mma_tf32(d, a_words, b_words);
  for (int i = 0; i < 4; ++i) out[(group + i / 2 * 8) * 8 + 2 * member + i % 2] = d[i];
}

/// out [64] = sums over `tiles` tiles of 64 floats, the next tile on its way while one is added.
template <bool kWait>
__global__ void pipeline_kernel(float* out, const float* x, int tiles) {
  SHARED_ARRAY(float, stage, [2][64]);
  const int t = threadIdx.x;
  float sum = 0.0f;
  cuda::async_copy<4>(&stage[0][t], x + t);
  cuda::async_commit();
  for (int tile = 0; tile < tiles; ++tile) {
    const bool more = tile + 1 < tiles;
    cuda::async_copy<4>(&stage[(tile + 1) % 2][t], x + (more ? tile + 1 : 0) * 64 + t, more);
    cuda::async_commit();
    if (kWait) cuda::async_wait<1>();
    __syncthreads();
    sum += stage[tile % 2][63 - t];
    __syncthreads();
  }
  out[63 - t] = sum;
}

}  // namespace

void product_bf16(float* out, const float* a, const float* b, cudaStream_t stream) {
  cuda::launch(product_bf16_kernel, 1, 32, 0, stream, out, a, b);
}
void product_tf32(float* out, const float* a, const float* b, cudaStream_t stream) {
  cuda::launch(product_tf32_kernel, 1, 32, 0, stream, out, a, b);
}
void pipeline(float* out, const float* x, int tiles, bool wait, cudaStream_t stream) {
  cuda::launch(wait ? pipeline_kernel<true> : pipeline_kernel<false>, 1, 64, 0, stream, out, x, tiles);
}

}  // namespace counterfoil::simt_test
