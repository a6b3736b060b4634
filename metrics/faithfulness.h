#pragma once

#include <vector>

#include "nn/score.h"

// Whether the values of an attribution foretell what single features do to the score. Both return a correlation for
// each image, [N]; where the values or the effects are all equal, as of an image with one feature, it is 0. x [N,H,W,C]
// in [0,1]; attributions [N,H,W,C], or maps [N,H,W,1], where a pixel's channels change together. Each feature costs a
// classification (monotonicity: one for each replacement). Throws Error as attribution_values and check_explained do.

namespace counterfoil::metrics {

/// Faithfulness (Alvarez-Melis and Jaakkola 2018; GANMEX, appendix C): Pearson's correlation over the features i of the
/// value a_i with the drop s(x) - s(x with x_i = b_i). baselines: an image for each, [N,H,W,C], or [1,H,W,C] for all.
std::vector<double> faithfulness(nn::Classifier& classifier, const Tensor& x, const nn::Question& question,
                                 const Tensor& attributions, const Tensor& baselines);

/// Monotonicity (Nguyen and Martinez 2020; GANMEX, appendix C): Spearman's correlation, equal values sharing their
/// average rank, over the features i of |a_i| with E[(s(x) - s(x with x_i = r_i))^2], the mean over the images r of
/// `replacements` [M,H,W,C], M >= 1: for the feature's own distribution take images of a data set, for a uniform one
/// noise.
std::vector<double> monotonicity(nn::Classifier& classifier, const Tensor& x, const nn::Question& question,
                                 const Tensor& attributions, const Tensor& replacements);

}  // namespace counterfoil::metrics
