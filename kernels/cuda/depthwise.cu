#include <algorithm>

#include "kernels/cuda/convolution.h"
#include "kernels/cuda/image_index.h"

// One channel per group: a window of R S products for each output, so 2 R S flops for about 8 bytes (x and y once, the
// overlaps from cache): 2.25 flops a byte at 3 x 3, bound by memory. One thread per output, neighbours are channels.

namespace counterfoil::cuda {

namespace {

/// The operand as it is multiplied.
template <bool kRound>
__device__ __forceinline__ float operand(const float* source) {
  const float value = __ldg(source);
  return kRound ? __bfloat162float(__float2bfloat16_rn(value)) : value;
}

template <bool kRound, typename Index>
__global__ void __launch_bounds__(kThreads)
    depthwise_forward_kernel(float* y, const float* __restrict__ x, const float* __restrict__ weight, Index count,
                             ConvExtents e, Epilogue epilogue) {
  const Image from{e.h, e.w, e.groups}, to{e.p, e.q, e.groups * e.k};
  for (Index i = static_cast<Index>(first_item()); i < count; i += static_cast<Index>(item_stride())) {
    const Element<Index> at = element_at(i, to);
    const int top = at.h * e.stride_h - e.pad_top, left = at.w * e.stride_w - e.pad_left, channel = at.c / e.k;
    const float* taps = weight + static_cast<Index>(at.c) * e.r * e.s;
    float sum = 0.0f;
    for (int r = 0; r < e.r; ++r) {
      const int h = top + r * e.dilation_h;
      for (int s = 0; s < e.s; ++s, ++taps) {
        const int w = left + s * e.dilation_w;
        if (h < 0 || h >= e.h || w < 0 || w >= e.w) continue;
        sum += operand<kRound>(x + offset_of(from, at.n, h, w, channel)) * operand<kRound>(taps);
      }
    }
    if (epilogue.bias != nullptr) sum += __ldg(epilogue.bias + at.c);
    y[i] = finished<true>(epilogue, sum);
  }
}

template <bool kRound, typename Index>
__global__ void __launch_bounds__(kThreads, 4)
    depthwise_input_grad_kernel(float* d_x, const float* __restrict__ d_y, const float* __restrict__ weight,
                                Index count, ConvExtents e) {
  const Image from{e.p, e.q, e.groups * e.k}, to{e.h, e.w, e.groups};
  for (Index i = static_cast<Index>(first_item()); i < count; i += static_cast<Index>(item_stride())) {
    const Element<Index> at = element_at(i, to);
    const float* taps = weight + static_cast<Index>(at.c) * e.k * e.r * e.s;
    float sum = 0.0f;
    for (int filter = at.c * e.k; filter < (at.c + 1) * e.k; ++filter) {
      for (int r = 0; r < e.r; ++r) {
        const int down = at.h + e.pad_top - r * e.dilation_h, p = down / e.stride_h;
        for (int s = 0; s < e.s; ++s, ++taps) {
          const int across = at.w + e.pad_left - s * e.dilation_w, q = across / e.stride_w;
          if (down < 0 || p * e.stride_h != down || p >= e.p) continue;
          if (across < 0 || q * e.stride_w != across || q >= e.q) continue;
          sum += operand<kRound>(d_y + offset_of(from, at.n, p, q, filter)) * operand<kRound>(taps);
        }
      }
    }
    d_x[i] = sum;
  }
}

/// A block: 32 filters by 8 lanes of pixels, one kernel position, one part of the pixels. d_y is read R S times, from
/// the second-level cache but for the first.
template <bool kRound>
__global__ void __launch_bounds__(kThreads)
    depthwise_weight_grad_kernel(float* partial, const float* __restrict__ x, const float* __restrict__ d_y,
                                 ConvExtents e, int parts, int filter_tiles) {
  SHARED_ARRAY(float, sums, [8][33]);
  const int lane = static_cast<int>(threadIdx.x) % 32, row = static_cast<int>(threadIdx.x) / 32;
  const int filters = e.groups * e.k, taps = e.r * e.s;
  const int filter_tile = static_cast<int>(blockIdx.x) % filter_tiles;
  const int tap = static_cast<int>(blockIdx.x) / filter_tiles % taps;
  const int part = static_cast<int>(blockIdx.x) / filter_tiles / taps;
  const int filter = filter_tile * 32 + lane;
  const std::int64_t pixels = e.n * e.p * e.q, per_part = (pixels + parts - 1) / parts;
  const std::int64_t end = min(pixels, (part + 1) * per_part);
  const int down = tap / e.s * e.dilation_h - e.pad_top, across = tap % e.s * e.dilation_w - e.pad_left;
  float sum = 0.0f;
  for (std::int64_t pixel = part * per_part + row; filter < filters && pixel < end; pixel += 8) {
    const std::int64_t y_row = pixel / e.q;
    const int h = static_cast<int>(y_row % e.p) * e.stride_h + down;
    const int w = static_cast<int>(pixel % e.q) * e.stride_w + across;
    if (h < 0 || h >= e.h || w < 0 || w >= e.w) continue;
    const std::int64_t x_pixel = (y_row / e.p * e.h + h) * e.w + w;
    sum += operand<kRound>(d_y + pixel * filters + filter) * operand<kRound>(x + x_pixel * e.groups + filter / e.k);
  }
  sums[row][lane] = sum;
  __syncthreads();
  if (row == 0 && filter < filters) {
    for (int i = 1; i < 8; ++i) sum += sums[i][lane];
    partial[(static_cast<std::int64_t>(part) * filters + filter) * taps + tap] = sum;
  }
}

}  // namespace

void depthwise_forward(float* y, const float* x, const float* weight, const ConvExtents& e, const Epilogue& epilogue,
                       bool round, cudaStream_t stream) {
  const std::int64_t count = e.y_pixels() * e.groups * e.k;
  with_index(std::max({count, e.x_pixels() * e.groups, e.weights()}), [&](auto zero) {
    using Index = decltype(zero);
    launch(round ? depthwise_forward_kernel<true, Index> : depthwise_forward_kernel<false, Index>, blocks_for(count),
           kThreads, 0, stream, y, x, weight, static_cast<Index>(count), e, epilogue);
  });
}

void depthwise_input_grad(float* d_x, const float* d_y, const float* weight, const ConvExtents& e, bool round,
                          cudaStream_t stream) {
  const std::int64_t count = e.x_pixels() * e.groups;
  with_index(std::max({count, e.y_pixels() * e.groups * e.k, e.weights()}), [&](auto zero) {
    using Index = decltype(zero);
    launch(round ? depthwise_input_grad_kernel<true, Index> : depthwise_input_grad_kernel<false, Index>,
           blocks_for(count), kThreads, 0, stream, d_x, d_y, weight, static_cast<Index>(count), e);
  });
}

int depthwise_weight_grad_parts(const ConvExtents& e) {
  return static_cast<int>(std::clamp<std::int64_t>(e.y_pixels() / 1024, 1, 64));
}

void depthwise_weight_grad(float* partial, const float* x, const float* d_y, const ConvExtents& e, int parts,
                           bool round, cudaStream_t stream) {
  const int filter_tiles = (e.groups * e.k + 31) / 32;
  launch(round ? depthwise_weight_grad_kernel<true> : depthwise_weight_grad_kernel<false>,
         block_each(static_cast<std::int64_t>(filter_tiles) * e.taps() * parts), kThreads, 0, stream, partial, x, d_y,
         e, parts, filter_tiles);
}

}  // namespace counterfoil::cuda
