#include "tests/simt/correct.h"

namespace counterfoil::simt_test {
namespace {

constexpr unsigned kAll = 0xffffffffu;

unsigned blocks_for(int n, int threads) {
  return static_cast<unsigned>((n + threads - 1) / threads);
}

__device__ __forceinline__ float warp_sum(float value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_down_sync(kAll, value, offset);
  return value;
}

__global__ void __launch_bounds__(256) block_sum_kernel(float* out, const float* __restrict__ x, int n) {
  SHARED_ARRAY(float, sums, [8]);
  float sum = 0.0f;
  for (int i = blockIdx.x * 256 + threadIdx.x; i < n; i += gridDim.x * 256) sum += __ldg(x + i);
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x < 32) {
    sum = warp_sum(threadIdx.x < 8 ? sums[threadIdx.x] : 0.0f);
    if (threadIdx.x == 0) out[blockIdx.x] = sum;
  }
}

template <typename T, int kTile>
__global__ void __launch_bounds__(kTile* kTile)
    matmul_tiled_kernel(T* c, const T* __restrict__ a, const T* __restrict__ b, int m, int k, int n) {
  SHARED_ARRAY(T, a_tile, [kTile][kTile + 1]);
  SHARED_ARRAY(T, b_tile, [kTile][kTile]);
  const int row = blockIdx.y * kTile + threadIdx.y, column = blockIdx.x * kTile + threadIdx.x;
  T sum = 0;
  for (int base = 0; base < k; base += kTile) {
    const int a_column = base + static_cast<int>(threadIdx.x), b_row = base + static_cast<int>(threadIdx.y);
    a_tile[threadIdx.y][threadIdx.x] = row < m && a_column < k ? a[row * k + a_column] : T(0);
    b_tile[threadIdx.y][threadIdx.x] = b_row < k && column < n ? b[b_row * n + column] : T(0);
    __syncthreads();
    for (int i = 0; i < kTile; ++i) sum = fmaf(a_tile[threadIdx.y][i], b_tile[i][threadIdx.x], sum);
    __syncthreads();
  }
  if (row < m && column < n) c[row * n + column] = sum;
}

__global__ void compact_kernel(float* kept, int* count, const float* x, int n) {
  SHARED_ARRAY(int, warp_counts, [32]);
  const int i = threadIdx.x, warp = i / 32, lane = i % 32;
  const bool keep = i < n && x[i] > 0.0f;
  const unsigned votes = __ballot_sync(kAll, keep);
  if (lane == 0) warp_counts[warp] = __popc(votes);
  __syncthreads();
  int before = __popc(votes & ((1u << lane) - 1));
  for (int w = 0; w < warp; ++w) before += warp_counts[w];
  if (keep) kept[before] = x[i];
  if (i == static_cast<int>(blockDim.x) - 1) *count = before + (keep ? 1 : 0);
}

__global__ void warp_scan_kernel(int* out, const int* x, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x % 32;
  int sum = i < n ? x[i] : 0;
  for (int offset = 1; offset < 32; offset *= 2) {
    const int other = __shfl_up_sync(kAll, sum, offset);
    if (lane >= offset) sum += other;
  }
  if (i < n) out[i] = sum;
}

__global__ void histogram_kernel(unsigned* bins, const unsigned char* x, int n) {
  SHARED_ARRAY(unsigned, local, [256]);
  for (int b = threadIdx.x; b < 256; b += blockDim.x) local[b] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&local[x[i]], 1u);
  __syncthreads();
  for (int b = threadIdx.x; b < 256; b += blockDim.x) {
    if (local[b] > 0) atomicAdd(&bins[b], local[b]);
  }
}

__global__ void warp_reverse_kernel(float4* out, const float4* x, int n) {
  SHARED_DYN(float4, buffer);
  const int i = blockIdx.x * blockDim.x + threadIdx.x, first = threadIdx.x / 32 * 32, lane = threadIdx.x % 32;
  if (i < n) buffer[threadIdx.x] = x[i];
  __syncwarp();
  if (i < n) out[i] = buffer[first + 31 - lane];
}

__global__ void scale_to_bf16_kernel(__nv_bfloat16* y, const float* x, float scale, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = __float2bfloat16(scale * x[i]);
}

__global__ void shuffles_kernel(int* out) {
  const int lane = threadIdx.x;
  out[lane] = __shfl_sync(kAll, lane, 9, 8);
  out[32 + lane] = __shfl_up_sync(kAll, lane, 3, 16);
  out[64 + lane] = __shfl_down_sync(kAll, lane, 5);
  out[96 + lane] = __shfl_xor_sync(kAll, lane, 16, 16) * 100 + __shfl_xor_sync(kAll, lane, 5, 16);
}

__global__ void touch_kernel(int* x) {
  x[0] += 1;
}

}  // namespace

void block_sum(float* out, const float* x, int n, int blocks, cudaStream_t stream) {
  cuda::launch(block_sum_kernel, static_cast<unsigned>(blocks), 256, 0, stream, out, x, n);
}
void tiled_matmul(float* c, const float* a, const float* b, int m, int k, int n, cudaStream_t stream) {
  cuda::launch(matmul_tiled_kernel<float, 16>, dim3(blocks_for(n, 16), blocks_for(m, 16)), dim3(16, 16), 0, stream, c,
               a, b, m, k, n);
}
void compact(float* kept, int* count, const float* x, int n, cudaStream_t stream) {
  cuda::launch(compact_kernel, 1, blocks_for(n, 32) * 32, 0, stream, kept, count, x, n);
}
void warp_scan(int* out, const int* x, int n, cudaStream_t stream) {
  cuda::launch(warp_scan_kernel, blocks_for(n, 128), 128, 0, stream, out, x, n);
}
void histogram(unsigned* bins, const unsigned char* x, int n, cudaStream_t stream) {
  cuda::launch(histogram_kernel, 7, 128, 0, stream, bins, x, n);
}
void warp_reverse(float4* out, const float4* x, int n, cudaStream_t stream) {
  cuda::launch(warp_reverse_kernel, blocks_for(n, 64), 64, 64 * sizeof(float4), stream, out, x, n);
}
void scale_to_bf16(__nv_bfloat16* y, const float* x, float scale, int n, cudaStream_t stream) {
  cuda::launch(scale_to_bf16_kernel, blocks_for(n, 256), 256, 0, stream, y, x, scale, n);
}
void shuffles(int* out, cudaStream_t stream) {
  cuda::launch(shuffles_kernel, 1, 32, 0, stream, out);
}
void touch(int* x, std::size_t bytes, cudaStream_t stream) {
  cuda::launch(touch_kernel, 1, 1, bytes, stream, x);
}

}  // namespace counterfoil::simt_test
