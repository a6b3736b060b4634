#pragma once

#include <optional>

#include "metrics/perturbation_curve.h"

namespace counterfoil::metrics {

/// Area over the perturbation curve, AOPC_L (Samek et al. 2017; GANMEX, section 4.1 and appendix C): step k flips the
/// feature with the k-th highest value, with its sign, to 1 - x; s_k is the score after it, and each image's area is
/// 1 / (L + 1) sum over k = 0..L of (s_0 - s_k), higher is better. GANMEX asks one class against another; whether its s
/// are probabilities or logits is the question's scale.
///
/// x [N,H,W,C] in [0,1]; attributions [N,H,W,C], features being channels of pixels, or maps [N,H,W,1], where a step
/// flips a pixel's channels together; equal values in order of row, column and channel. steps: L, 1 to the number of
/// features; none: all of them. Throws Error as attribution_values and check_explained do, and on another L.
PerturbationCurve aopc(nn::Classifier& classifier, const Tensor& x, const nn::Question& question,
                       const Tensor& attributions, std::optional<std::int64_t> steps = 100);

}  // namespace counterfoil::metrics
