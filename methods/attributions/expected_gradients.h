#pragma once

#include "methods/attributions/attribution.h"

namespace counterfoil::methods {

/// Expected gradients: G. Erion, J. D. Janizek, P. Sturmfels, S. M. Lundberg, S.-I. Lee, "Learning explainable models
/// using attribution priors" (2019), section 2: integrated gradients averaged over baselines, by drawing both,
///
///   1/M sum_m (x - b_m) dS / dx at b_m + a_m (x - b_m),   m = 1 .. draws,
///
/// b_m uniformly from the image's set, with replacement, and a_m from U(0,1). Of one class against another GANMEX
/// (methods/ganmex.h, section 2.3) takes for the set training images of the class held against. Complete in
/// expectation: the gap that is reported, against the mean over the whole set, falls as 1 / sqrt(draws). An image's
/// values are the same bits alone and, at the same place, among others.
class ExpectedGradients final : public AttributionMethod {
 public:
  std::int64_t draws = 200;  ///< as many gradients as integrated gradients take

  void declare(nn::Keys& keys) override;
  BaselineUse baseline_use() const override { return BaselineUse::several; }

 private:
  Attribution compute(const AttributionCall& call) const override;
};

}  // namespace counterfoil::methods
