#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cuda/epilogue.h"
#include "kernels/error.h"
#include "kernels/view.h"

// The extents of a convolution in the letters of backend.h, as its kernels take them.

namespace counterfoil::cuda {

struct ConvExtents {
  std::int64_t n;
  int h, w, p, q, r, s;
  int groups, c, k;  ///< c and k are channels per group
  int stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w;

  /// Throws Error where an image has more than 2^30 pixels or an output more than 2^30 terms: positions within one are
  /// ints, everything else is 64 bits.
  static ConvExtents make(const Shape& x, const Shape& weight, const Shape& y, const Conv2dGeometry& g) {
    constexpr std::int64_t kMost = 1 << 30;
    const std::int64_t terms = weight[1] * weight[2] * std::max(weight[3], weight[0] / g.groups);
    if (x[1] * x[2] > kMost || y[1] * y[2] > kMost || terms > kMost || x[3] > kMost || y[3] > kMost) {
      fail("conv2d: more than 2^30 pixels in an image, channels, or terms in a sum; found x {}, weight {}, y {}",
           x.to_string(), weight.to_string(), y.to_string());
    }
    const auto small = [](std::int64_t value) { return static_cast<int>(value); };
    return {.n = x[0],
            .h = small(x[1]),
            .w = small(x[2]),
            .p = small(y[1]),
            .q = small(y[2]),
            .r = small(weight[1]),
            .s = small(weight[2]),
            .groups = g.groups,
            .c = small(weight[3]),
            .k = small(weight[0] / g.groups),
            .stride_h = g.stride_h,
            .stride_w = g.stride_w,
            .pad_top = g.pad_top,
            .pad_left = g.pad_left,
            .dilation_h = g.dilation_h,
            .dilation_w = g.dilation_w};
  }
  std::int64_t x_pixels() const { return n * h * w; }
  std::int64_t y_pixels() const { return n * p * q; }
  int taps() const { return r * s; }
  std::int64_t weights() const { return static_cast<std::int64_t>(groups) * k * taps() * c; }
};

// One channel per group (depthwise): no matrix product is left, each output is a sum over a window. depthwise.cu.

void depthwise_forward(float* y, const float* x, const float* weight, const ConvExtents& e, const Epilogue& epilogue,
                       bool round, cudaStream_t stream);
void depthwise_input_grad(float* d_x, const float* d_y, const float* weight, const ConvExtents& e, bool round,
                          cudaStream_t stream);
/// d_weight is summed in parts of the pixels: partial holds parts * K * R * S floats.
int depthwise_weight_grad_parts(const ConvExtents& e);
void depthwise_weight_grad(float* partial, const float* x, const float* d_y, const ConvExtents& e, int parts,
                           bool round, cudaStream_t stream);

}  // namespace counterfoil::cuda
