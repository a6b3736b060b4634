#pragma once

#include "tensor/tensor.h"

namespace counterfoil::metrics {

/// FVA, whether a verification network would take query and explanation for the same individual: the fraction of rows
/// whose codes, queries [N,D] and explanations [N,D], N >= 1, have a cosine distance 1 - a.b / (|a| |b|) below the
/// threshold. A code of zeros has no direction: its distance is 1. (Singla et al., "Explanation by progressive
/// exaggeration", ICLR 2020, section 4.1, table 2.)
///
/// Numbered deviations:
///  1. The paper's codes are of a face recognition network trained on VGGFace2, whose weights are not at hand. Any
///     embedding stands in for it here, and the figure is of that embedding alone: name it beside the figure.
double verification_accuracy(const Tensor& queries, const Tensor& explanations, double threshold = 0.5);

}  // namespace counterfoil::metrics
