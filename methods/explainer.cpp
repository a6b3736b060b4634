#include "methods/explainer.h"

#include "autograd/ops.h"

namespace counterfoil::methods {

Tensor difference_map(const Tensor& a, const Tensor& b) {
  const NoGrad no_grad;
  return mean(abs(Variable(a) - Variable(b)), {3}).value();
}

}  // namespace counterfoil::methods
