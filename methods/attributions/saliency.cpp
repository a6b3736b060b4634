#include "methods/attributions/saliency.h"

#include "tensor/ops.h"

namespace counterfoil::methods {

void Saliency::declare(nn::Keys& /*keys*/) {}

// |dS / dx|
Attribution Saliency::compute(nn::Classifier& classifier, const Tensor& x, const nn::Question& question,
                              const Tensor& /*baselines*/, std::uint64_t /*seed*/) const {
  return {unary(UnaryOp::abs, nn::score_gradients(classifier, x, question))};
}

void GradientTimesInput::declare(nn::Keys& /*keys*/) {}

// x dS / dx
Attribution GradientTimesInput::compute(nn::Classifier& classifier, const Tensor& x, const nn::Question& question,
                                        const Tensor& /*baselines*/, std::uint64_t /*seed*/) const {
  return {binary(BinaryOp::multiply, x, nn::score_gradients(classifier, x, question))};
}

}  // namespace counterfoil::methods
