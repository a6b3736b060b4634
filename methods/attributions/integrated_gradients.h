#pragma once

#include <string>

#include "methods/attributions/attribution.h"

namespace counterfoil::methods {

/// Integrated gradients: M. Sundararajan, A. Taly, Q. Yan, "Axiomatic attribution for deep networks" (2017), equations
/// 1 and 3. With a baseline b for each image, and the alphas a_k and weights w_k of a rule of `steps` nodes
/// (methods/attributions/quadrature.h),
///
///   (x - b) sum_k w_k dS / dx at b + a_k (x - b)
///
///   right_riemann   a_k = k / steps, k = 1 .. steps: equation 3
///   midpoint        a_k = (k - 1/2) / steps
///   gauss_legendre  roots of a Legendre polynomial
///
/// Complete but for the rule's error: the gap is reported. Where S is smooth Gauss-Legendre needs the fewest steps.
/// Along the way through a network with ReLU and max-pooling dS / dx jumps: there it does no better than the midpoints,
/// and right Riemann several times worse. An image's values are the same bits alone and among others.
class IntegratedGradients final : public AttributionMethod {
 public:
  std::int64_t steps = 200;  ///< GANMEX (methods/ganmex.h), appendix A.3
  std::string rule = "midpoint";

  void declare(nn::Keys& keys) override;
  BaselineUse baseline_use() const override { return BaselineUse::one; }

 private:
  Attribution compute(const AttributionCall& call) const override;
};

}  // namespace counterfoil::methods
