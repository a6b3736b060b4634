#pragma once

#include "kernels/cuda/dialect.h"

// Kernels that use every feature of the dialect as they should.
namespace counterfoil::simt_test {

/// out [blocks] = sums of x [n] by 256 threads each: strided sums, shuffles, then the warps' sums through shared
/// memory.
void block_sum(float* out, const float* x, int n, int blocks, cudaStream_t stream);
/// c [m,n] = a [m,k] b [k,n] by 16x16 tiles in shared memory.
void tiled_matmul(float* c, const float* a, const float* b, int m, int k, int n, cudaStream_t stream);
/// Keeps the positive elements of x [n] in order: kept [n], and their number in count [1]. n <= 1024, one block.
void compact(float* kept, int* count, const float* x, int n, cudaStream_t stream);
/// Inclusive sums within each group of 32: out [n], n a multiple of 32.
void warp_scan(int* out, const int* x, int n, cudaStream_t stream);
/// bins [256] += occurrences of each byte of x [n]: shared bins per block, then integer atomics.
void histogram(unsigned* bins, const unsigned char* x, int n, cudaStream_t stream);
/// out [n] = x [n] reversed within groups of 32 through dynamic shared memory, ordered by __syncwarp alone.
void warp_reverse(float4* out, const float4* x, int n, cudaStream_t stream);
/// y [n] = bf16(scale * x), in a kernel without barriers.
void scale_to_bf16(__nv_bfloat16* y, const float* x, float scale, int n, cudaStream_t stream);
/// out [4 * 32]: per lane the results of shfl (groups of 8), shfl_up, shfl_down, shfl_xor (groups of 16) of the lane.
void shuffles(int* out, cudaStream_t stream);
/// x[0] = 1 + its old value, with `bytes` of dynamic shared memory.
void touch(int* x, std::size_t bytes, cudaStream_t stream);

/// out [16,8] = 1 + a [16,16] b [16,8], rounded to bf16, or a [16,8] b [8,8], rounded to tf32, by one warp.
void product_bf16(float* out, const float* a, const float* b, cudaStream_t stream);
void product_tf32(float* out, const float* a, const float* b, cudaStream_t stream);
/// out [64] = sum over the tiles of x [tiles,64] through asynchronous copies, waited for or (wrongly) not.
void pipeline(float* out, const float* x, int tiles, bool wait, cudaStream_t stream);

}  // namespace counterfoil::simt_test
