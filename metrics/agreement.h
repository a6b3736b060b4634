#pragma once

#include "nn/classifier.h"

namespace counterfoil::metrics {

/// Fraction of images on which two lists of decisions i32 [N] agree. Charachon et al., supplement table 2: against the
/// decisions on the originals, acc_s of the stable images (higher is better) and acc_a of the adversarial ones (lower
/// is better). N >= 1.
double agreement(const Tensor& decisions_a, const Tensor& decisions_b);

/// Mean absolute and root mean square difference per image, averaged over images: the distance of a counterfactual to
/// its query.
struct QueryDistance {
  double l1 = 0;  ///< mean over images of the mean over pixels of |a - b|
  double l2 = 0;  ///< mean over images of the root of the mean over pixels of (a - b)^2
};
QueryDistance query_distance(const Tensor& counterfactuals, const Tensor& queries);

}  // namespace counterfoil::metrics
