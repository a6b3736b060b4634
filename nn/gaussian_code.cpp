#include "nn/gaussian_code.h"

#include "autograd/pointwise.h"

namespace counterfoil::nn {

Variable sample(const GaussianCode& code, Random& random) {
  const Tensor noise = random.normal(code.mean.shape(), 0, 1, code.mean.device(), code.mean.dtype());
  return code.mean + exp(0.5 * code.log_variance) * Variable(noise);
}

}  // namespace counterfoil::nn
