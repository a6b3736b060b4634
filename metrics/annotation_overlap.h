#pragma once

#include <vector>

#include "tensor/tensor.h"

// Whether an attribution lies where a person says that the evidence is (Charachon et al., section 6 and supplement
// F.2). attributions [N,H,W,C]: a pixel has the sum of its channels, with its sign. annotations [N,H,W,1], of any
// dtype: the annotated pixels are those that are not 0. Both return a figure for each image, [N], and throw Error as
// attribution_values does and on annotations of another shape.

namespace counterfoil::metrics {

/// IoU_p: intersection over union of the annotated pixels and those where the attribution is above its p-th percentile
/// over the image, interpolated between ranks (Hyndman and Fan's type 7), 0 <= p <= 100. 0 where neither has a pixel.
/// Deviation: strictly above. Where no pixel is, since more than 1 - p / 100 of them share the largest value, they are
/// those with the largest value; of a constant attribution, none.
std::vector<double> intersection_over_union(const Tensor& attributions, const Tensor& annotations, double p);

/// NCC: Pearson's correlation (population deviations) over the pixels of the attribution and the annotation as 0 and 1;
/// 0 where either is constant.
std::vector<double> normalised_cross_correlation(const Tensor& attributions, const Tensor& annotations);

}  // namespace counterfoil::metrics
