#pragma once

#include "methods/generator_pair.h"

// CyCSAE, the cyclic conditioned stable adversarial explainer: Charachon et al. (methods/syce.h), supplement A.2 and
// E.1. Each direction has one U-Net with two heads, one for the adversarial image and one for the stable image.
//
//   symbol                 here
//   x in chi_i             x, forth.from = i, forth.to = 1 - i
//   g_i^a(x)               adversarial: head 0 of g_i (supplement eq. 15)
//   g_i^s(x)               stable: head 1 of g_i (supplement eq. 16)
//   g_{1-i}^a(g_i^a(x))    cycled
//   w_i^a, w_i^s           the parameters of the two heads of g_i;  d_w^i = ||w_i^s - w_i^a||^2
//   D_{1-i}                judges g_i^a's images
//   lambda_*               CycsaeConfig::weight_*
//
// Numbered deviations: 1 to 5 of methods/syce.h, and
//  6. Supplement eq. 18 composes g_{1-i}^a with g_i^s; the text below it ("Framework") with g_i^a. The text is
//     followed: the stable image has no side to come back from.
//  7. The supplement gives no weights of its own but says that the loss is SyCE's with lambda_w (d_w^0 + d_w^1) added:
//     SyCE's weights, and lambda_w = 1e-3, with which the added term starts at about 0.2, the size of its neighbours.
//  8. d_w is the sum over the parameters of the heads (convolutions 3x3 to 32 and 16 channels and 1x1, as for
//     methods/sagen.h); the trunk is shared, so that nothing else could differ. Each of the two generator updates has
//     both directions' d_w.

namespace counterfoil::methods {

struct CycsaeConfig : GeneratorPairConfig {
  double weight_stable = 10.0;                 ///< lambda_d^s, SyCE's, supplement table 1b, digits
  double weight_cycle = 2.0;                   ///< lambda_d^cy, SyCE's
  double weight_classifier_adversarial = 0.2;  ///< lambda_f^a, SyCE's
  double weight_classifier_stable = 0.01;      ///< lambda_f^s, SyCE's
  double weight_classifier_cycle = 0.005;      ///< lambda_f^cy, SyCE's
  double weight_proximity = 1e-3;              ///< lambda_w, deviation 7

  void declare(nn::Keys& keys);
  nn::UNetOptions unet(const data::Dataset& images) const;
};

/// ||w_0 - w_1||^2 over the parameters of the first two heads of a U-Net.
Variable head_distance(const nn::UNet& generator);

class Cycsae final : public GeneratorPair {
 public:
  Cycsae(const CycsaeConfig& config, nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed,
         Device& device);

  /// "counterfactual": g_i^a(x); "stable": g_i^s(x); "map": |stable - counterfactual| (supplement eq. 17), the mean
  /// over channels.
  Explanation explain_towards(const Tensor& x, const Tensor& targets) override;

 protected:
  GeneratorLoss generator_loss(const Variable& x, const Crossing& forth) override;

 private:
  CycsaeConfig config_;
};

}  // namespace counterfoil::methods
