#pragma once

#include "metrics/perturbation_curve.h"

namespace counterfoil::metrics {

struct AospcOptions {
  double threshold = 0.5;   ///< t of the paper, in [0,1): it takes 0.5, 0.7 and 0.9
  std::int64_t steps = 10;  ///< K >= 1
  int neighbours = 8;       ///< of a pixel, 4 or 8; the paper does not say
};

struct Aospc {
  PerturbationCurve curve;
  std::vector<std::int64_t> segments;  ///< [N]: how many each image had
};

/// Area over the segment perturbation curve (ExplainGAN, section 5.4, eq. 17): each map, brought to [0,1] by its least
/// and largest value, is cut off at t; the connected regions above t are its segments. Step k fills the one with the
/// k-th highest mean of the map, of equal ones the one that comes first in row order, with numbers from U[0,1), the
/// range of the pixels, one for each channel. s_k is the score that `question` names, whose scale is the caller's, and
/// each image's area is 1 / (K + 1) sum over k = 0..K of (s_0 - s_k), higher is better; eq. 17 averages them.
///
/// Where an image has fewer than K segments the curve stays as after the last. A constant map has none. What is drawn
/// for image n depends on `seed` and n alone: all maps of an image meet the same noise. x [N,H,W,C] in [0,1];
/// attributions [N,H,W,C] or [N,H,W,1]: a pixel has the sum of its channels. Throws Error as attribution_values and
/// check_explained do, and on options out of range.
Aospc aospc(nn::Classifier& classifier, const Tensor& x, const nn::Question& question, const Tensor& attributions,
            std::uint64_t seed, const AospcOptions& options = {});

}  // namespace counterfoil::metrics
