#include <algorithm>

#include "kernels/checks.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/image_index.h"
#include "kernels/pointwise.h"
#include "kernels/require_f32.h"

// One thread per element that is written. Forward: four reads, three of them from cache as a rule, for about 8 bytes an
// element; the sampling point costs 30 flops. Bound by memory where neighbours sample neighbours.

namespace counterfoil::cuda {

namespace {

/// Where an image's theta [2,3] takes the pixels of y, in pixels of x.
struct Warp {
  float t[6];

  __device__ explicit Warp(const float* theta) {
#pragma unroll
    for (int i = 0; i < 6; ++i) t[i] = __ldg(theta + i);
  }
  struct Point {
    float row, column;
  };
  __device__ __forceinline__ Point sample(int p, int q, const Image& y, const Image& x) const {
    const float across = pointwise::centre_of_pixel<float>(q, y.w), down = pointwise::centre_of_pixel<float>(p, y.h);
    // Written out: nvcc contracts such sums in one loop and, where a product is the loop's constant, not in the next.
    return {pointwise::pixel_of_centre(fmaf(t[3], across, fmaf(t[4], down, t[5])), x.h),
            pointwise::pixel_of_centre(fmaf(t[0], across, fmaf(t[1], down, t[2])), x.w)};
  }
};

/// Whether a point has neighbours in the image: false for NaN too, and what passes is small enough for an int.
__device__ __forceinline__ bool is_near(const Warp::Point& point, const Image& x) {
  return point.column > -1.0f && point.column < static_cast<float>(x.w) && point.row > -1.0f &&
         point.row < static_cast<float>(x.h);
}

template <typename Index>
__global__ void __launch_bounds__(kThreads)
    affine_warp_kernel(float* y, const float* __restrict__ x, const float* __restrict__ theta, Index count, Image from,
                       Image to) {
  for (Index i = static_cast<Index>(first_item()); i < count; i += static_cast<Index>(item_stride())) {
    const Element<Index> e = element_at(i, to);
    const Warp::Point point = Warp(theta + 6 * e.n).sample(e.h, e.w, to, from);
    float sum = 0.0f;
    if (is_near(point, from)) {
      const float top = floorf(point.row), left = floorf(point.column);
      const int h = static_cast<int>(top), w = static_cast<int>(left);
      const float a = point.row - top, b = point.column - left;
      const auto add = [&](int row, int column, float weight) {
        if (row < 0 || row >= from.h || column < 0 || column >= from.w) return;
        sum += weight * __ldg(x + offset_of(from, e.n, row, column, e.c));
      };
      add(h, w, (1.0f - a) * (1.0f - b));
      add(h, w + 1, (1.0f - a) * b);
      add(h + 1, w, a * (1.0f - b));
      add(h + 1, w + 1, a * b);
    }
    y[i] = sum;
  }
}

/// The pixels of y that can sample within one pixel of (h, w): the bounding box of a parallelogram, the square's image
/// under the inverse map. The square is widened by 1/16 pixel for the rounding of a sample's position; a map that is
/// singular, or too near it for floats, gives the whole image.
struct Reach {
  int p_first, p_last, q_first, q_last;

  __device__ static Reach of(const Warp& warp, int h, int w, const Image& y, const Image& x) {
    // row = a p + b q + row(0, 0), column = c p + d q + column(0, 0)
    const Warp::Point origin = warp.sample(0, 0, y, x);
    const auto height = static_cast<float>(x.h), width = static_cast<float>(x.w);
    const auto rows = static_cast<float>(y.h), columns = static_cast<float>(y.w);
    const float a = warp.t[4] * height / rows, b = warp.t[3] * height / columns;
    const float c = warp.t[1] * width / rows, d = warp.t[0] * width / columns;
    const float determinant = a * d - b * c, largest = (fabsf(a) + fabsf(b)) * (fabsf(c) + fabsf(d));
    if (!(fabsf(determinant) > 1e-4f * largest)) return {0, y.h - 1, 0, y.w - 1};
    const float row = static_cast<float>(h) - origin.row, column = static_cast<float>(w) - origin.column;
    const float inverse = 1.0f / determinant;
    const float p = (d * row - b * column) * inverse, q = (a * column - c * row) * inverse;
    const float p_span = (fabsf(d) + fabsf(b)) * fabsf(inverse) * 1.0625f + 1.0f;
    const float q_span = (fabsf(a) + fabsf(c)) * fabsf(inverse) * 1.0625f + 1.0f;
    return {bounded(p - p_span, y.h), bounded(p + p_span, y.h), bounded(q - q_span, y.w), bounded(q + q_span, y.w)};
  }
  /// The nearest position of the image, or the one past its end on either side.
  __device__ static int bounded(float position, int extent) {
    return static_cast<int>(fminf(fmaxf(position, -1.0f), static_cast<float>(extent)));
  }
};

/// Gather form: a pixel of x collects from the pixels of y that sample it, in row order, with the forward's own
/// arithmetic for the weights, so that it is its adjoint to the last bit of them.
template <typename Index>
__global__ void __launch_bounds__(kThreads)
    affine_warp_backward_kernel(float* d_x, const float* __restrict__ d_y, const float* __restrict__ theta, Index count,
                                Image to, Image from) {
  for (Index i = static_cast<Index>(first_item()); i < count; i += static_cast<Index>(item_stride())) {
    const Element<Index> e = element_at(i, to);
    const Warp warp(theta + 6 * e.n);
    const Reach reach = Reach::of(warp, e.h, e.w, from, to);
    float sum = 0.0f;
    for (int p = max(reach.p_first, 0); p <= min(reach.p_last, from.h - 1); ++p) {
      for (int q = max(reach.q_first, 0); q <= min(reach.q_last, from.w - 1); ++q) {
        const Warp::Point point = warp.sample(p, q, from, to);
        if (!is_near(point, to)) continue;
        const float top = floorf(point.row), left = floorf(point.column);
        const int down = e.h - static_cast<int>(top), across = e.w - static_cast<int>(left);
        if (down < 0 || down > 1 || across < 0 || across > 1) continue;
        const float a = point.row - top, b = point.column - left;
        const float weight = (down == 0 ? 1.0f - a : a) * (across == 0 ? 1.0f - b : b);
        sum += weight * __ldg(d_y + offset_of(from, e.n, p, q, e.c));
      }
    }
    d_x[i] = sum;
  }
}

}  // namespace

void CudaBackend::affine_warp(View y, ConstView x, ConstView theta) {
  check::affine_warp("affine_warp", y, x, theta);
  require_f32("affine_warp", y);
  if (y.size() == 0) return;
  with_index(std::max(y.size(), x.size()), [&](auto zero) {
    using Index = decltype(zero);
    launch(affine_warp_kernel<Index>, blocks_for(y.size()), kThreads, 0, stream_, y.as<float>(), x.as<float>(),
           theta.as<float>(), static_cast<Index>(y.size()), Image::of(x.shape), Image::of(y.shape));
  });
}

void CudaBackend::affine_warp_backward(View d_x, ConstView d_y, ConstView theta) {
  check::affine_warp("affine_warp_backward", d_x, d_y, theta);
  require_f32("affine_warp_backward", d_x);
  if (d_x.size() == 0) return;
  with_index(std::max(d_x.size(), d_y.size()), [&](auto zero) {
    using Index = decltype(zero);
    launch(affine_warp_backward_kernel<Index>, blocks_for(d_x.size()), kThreads, 0, stream_, d_x.as<float>(),
           d_y.as<float>(), theta.as<float>(), static_cast<Index>(d_x.size()), Image::of(d_x.shape),
           Image::of(d_y.shape));
  });
}

}  // namespace counterfoil::cuda
