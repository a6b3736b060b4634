#pragma once

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace counterfoil::metrics {

/// GANMEX's L(A), appendix C: mean of |A| over the features of the vertical edges, the first and last `edge` columns,
/// over its mean over the others; lower is more localised. 1 of an attribution that is 0 everywhere, as of any constant
/// one; infinite where the centre alone is 0. attributions [N,H,W,C], 1 <= edge, 2 edge < W. The paper gives no width.
/// Throws Error as attribution_values does and on another width.
std::vector<double> inverse_localisation(const Tensor& attributions, std::int64_t edge);

}  // namespace counterfoil::metrics
