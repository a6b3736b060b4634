#include "nn/instance_norm.h"

#include "autograd/normalisation.h"

namespace counterfoil::nn {

InstanceNorm::InstanceNorm(const Init& init, std::int64_t channels, const InstanceNormOptions& options)
    : options_(options) {
  const Tensor ones = Tensor::full(Shape{channels}, 1, init.dtype, init.device);
  const Tensor zero = Tensor::zeros(Shape{channels}, init.dtype, init.device);
  gamma_ = options.affine ? register_parameter("weight", ones) : Variable(ones);
  beta_ = options.affine ? register_parameter("bias", zero) : Variable(zero);
}

Variable InstanceNorm::forward(const Variable& x, const Pass&) {
  NormAttribute attribute;
  attribute.epsilon = options_.epsilon;
  attribute.activation = options_.activation;
  attribute.slope = options_.slope;
  attribute.per_image = true;
  return normalise(x, gamma_, beta_, attribute);
}

}  // namespace counterfoil::nn
