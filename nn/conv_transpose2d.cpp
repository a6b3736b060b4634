#include "nn/conv_transpose2d.h"

#include <algorithm>

#include "autograd/convolution.h"
#include "autograd/pointwise.h"

namespace counterfoil::nn {
namespace {

Shape weight_shape(std::int64_t in, std::int64_t out, Kernel kernel, int groups) {
  if (groups < 1 || in % groups != 0 || out % groups != 0) {
    fail("conv_transpose2d: {} groups do not divide {} channels in and {} out", groups, in, out);
  }
  return {in, kernel.height, kernel.width, out / groups};
}

void check_output_padding(int padding, int stride, int dilation) {
  if (padding < 0 || padding >= std::max(stride, dilation)) {
    fail("conv_transpose2d: output padding {} must be at least 0 and less than the stride {} or the dilation {}",
         padding, stride, dilation);
  }
}

}  // namespace

ConvTranspose2d::ConvTranspose2d(const Init& init, std::int64_t in, std::int64_t out, Kernel kernel,
                                 const ConvTranspose2dOptions& options)
    : weight_(init, weight_shape(in, out, kernel, options.geometry.groups),
              conv_transpose2d_fans(weight_shape(in, out, kernel, options.geometry.groups), options.geometry.groups),
              options.spectral_norm),
      options_(options) {
  const Conv2dGeometry& g = options.geometry;
  check_output_padding(options.output_padding_h, g.stride_h, g.dilation_h);
  check_output_padding(options.output_padding_w, g.stride_w, g.dilation_w);
  register_child("", weight_);
  if (options.bias) bias_ = register_parameter("bias", Tensor::zeros(Shape{out}, init.dtype, init.device));
}

Variable ConvTranspose2d::forward(const Variable& x, const Pass& pass) {
  if (x.shape().rank() != 4) fail("conv_transpose2d: expected images [N,H,W,C], found {}", x.shape().to_string());
  const Conv2dGeometry& g = options_.geometry;
  const Shape& w = weight_.shape();
  const std::int64_t height = (x.shape()[1] - 1) * g.stride_h - g.pad_top - g.pad_bottom + g.dilation_h * (w[1] - 1) +
                              1 + options_.output_padding_h;
  const std::int64_t width = (x.shape()[2] - 1) * g.stride_w - g.pad_left - g.pad_right + g.dilation_w * (w[2] - 1) +
                             1 + options_.output_padding_w;
  return activate(conv_transpose2d(x, weight_.use(pass), bias_, g, height, width), options_.activation, options_.slope);
}

}  // namespace counterfoil::nn
