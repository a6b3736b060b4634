#include "methods/attributions/saliency.h"

#include "tensor/ops.h"

namespace counterfoil::methods {

void Saliency::declare(nn::Keys& /*keys*/) {}

// |dS / dx|
Attribution Saliency::compute(const AttributionCall& call) const {
  return {unary(UnaryOp::abs, nn::score_gradients(call.classifier, call.x, call.question))};
}

void GradientTimesInput::declare(nn::Keys& /*keys*/) {}

// x dS / dx
Attribution GradientTimesInput::compute(const AttributionCall& call) const {
  return {binary(BinaryOp::multiply, call.x, nn::score_gradients(call.classifier, call.x, call.question))};
}

}  // namespace counterfoil::methods
