#include "nn/spectral_norm.h"

#include "autograd/matmul.h"
#include "autograd/pointwise.h"
#include "autograd/shaping.h"
#include "tensor/ops.h"

namespace counterfoil::nn {
namespace {

Tensor as_matrix(const Tensor& weight) {
  return weight.reshape({weight.shape()[0], -1});
}

}  // namespace

SpectralNorm::SpectralNorm(const Init& init, const Tensor& weight, int iterations, double epsilon)
    : iterations_(iterations), epsilon_(epsilon) {
  const Tensor matrix = as_matrix(weight);
  u = init.random.normal(Shape{matrix.shape()[0]}, 0, 1, init.device, init.dtype);
  v = Tensor::zeros(Shape{matrix.shape()[1]}, init.dtype, init.device);
  power_iteration(u, v, matrix, 15, epsilon_);
}

Variable SpectralNorm::apply(const Variable& weight, const Pass& pass) {
  if (pass.training && pass.update_statistics) {
    // New tensors: graphs recorded by earlier passes still hold the old ones.
    u = u.clone();
    v = v.clone();
    power_iteration(u, v, as_matrix(weight.value()), iterations_, epsilon_);
  }
  const Variable matrix = reshape(weight, {weight.shape()[0], -1});
  const Variable stretched = matmul(matrix, Variable(v.reshape({-1, 1})));  // W v [rows,1]
  const Variable sigma = matmul(Variable(u.reshape({1, -1})), stretched);   // u' W v [1,1]
  return weight / reshape(sigma, {1});
}

}  // namespace counterfoil::nn
