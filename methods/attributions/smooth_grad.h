#pragma once

#include <string>

#include "methods/attributions/attribution.h"

namespace counterfoil::methods {

/// SmoothGrad: D. Smilkov, N. Thorat, B. Kim, F. Viegas, M. Wattenberg, "SmoothGrad: removing noise by adding noise"
/// (2017), section 3.2: the mean over m = 1 .. samples of a(dS / dx at x + e_m), the elements of e_m drawn from
/// N(0, sigma^2). Noisy images are not clipped to [0,1].
class SmoothGrad final : public AttributionMethod {
 public:
  /// Deviation of the noise over the range of images, which is 1 for x in [0,1]; the paper finds 0.1 to 0.2 to do best.
  double sigma = 0.15;
  std::int64_t samples = 50;  ///< the paper: more than that gives little
  /// What is averaged, a(g): "signed" g, the paper's formula; "magnitude" |g|, which it draws of colour images;
  /// "squared" g^2 (S. Hooker et al., "A benchmark for interpretability methods in deep neural networks", 2019).
  std::string gradient = "signed";

  void declare(nn::Keys& keys) override;
  BaselineUse baseline_use() const override { return BaselineUse::none; }

 private:
  Attribution compute(const AttributionCall& call) const override;
};

}  // namespace counterfoil::methods
