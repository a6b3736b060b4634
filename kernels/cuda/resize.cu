#include <algorithm>

#include "kernels/checks.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/image_index.h"
#include "kernels/pointwise.h"
#include "kernels/require_f32.h"

// One thread per element that is written, neighbours are channels. Forward: at most four reads, of which caches serve
// three, and 8 flops for about 8 bytes. Backward in gather form: each source pixel looks at the outputs that read it.
// All bound by memory.

namespace counterfoil::cuda {

namespace {

/// Positions are divided several times an element: in 32 bits where they fit (with_positions).
template <typename Index>
using Int = std::conditional_t<sizeof(Index) == 4, std::int32_t, std::int64_t>;
template <typename Index>
using Between = pointwise::Between<float, Int<Index>>;

template <ResizeMode kMode, typename Index>
__device__ __forceinline__ Between<Index> source_of(int i, int in, int out) {
  if constexpr (kMode == ResizeMode::nearest) {
    const Int<Index> source = pointwise::nearest_source<Int<Index>>(i, in, out);
    return {source, source, 0.0f};
  } else {
    return pointwise::bilinear_source<float, Int<Index>>(i, in, out);
  }
}

/// The outputs that may read source position i: those whose coordinate lies less than 1 from it. Under half-pixel
/// centres output o lies at (2 o + 1) in / (2 out) - 1/2, so (2 i - 1) out - in < 2 in o < (2 i + 3) out - in. Nearest
/// reads from within the same range.
struct Readers {
  int first, last;

  template <typename Index>
  __device__ static Readers of(int i, int in, int out) {
    const Int<Index> here = i, low = (2 * here - 1) * out - in, high = (2 * here + 3) * out - in;
    const Int<Index> first = low <= 0 ? 0 : low / (2 * Int<Index>{in});
    const Int<Index> last = high <= 0 ? 0 : high / (2 * Int<Index>{in}) + 1;
    return {static_cast<int>(first), static_cast<int>(min(last, Int<Index>{out - 1}))};
  }
};

/// What of an output's value comes from source position i.
template <typename Index>
__device__ __forceinline__ float weight_at(const Between<Index>& source, int i) {
  return (source.low == i ? 1.0f - source.weight : 0.0f) + (source.high == i ? source.weight : 0.0f);
}

template <ResizeMode kMode, typename Index>
__global__ void __launch_bounds__(kThreads)
    resize_kernel(float* y, const float* __restrict__ x, Index count, Image from, Image to) {
  for (Index i = static_cast<Index>(first_item()); i < count; i += static_cast<Index>(item_stride())) {
    const Element<Index> e = element_at(i, to);
    const Between<Index> rows = source_of<kMode, Index>(e.h, from.h, to.h);
    const Between<Index> columns = source_of<kMode, Index>(e.w, from.w, to.w);
    const auto value = [&](Int<Index> h, Int<Index> w) {
      return __ldg(x + offset_of(from, e.n, static_cast<int>(h), static_cast<int>(w), e.c));
    };
    if constexpr (kMode == ResizeMode::nearest) {
      y[i] = value(rows.low, columns.low);
    } else {
      // A neighbour of weight 0 is not read, as it may be infinite.
      const float a = rows.weight, b = columns.weight;
      float upper = (1.0f - b) * value(rows.low, columns.low);
      if (b != 0.0f) upper += b * value(rows.low, columns.high);
      float sum = (1.0f - a) * upper;
      if (a != 0.0f) {
        float lower = (1.0f - b) * value(rows.high, columns.low);
        if (b != 0.0f) lower += b * value(rows.high, columns.high);
        sum += a * lower;
      }
      y[i] = sum;
    }
  }
}

template <ResizeMode kMode, typename Index>
__global__ void __launch_bounds__(kThreads, 4)
    resize_backward_kernel(float* d_x, const float* __restrict__ d_y, Index count, Image to, Image from) {
  for (Index i = static_cast<Index>(first_item()); i < count; i += static_cast<Index>(item_stride())) {
    const Element<Index> e = element_at(i, to);
    const Readers down = Readers::of<Index>(e.h, to.h, from.h), across = Readers::of<Index>(e.w, to.w, from.w);
    float sum = 0.0f;
    for (int p = down.first; p <= down.last; ++p) {
      const float row_weight = weight_at<Index>(source_of<kMode, Index>(p, to.h, from.h), e.h);
      if (row_weight == 0.0f) continue;
      for (int q = across.first; q <= across.last; ++q) {
        const float weight = row_weight * weight_at<Index>(source_of<kMode, Index>(q, to.w, from.w), e.w);
        if (weight != 0.0f) sum += weight * __ldg(d_y + offset_of(from, e.n, p, q, e.c));
      }
    }
    d_x[i] = sum;
  }
}

/// y, one element a thread: of low where the channel is below A, else of skip. 4 (y + low + skip) bytes, where the
/// doubled image would cost 8 low more if it were stored in between.
template <typename Index>
__global__ void __launch_bounds__(kThreads)
    upsample_concat_kernel(float* y, const float* __restrict__ low, const float* __restrict__ skip, Index count,
                           Image to, int a) {
  const Image coarse{to.h / 2, to.w / 2, a};
  const int b = to.c - a;
  for (Index i = static_cast<Index>(first_item()); i < count; i += static_cast<Index>(item_stride())) {
    const Element<Index> e = element_at(i, to);
    y[i] =
        e.c < a ? __ldg(low + offset_of(coarse, e.n, e.h / 2, e.w / 2, e.c)) : __ldg(skip + i / to.c * b + (e.c - a));
  }
}

/// Both gradients in one pass over y's pixels in fours: a thread takes one channel of a 2 x 2 square.
template <typename Index>
__global__ void __launch_bounds__(kThreads)
    upsample_concat_backward_kernel(float* d_low, float* d_skip, const float* __restrict__ d_y, Index count,
                                    Image coarse, int a) {
  const Image fine{2 * coarse.h, 2 * coarse.w, coarse.c}, skip{2 * coarse.h, 2 * coarse.w, coarse.c - a};
  for (Index i = static_cast<Index>(first_item()); i < count; i += static_cast<Index>(item_stride())) {
    const Element<Index> e = element_at(i, coarse);
    float values[4];
#pragma unroll
    for (int k = 0; k < 4; ++k) values[k] = __ldg(d_y + offset_of(fine, e.n, 2 * e.h + k / 2, 2 * e.w + k % 2, e.c));
    if (e.c < a) {
      d_low[i / coarse.c * a + e.c] = ((values[0] + values[1]) + values[2]) + values[3];
    } else {
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        d_skip[offset_of(skip, e.n, 2 * e.h + k / 2, 2 * e.w + k % 2, e.c - a)] = values[k];
      }
    }
  }
}

/// f(Index()) for the smaller index type that holds every offset, and every multiple of a position that a resize from
/// x to y or its adjoint divides.
template <typename F>
void with_positions(const Shape& x, const Shape& y, F&& f) {
  const std::int64_t rows = 3 * x[1] * y[1], columns = 3 * x[2] * y[2];
  with_index(std::max({x.size(), y.size(), rows, columns}), f);
}

}  // namespace

void CudaBackend::resize(View y, ConstView x, ResizeMode mode) {
  check::resize(y, x);
  require_f32("resize", y);
  if (y.size() == 0) return;
  with_positions(x.shape, y.shape, [&](auto zero) {
    using Index = decltype(zero);
    launch(mode == ResizeMode::nearest ? resize_kernel<ResizeMode::nearest, Index>
                                       : resize_kernel<ResizeMode::bilinear, Index>,
           blocks_for(y.size()), kThreads, 0, stream_, y.as<float>(), x.as<float>(), static_cast<Index>(y.size()),
           Image::of(x.shape), Image::of(y.shape));
  });
}

void CudaBackend::resize_backward(View d_x, ConstView d_y, ResizeMode mode) {
  check::resize_backward(d_x, d_y);
  require_f32("resize_backward", d_x);
  if (d_x.size() == 0) return;
  with_positions(d_x.shape, d_y.shape, [&](auto zero) {
    using Index = decltype(zero);
    launch(mode == ResizeMode::nearest ? resize_backward_kernel<ResizeMode::nearest, Index>
                                       : resize_backward_kernel<ResizeMode::bilinear, Index>,
           blocks_for(d_x.size()), kThreads, 0, stream_, d_x.as<float>(), d_y.as<float>(),
           static_cast<Index>(d_x.size()), Image::of(d_x.shape), Image::of(d_y.shape));
  });
}

void CudaBackend::upsample_concat(View y, ConstView low, ConstView skip) {
  check::upsample_concat(y, low, skip);
  require_f32("upsample_concat", y);
  if (y.size() == 0) return;
  with_index(y.size(), [&](auto zero) {
    using Index = decltype(zero);
    launch(upsample_concat_kernel<Index>, blocks_for(y.size()), kThreads, 0, stream_, y.as<float>(), low.as<float>(),
           skip.as<float>(), static_cast<Index>(y.size()), Image::of(y.shape), static_cast<int>(low.shape[3]));
  });
}

void CudaBackend::upsample_concat_backward(View d_low, View d_skip, ConstView d_y) {
  check::upsample_concat_backward(d_low, d_skip, d_y);
  require_f32("upsample_concat_backward", d_y);
  if (d_y.size() == 0) return;
  const Image coarse = Image::of(d_low.shape.with(3, d_y.shape[3]));
  with_index(d_y.size(), [&](auto zero) {
    using Index = decltype(zero);
    launch(upsample_concat_backward_kernel<Index>, blocks_for(d_y.size() / 4), kThreads, 0, stream_, d_low.as<float>(),
           d_skip.as<float>(), d_y.as<float>(), static_cast<Index>(d_y.size() / 4), coarse,
           static_cast<int>(d_low.shape[3]));
  });
}

}  // namespace counterfoil::cuda
