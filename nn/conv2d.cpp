#include "nn/conv2d.h"

#include <array>
#include <vector>

#include "autograd/convolution.h"
#include "autograd/pointwise.h"
#include "autograd/pooling.h"
#include "autograd/shaping.h"

namespace counterfoil::nn {
namespace {

Shape weight_shape(std::int64_t in, std::int64_t out, Kernel kernel, int groups) {
  if (groups < 1 || in % groups != 0 || out % groups != 0) {
    fail("conv2d: {} groups do not divide {} channels in and {} out", groups, in, out);
  }
  return {out, kernel.height, kernel.width, in / groups};
}

// Nearest upsampling is a transposed convolution with B, a 2x2 box of ones, and averaging a convolution with B / 4,
// both with stride 2. Together with the 3x3 filter g next to them they are one of 4x4 with stride 2 by B * g, which
// leaves out the larger image: 16 products per small pixel instead of 36, in Winograd's form 6.25 instead of 9.
const Conv2dGeometry kResized = Conv2dGeometry::square(2, 1);

// B * g / 4: weight [K,3,3,C] -> [K,4,4,C]
Variable widened(const Variable& weight) {
  PoolGeometry box = PoolGeometry::square(2, 1, 1);
  box.count_padding = true;
  return avg_pool(weight, box);
}

Variable averaged(const Variable& x, const Variable& weight, const Variable& bias) {
  return conv2d(x, widened(weight), bias, kResized);
}

Variable of_upsampled(const Variable& x, const Variable& weight, const Variable& bias, const Tensor& half_turn) {
  const std::int64_t out = weight.shape()[0], in = weight.shape()[3];
  constexpr std::array<int, 4> in_first = {3, 1, 2, 0};
  const Variable turned = reshape(gather_rows(reshape(weight, {-1, in}), half_turn), {out, 3, 3, in});
  const Variable transposed = widened(permute(turned, in_first) * 4);  // [in,4,4,out]
  return conv_transpose2d(x, transposed, bias, kResized, 2 * x.shape()[1], 2 * x.shape()[2]);
}

Tensor half_turn(std::int64_t out, Device& device) {
  std::vector<std::int32_t> rows;
  for (std::int64_t k = 0; k < out; ++k)
    for (std::int64_t tap = 9; tap-- > 0;) rows.push_back(static_cast<std::int32_t>(9 * k + tap));
  return Tensor::from(rows, {9 * out}, device);
}

}  // namespace

Conv2d::Conv2d(const Init& init, std::int64_t in, std::int64_t out, Kernel kernel, const Conv2dOptions& options)
    : weight_(init, weight_shape(in, out, kernel, options.geometry.groups),
              conv2d_fans(weight_shape(in, out, kernel, options.geometry.groups), options.geometry.groups),
              options.spectral_norm),
      options_(options) {
  register_child("", weight_);
  if (options.bias) bias_ = register_parameter("bias", Tensor::zeros(Shape{out}, init.dtype, init.device));
  if (options.resize == Resize::none) return;
  if (kernel.height != 3 || kernel.width != 3 || options.geometry != Conv2dGeometry::square(1, 1) ||
      options.activation != Activation::identity) {
    fail("conv2d: only a 3x3 kernel with stride 1, padding 1, one group and no activation is resized");
  }
  if (options.resize == Resize::up) half_turn_ = half_turn(out, init.device);
}

Variable Conv2d::forward(const Variable& x, const Pass& pass) {
  const Variable weight = weight_.use(pass);
  if (options_.resize == Resize::up) return of_upsampled(x, weight, bias_, half_turn_);
  if (options_.resize == Resize::down) return averaged(x, weight, bias_);
  return conv2d(x, weight, bias_, options_.geometry, options_.activation, options_.slope);
}

}  // namespace counterfoil::nn
