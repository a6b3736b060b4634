#include "methods/attributions/integrated_gradients.h"

#include "methods/attributions/copies.h"
#include "methods/attributions/quadrature.h"
#include "tensor/ops.h"

namespace counterfoil::methods {
namespace {

Quadrature rule_named(const std::string& name, std::int64_t steps) {
  if (name == "right_riemann") return right_riemann(steps);
  if (name == "midpoint") return midpoint(steps);
  if (name == "gauss_legendre") return gauss_legendre(steps);
  fail("integrated gradients: rule {}, expected right_riemann, midpoint or gauss_legendre", name);
}

}  // namespace

void IntegratedGradients::declare(nn::Keys& keys) {
  keys.add("steps", steps, 1, 10'000, "gradients on the way from the baseline to the image");
  keys.add("rule", rule, {"right_riemann", "midpoint", "gauss_legendre"}, "where on the way, and their weights");
}

// (x - b) sum_k w_k dS / dx at b + a_k (x - b)
Attribution IntegratedGradients::compute(const AttributionCall& call) const {
  const auto [alphas, weights] = rule_named(rule, steps);
  const Shape column{steps, 1, 1, 1};
  const Tensor alpha = tensor_like(call.x, alphas, column), weight = tensor_like(call.x, weights, column);
  const Tensor way = binary(BinaryOp::subtract, call.x, call.baselines);  // [N,H,W,C]
  const Tensor integral =
      sum_over_copies(call.x.shape()[0], steps, [&](std::int64_t n, std::int64_t begin, std::int64_t end) {
        const Tensor gone = binary(BinaryOp::multiply, slice(alpha, 0, begin, end), slice(way, 0, n, n + 1));
        const Tensor path = binary(BinaryOp::add, slice(call.baselines, 0, n, n + 1), gone);
        return binary(BinaryOp::multiply, copy_gradients(call.classifier, path, call.question, n),
                      slice(weight, 0, begin, end));
      });
  const Tensor values = binary(BinaryOp::multiply, way, integral);
  return {values, completeness_gap(call.classifier, call.x, call.question, call.baselines, values)};
}

}  // namespace counterfoil::methods
