#include "nn/linear.h"

#include "autograd/matmul.h"

namespace counterfoil::nn {

Linear::Linear(const Init& init, std::int64_t in, std::int64_t out, const LinearOptions& options)
    : weight_(init, Shape{out, in}, linear_fans(Shape{out, in}), options.spectral_norm), options_(options) {
  register_child("", weight_);
  if (options.bias) bias_ = register_parameter("bias", Tensor::zeros(Shape{out}, init.dtype, init.device));
}

Variable Linear::forward(const Variable& x, const Pass& pass) {
  return linear(x, weight_.use(pass), bias_, options_.activation, options_.slope);
}

}  // namespace counterfoil::nn
