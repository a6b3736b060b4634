#pragma once

#include "methods/attributions/attribution.h"

namespace counterfoil::methods {

/// Guided back-propagation: J. T. Springenberg, A. Dosovitskiy, T. Brox, M. Riedmiller, "Striving for simplicity: the
/// all convolutional net" (2015), section 3.4. The gradient of the score to x, with signs, where rectifiers pass back
/// what is positive and came from a positive input:
///
///   d_x = max(d_y, 0) [x > 0]
///
/// Rectifiers are relu, leaky_relu and elu, alone or fused into the operation before them. The last two let something
/// through for x <= 0 and have a slope there; here they block it as relu does. Other activations (tanh, sigmoid,
/// softplus) and all else keep their derivatives, and a classifier without rectifiers has its plain gradient.
class GuidedBackpropagation final : public AttributionMethod {
 public:
  void declare(nn::Keys& keys) override;
  BaselineUse baseline_use() const override { return BaselineUse::none; }

 private:
  Attribution compute(const AttributionCall& call) const override;
};

}  // namespace counterfoil::methods
