#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "nn/score.h"

// What a classifier makes of an image while it is perturbed step by step. The copies of an image that are classified
// together, a bounded number, are all its own, so that its curve does not depend on the other images.

namespace counterfoil::metrics {

/// Makes the step `step`, from 1 on, of image `image`: `pixels` [H*W*C] holds what the step before left, at first x.
using Perturb = std::function<void(std::int64_t image, std::int64_t step, std::span<double> pixels)>;

/// What is measured of copies [B,H,W,C] of image `image`: B numbers.
using Measure = std::function<std::vector<double>(const Tensor& copies, std::int64_t image)>;

/// The measure of each image of x [N,H,W,C] as it is and after each step: f64 [N, steps + 1], on the reference device.
Tensor measure_along(const Tensor& x, std::int64_t steps, const Perturb& perturb, const Measure& measure);

/// The same of the score that `question` names. `who` begins the text of an Error on questions that are not N and
/// on a score that is not finite.
Tensor scores_along(nn::Classifier& classifier, const Tensor& x, const nn::Question& question, std::int64_t steps,
                    const Perturb& perturb, const char* who);

/// The scores s_0 .. s_K of N images along K steps.
struct PerturbationCurve {
  Tensor scores;             ///< f64 [N,K+1] on the reference device
  std::vector<double> area;  ///< [N]: over the curve, 1 / (K + 1) sum over k = 0..K of (s_0 - s_k)

  explicit PerturbationCurve(Tensor scores);
};

}  // namespace counterfoil::metrics
