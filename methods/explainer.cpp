#include "methods/explainer.h"

#include "autograd/ops.h"

namespace counterfoil::methods {

Tensor difference_map(const Tensor& a, const Tensor& b) {
  const NoGrad no_grad;
  return mean(abs(Variable(a) - Variable(b)), {3}).value();
}

Tensor runner_up(nn::Classifier& classifier, const Tensor& x) {
  const NoGrad no_grad;
  constexpr double kNever = 1e9;  // takes the decided class out of the maximum
  const Tensor decided = one_hot(classifier.decisions(x), classifier.class_count());  // [N,K]
  return argmax((classifier.log_probabilities(x) - Variable(decided) * kNever).value());
}

}  // namespace counterfoil::methods
