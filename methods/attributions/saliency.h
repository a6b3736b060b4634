#pragma once

#include "methods/attributions/attribution.h"

namespace counterfoil::methods {

/// K. Simonyan, A. Vedaldi, A. Zisserman, "Deep inside convolutional networks: visualising image classification models
/// and saliency maps" (2014), section 3: |dS / dx|, >= 0. Of every channel of a pixel, where the paper keeps the
/// largest one alone: an attribution has a value per feature, and whoever draws it chooses.
class Saliency final : public AttributionMethod {
 public:
  void declare(nn::Keys& keys) override;
  BaselineUse baseline_use() const override { return BaselineUse::none; }

 private:
  Attribution compute(const AttributionCall& call) const override;
};

/// A. Shrikumar, P. Greenside, A. Shcherbina, A. Kundaje, "Not just a black box: learning important features through
/// propagating activation differences" (2016): x dS / dx. Nothing is taken from x: a black pixel has the value 0.
class GradientTimesInput final : public AttributionMethod {
 public:
  void declare(nn::Keys& keys) override;
  BaselineUse baseline_use() const override { return BaselineUse::none; }

 private:
  Attribution compute(const AttributionCall& call) const override;
};

}  // namespace counterfoil::methods
