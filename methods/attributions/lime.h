#pragma once

#include <span>

#include "methods/attributions/attribution.h"

// LIME: M. T. Ribeiro, S. Singh, C. Guestrin, "Why should I trust you? Explaining the predictions of any classifier"
// (2016), for images: how much each superpixel adds to the score, by a linear model fitted to the scores of copies of
// the image in which some superpixels are switched off. CDeepEx (methods/cdeepex.h, section 4) compares with it.
//
//   symbol          here
//   z'_i            a row of `states`: 1 where copy i shows the segment, 0 where it is switched off; each is a coin,
//                   and copy 0 is the image itself
//   f(z_i)          scores
//   D(1, z'_i)      cosine distance 1 - sqrt(number of ones / number of segments); 1 of the copy without any
//   pi(z'_i)        weights: sqrt(exp(-D^2 / kernel_width^2))
//   g(z') = b + w'z'   weighted_ridge: argmin sum_i pi_i (f(z_i) - b - w'z'_i)^2 + penalty |w|^2
//
// Numbered deviations:
//  1. The released code's model, a ridge regression on all segments, stands for the paper's K-LASSO. As there, the
//     intercept b isn't penalised, and the values shrink towards 0 as the penalty has it.
//  2. The released code segments with quickshift; here it is SLIC or a grid (superpixels.h).
//  3. A switched-off segment shows the baseline; with `hidden` = mean the segment's own mean colour, the released
//     code's default, and there is no baseline.
//  4. Every feature of a segment has the segment's coefficient w, as the released code and its users show it: the sum
//     over the pixels is not the score.

namespace counterfoil::methods {

/// Values [N,H,W,C]; see deviation 4. What is drawn for image n is keyed by (seed, n). Throws Error where the
/// regression has no single solution, a penalty of 0 and too few samples, and on more than 2^26 samples x segments.
class Lime final : public AttributionMethod {
 public:
  std::string superpixels = "slic";
  std::int64_t segments = 50;  ///< about; released code: some 50 to 100, as quickshift finds them
  double compactness = 10;     ///< of slic
  std::string hidden = "baseline";
  std::int64_t samples = 1000;  ///< released code
  double kernel_width = 0.25;   ///< released code
  double penalty = 1;           ///< released code

  void declare(nn::Keys& keys) override;
  BaselineUse baseline_use() const override { return hidden == "mean" ? BaselineUse::none : BaselineUse::one; }

 private:
  Attribution compute(const AttributionCall& call) const override;
};

/// argmin over w of min over b of sum_i weight_i (y_i - b - x_i w)^2 + penalty |w|^2, in float64: w [columns], of
/// x [rows, columns], y [rows] and weights [rows] >= 0, of which one is above 0. Throws Error where no single w is
/// best.
std::vector<double> weighted_ridge(std::span<const double> x, std::span<const double> y,
                                   std::span<const double> weights, double penalty);

}  // namespace counterfoil::methods
