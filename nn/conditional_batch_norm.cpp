#include "nn/conditional_batch_norm.h"

#include "autograd/shaping.h"

namespace counterfoil::nn {

ConditionalBatchNorm::ConditionalBatchNorm(const Init& init, std::int64_t channels, std::int64_t classes,
                                           const BatchNormOptions& options)
    : RunningNorm(init, channels, options),
      gamma_(register_parameter("weight", Tensor::full(Shape{classes, channels}, 1, init.dtype, init.device))),
      beta_(register_parameter("bias", Tensor::zeros(Shape{classes, channels}, init.dtype, init.device))) {}

Variable ConditionalBatchNorm::forward(const Variable& x, const Tensor& labels, const Pass& pass) {
  return normalised(x, gather_rows(gamma_, labels), gather_rows(beta_, labels), pass);
}

}  // namespace counterfoil::nn
