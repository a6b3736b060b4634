#include "methods/attributions/guided_backpropagation.h"

#include "autograd/convolution.h"
#include "autograd/matmul.h"
#include "autograd/normalisation.h"
#include "autograd/pointwise.h"

namespace counterfoil::methods {
namespace {

bool is_rectifier(Activation activation) {
  return activation == Activation::relu || activation == Activation::leaky_relu;
}

// max(d_y, 0) [x > 0], then the derivative as it is, which is 1 there. y has the sign of x.
Variables guided(const Node& node, const Variable& d_y, const Needs& needs) {
  const Variable passed = select(greater_than(node.output(), 0), relu(d_y), d_y.value().zeros_like());
  return node.rule()(node, passed, needs);
}

// The rule of an operation into which an activation may be fused.
template <typename Attribute>
Variables guided_if_fused(const Node& node, const Variable& d_y, const Needs& needs) {
  if (is_rectifier(node.attribute<Attribute>().activation)) return guided(node, d_y, needs);
  return node.rule()(node, d_y, needs);
}

}  // namespace

void GuidedBackpropagation::declare(nn::Keys& /*keys*/) {}

Attribution GuidedBackpropagation::compute(const AttributionCall& call) const {
  const BackwardRules rules = {{"relu", guided},
                               {"leaky_relu", guided},
                               {"elu", guided},
                               {"conv2d", guided_if_fused<ConvolutionAttribute>},
                               {"matmul", guided_if_fused<MatmulOptions>},
                               {"norm", guided_if_fused<NormAttribute>}};
  return {nn::score_gradients(call.classifier, call.x, call.question, &rules)};
}

}  // namespace counterfoil::methods
