#include "nn/batch_norm.h"

#include <algorithm>

#include "autograd/normalisation.h"
#include "autograd/shaping.h"
#include "tensor/ops.h"

namespace counterfoil::nn {

RunningNorm::RunningNorm(const Init& init, std::int64_t channels, const BatchNormOptions& options)
    : running_mean_(Tensor::zeros(Shape{channels}, init.dtype, init.device)),
      running_var_(Tensor::full(Shape{channels}, 1, init.dtype, init.device)),
      options_(options) {
  register_buffer("running_mean", running_mean_);
  register_buffer("running_var", running_var_);
}

Variable RunningNorm::normalised(const Variable& x, const Variable& gamma, const Variable& beta, const Pass& pass) {
  if (x.shape().rank() == 2) {
    const std::int64_t n = x.shape()[0], c = x.shape()[1];
    return reshape(normalised(reshape(x, {n, 1, 1, c}), gamma, beta, pass), {n, c});
  }
  if (!pass.training || !pass.batch_statistics) {
    return normalise_with(x, gamma, beta, running_mean_.reshape({1, -1}), running_var_.reshape({1, -1}),
                          options_.epsilon, options_.activation, options_.slope);
  }
  NormAttribute attribute;
  attribute.epsilon = options_.epsilon;
  attribute.activation = options_.activation;
  attribute.slope = options_.slope;
  Tensor mean, variance;  // [1,C]
  const Variable y = normalise(x, gamma, beta, attribute, &mean, &variance);
  if (pass.update_statistics) remember(mean, variance, x.shape().size() / x.shape()[3]);
  return y;
}

void RunningNorm::remember(const Tensor& mean, const Tensor& variance, std::int64_t count) {
  const double m = options_.momentum;
  const double unbiased = static_cast<double>(count) / static_cast<double>(std::max<std::int64_t>(count - 1, 1));
  // New tensors: graphs recorded in eval mode may hold the old ones.
  running_mean_ = axpby(1 - m, running_mean_, m, mean.reshape({-1}));
  running_var_ = axpby(1 - m, running_var_, m * unbiased, variance.reshape({-1}));
}

BatchNorm::BatchNorm(const Init& init, std::int64_t channels, const BatchNormOptions& options)
    : RunningNorm(init, channels, options),
      gamma_(register_parameter("weight", Tensor::full(Shape{channels}, 1, init.dtype, init.device))),
      beta_(register_parameter("bias", Tensor::zeros(Shape{channels}, init.dtype, init.device))) {}

}  // namespace counterfoil::nn
