#pragma once

#include <cstdint>
#include <string>

#include "kernels/view.h"

namespace counterfoil {

/// What a convolution or matrix product multiplies in. Accumulation and storage are f32 either way.
enum class Compute : std::uint8_t {
  f32,
  bf16,  ///< operands rounded to bf16 first (AMX, AVX512-BF16, tensor cores); ignored by the reference backend in f64
};

/// Activations that an epilogue or a normalisation can apply on the way out. The slope belongs to leaky_relu alone.
enum class Activation : std::uint8_t { identity, relu, leaky_relu, tanh, sigmoid };

struct Conv2dGeometry {
  int stride_h = 1, stride_w = 1;                                // >= 1
  int pad_top = 0, pad_bottom = 0, pad_left = 0, pad_right = 0;  // >= 0, zeros
  int dilation_h = 1, dilation_w = 1;                            // >= 1
  int groups = 1;                                                // divides both channel counts
  Compute compute = Compute::f32;

  /// Square convolution with the same stride and padding on both axes.
  static Conv2dGeometry square(int stride, int padding, int dilation = 1, int groups = 1);
  /// floor((extent + pads - dilation * (kernel - 1) - 1) / stride) + 1. Throws Error when that is below 1.
  std::int64_t output_height(std::int64_t height, std::int64_t kernel) const;
  std::int64_t output_width(std::int64_t width, std::int64_t kernel) const;

  bool operator==(const Conv2dGeometry&) const = default;
};

struct PoolGeometry {
  int kernel_h = 2, kernel_w = 2;                                // >= 1
  int stride_h = 2, stride_w = 2;                                // >= 1
  int pad_top = 0, pad_bottom = 0, pad_left = 0, pad_right = 0;  // >= 0 and less than the kernel
  bool count_padding = false;                                    // average pooling: padding counts in the divisor

  static PoolGeometry square(int kernel, int stride, int padding = 0);
  std::int64_t output_height(std::int64_t height) const;
  std::int64_t output_width(std::int64_t width) const;

  bool operator==(const PoolGeometry&) const = default;
};

/// The shape [N,P,Q,K] of a convolution's output. Throws Error naming what disagrees.
Shape conv2d_output_shape(const Shape& x, const Shape& weight, const Conv2dGeometry& geometry);
/// The shape [N,P,Q,C] of a pooling's output.
Shape pool_output_shape(const Shape& x, const PoolGeometry& geometry);

}  // namespace counterfoil
