#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "nn/module.h"

// The sanity check of Adebayo et al. (2018), as GANMEX, section 4.1, has it: an attribution that explains a network
// changes as its layers, from the output on, forget what they have learnt.

namespace counterfoil::metrics {

/// Replaces the parameters of one layer of `network` after the other, the last in the order of parameters first, and
/// leaves those before it replaced: each tensor by Gaussian numbers of the same Frobenius norm (so that zeros stay). A
/// layer is the parameters with one dotted name before the last dot, and that is what `attribute_again` is called with
/// after each. Where there is spectral norm, its u and v are settled on the new weight; running statistics stay.
/// Numbers depend on `seed` and the parameter's name alone. All is as it was when this returns or throws what
/// `attribute_again` threw.
void randomise_cascading(nn::Module& network, std::uint64_t seed,
                         const std::function<void(const std::string& layer)>& attribute_again);

/// How alike two attributions of each image are: rank correlations over its features, in [-1, 1].
struct RankSimilarity {
  std::vector<double> values;      ///< [N]: Spearman's of the values with their signs
  std::vector<double> magnitudes;  ///< [N]: Spearman's of the absolute values
};

/// a and b [N,H,W,C]; of one that is constant, as is 0 everywhere, 0. Throws Error as attribution_values does and on
/// different shapes.
RankSimilarity rank_similarity(const Tensor& a, const Tensor& b);

}  // namespace counterfoil::metrics
