#pragma once

#include <cstdint>
#include <vector>

#include "nn/classifier.h"

namespace counterfoil::metrics {

/// Accuracy of a classifier while the pixels of the highest attribution are deleted.
struct DeletionCurve {
  std::vector<double> accuracy;  ///< [K+1]: on the images as they are, then at each of K fractions
  Tensor correct;                ///< f64 [N,K+1] on the reference device: 1 where the image's decision is its label
};

/// Progressive Exaggeration's deletion curve, section 4.3 and figure 4c: the fraction of the pixels (rounded to whole
/// ones) with the highest values get numbers drawn from U[0,1), a number for each channel; lower accuracy is better. A
/// pixel keeps its numbers as the fraction grows, and what is drawn for image n depends on `seed` and n alone, so that
/// all attributions of an image meet the same noise.
///
/// x [N,H,W,C] in [0,1], labels i32 [N], attributions [N,H,W,C] or [N,H,W,1]: a pixel has the sum of its channels, with
/// its sign; equal ones in order of row and column. fractions: ascending, in [0,1]. The paper takes positive values
/// alone; clip before where that is wanted. Throws Error as attribution_values and check_explained do, and on labels or
/// fractions that do not fit.
DeletionCurve deletion_curve(nn::Classifier& classifier, const Tensor& x, const Tensor& labels,
                             const Tensor& attributions, std::uint64_t seed,
                             const std::vector<double>& fractions = {0.05, 0.1, 0.15, 0.2});

}  // namespace counterfoil::metrics
