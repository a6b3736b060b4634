#include "nn/conv2d.h"

#include "autograd/convolution.h"

namespace counterfoil::nn {
namespace {

Shape weight_shape(std::int64_t in, std::int64_t out, Kernel kernel, int groups) {
  if (groups < 1 || in % groups != 0 || out % groups != 0) {
    fail("conv2d: {} groups do not divide {} channels in and {} out", groups, in, out);
  }
  return {out, kernel.height, kernel.width, in / groups};
}

}  // namespace

Conv2d::Conv2d(const Init& init, std::int64_t in, std::int64_t out, Kernel kernel, const Conv2dOptions& options)
    : weight_(init, weight_shape(in, out, kernel, options.geometry.groups),
              conv2d_fans(weight_shape(in, out, kernel, options.geometry.groups), options.geometry.groups),
              options.spectral_norm),
      options_(options) {
  register_child("", weight_);
  if (options.bias) bias_ = register_parameter("bias", Tensor::zeros(Shape{out}, init.dtype, init.device));
}

Variable Conv2d::forward(const Variable& x, const Pass& pass) {
  return conv2d(x, weight_.use(pass), bias_, options_.geometry, options_.activation, options_.slope);
}

}  // namespace counterfoil::nn
