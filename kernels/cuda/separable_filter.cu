#include <algorithm>
#include <cstddef>

#include "kernels/checks.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/image_index.h"
#include "kernels/require_f32.h"
#include "kernels/scratch.h"

// Two passes of one kernel, each a filter along the middle axis of [outer, extent, inner], one thread per element. A
// pass moves 8 bytes an element and does 2 flops a tap; the taps and the overlaps come from the first-level cache. 11
// taps: 22 flops in 8 bytes, still bound by memory.

namespace counterfoil::cuda {

namespace {

/// Passes of 32-bit or 64-bit positions over [outer, extent, inner].
struct Line {
  std::int64_t inner;
  int extent, taps;
};

/// Clamps to the line, or says (-1) that a position beyond it is zero.
template <Border kBorder>
__device__ __forceinline__ int inside(int position, int extent) {
  if constexpr (kBorder == Border::replicate) return min(max(position, 0), extent - 1);
  return position < 0 || position >= extent ? -1 : position;
}

template <Border kBorder, typename Index>
__global__ void __launch_bounds__(kThreads)
    separable_filter_kernel(float* y, const float* __restrict__ x, const float* __restrict__ taps, Index count,
                            Line line) {
  const auto inner = static_cast<Index>(line.inner);
  for (Index i = static_cast<Index>(first_item()); i < count; i += static_cast<Index>(item_stride())) {
    const int here = static_cast<int>(i / inner % line.extent);
    const float* const first = x + (i - here * inner);
    float sum = 0.0f;
    for (int tap = 0; tap < line.taps; ++tap) {
      const int from = inside<kBorder>(here + tap - line.taps / 2, line.extent);
      if (from >= 0) sum += __ldg(taps + tap) * __ldg(first + from * inner);
    }
    y[i] = sum;
  }
}

/// The adjoint, in gather form: a source collects from every target whose tap falls on it, in ascending target
/// position. With a replicated border the first and last source are also what taps beyond the border read.
template <Border kBorder, typename Index>
__global__ void __launch_bounds__(kThreads)
    separable_filter_backward_kernel(float* d_x, const float* __restrict__ d_y, const float* __restrict__ taps,
                                     Index count, Line line) {
  const auto inner = static_cast<Index>(line.inner);
  const int half = line.taps / 2, last = line.extent - 1;
  for (Index i = static_cast<Index>(first_item()); i < count; i += static_cast<Index>(item_stride())) {
    const int here = static_cast<int>(i / inner % line.extent);
    const float* const first = d_y + (i - here * inner);
    float sum = 0.0f;
    for (int target = max(here - half, 0); target <= min(here + half, last); ++target) {
      // Taps from `low` to `high` of this target read `here`.
      int low = here - target + half, high = low;
      if (kBorder == Border::replicate && here == 0) low = 0;
      if (kBorder == Border::replicate && here == last) high = line.taps - 1;
      float weight = 0.0f;
      for (int tap = low; tap <= high; ++tap) weight += __ldg(taps + tap);
      sum += weight * __ldg(first + target * inner);
    }
    d_x[i] = sum;
  }
}

/// Launches `narrow` or `wide`, the kernel for the border in 32-bit or 64-bit positions.
template <bool kBackward>
void launch_pass(cudaStream_t stream, Border border, float* to, const float* from, const float* taps,
                 std::int64_t count, const Line& line) {
  with_index(count, [&](auto zero) {
    using Index = decltype(zero);
    auto* kernel = kBackward ? separable_filter_backward_kernel<Border::zero, Index>
                             : separable_filter_kernel<Border::zero, Index>;
    if (border == Border::replicate) {
      kernel = kBackward ? separable_filter_backward_kernel<Border::replicate, Index>
                         : separable_filter_kernel<Border::replicate, Index>;
    }
    launch(kernel, blocks_for(count), kThreads, 0, stream, to, from, taps, static_cast<Index>(count), line);
  });
}

Line line_of(std::int64_t extent, std::int64_t inner, const ConstView& taps) {
  constexpr std::int64_t kMost = 1 << 30;
  if (extent > kMost || taps.size() > kMost)
    fail("separable_filter: {} taps over an extent of {}", taps.size(), extent);
  return {inner, static_cast<int>(extent), static_cast<int>(taps.size())};
}

}  // namespace

void CudaBackend::separable_filter(View y, ConstView x, ConstView row_taps, ConstView column_taps, Border border) {
  check::separable_filter("separable_filter", y, x, row_taps, column_taps);
  require_f32("separable_filter", y);
  if (y.size() == 0) return;
  const Scratch between(device_, static_cast<std::size_t>(x.size()) * sizeof(float));
  launch_pass<false>(stream_, border, between.as<float>(), x.as<float>(), row_taps.as<float>(), x.size(),
                     line_of(x.shape[1], x.shape[2] * x.shape[3], row_taps));
  launch_pass<false>(stream_, border, y.as<float>(), between.as<float>(), column_taps.as<float>(), x.size(),
                     line_of(x.shape[2], x.shape[3], column_taps));
}

void CudaBackend::separable_filter_backward(View d_x, ConstView d_y, ConstView row_taps, ConstView column_taps,
                                            Border border) {
  check::separable_filter("separable_filter_backward", d_x, d_y, row_taps, column_taps);
  require_f32("separable_filter_backward", d_x);
  if (d_x.size() == 0) return;
  const Scratch between(device_, static_cast<std::size_t>(d_x.size()) * sizeof(float));
  launch_pass<true>(stream_, border, between.as<float>(), d_y.as<float>(), column_taps.as<float>(), d_x.size(),
                    line_of(d_x.shape[2], d_x.shape[3], column_taps));
  launch_pass<true>(stream_, border, d_x.as<float>(), between.as<float>(), row_taps.as<float>(), d_x.size(),
                    line_of(d_x.shape[1], d_x.shape[2] * d_x.shape[3], row_taps));
}

}  // namespace counterfoil::cuda
