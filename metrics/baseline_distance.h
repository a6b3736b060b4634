#pragma once

#include "tensor/tensor.h"

namespace counterfoil::metrics {

/// How far baselines are from their images (GANMEX, methods/ganmex.h, appendix B, table 1): the mean over images of the
/// Euclidean distance ||x - b||, the root of the sum over all features, and of several baselines of an image the mean
/// over them. x [N,H,W,C], N >= 1; baselines [N,H,W,C] or [N,B,H,W,C]. Throws Error on other shapes.
double baseline_distance(const Tensor& x, const Tensor& baselines);

}  // namespace counterfoil::metrics
