#pragma once

#include "tensor/tensor.h"

namespace counterfoil::metrics {

/// How much of the image an explanation changes: the part of the elements of masks, any shape, in [0,1], that are not
/// zero (Samangouei et al., "ExplainGAN", ECCV 2018, section 5.5, "localized"; there their number). Small is localised.
///
/// Numbered deviations:
///  1. A mask of sigmoids is nowhere zero; an element counts as zero when it rounds to 0 in 8 bits, m < 1 / 510, as in
///     the picture that is shown of it.
double mask_nonzero(const Tensor& masks);

}  // namespace counterfoil::metrics
