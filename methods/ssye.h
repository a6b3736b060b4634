#pragma once

#include "methods/generator_pair.h"

// SSyE, the strict symmetrical explainer: Charachon et al. (methods/syce.h), supplement A.1 and E.1. One generator
// leads out of either domain and back.
//
//   symbol                 here
//   x in chi_i             x, forth.from = i, forth.to = 1 - i
//   g(x)                   adversarial (supplement eq. 11)
//   g(g(x))                stable (supplement eq. 12)
//   c_f(x)                 decisions.same;  1 - c_f(x): decisions.opposite
//   D_{1-i}                judges g's images of chi_i
//   lambda_*               SsyeConfig::weight_*
//
// The supplement's numbers 11 to 13 are other equations in the paper; those without the word are the paper's.
//
// Numbered deviations: 1 to 5 of methods/syce.h, and
//  6. The supplement gives no weights of its own: those of SyCE, whose loss this is without the cycle terms.
//  7. "Several" convolution layers are added at the end of the U-Net: extra_blocks = 2.

namespace counterfoil::methods {

struct SsyeConfig : GeneratorPairConfig {
  double weight_symmetry = 10.0;               ///< lambda_d^s, SyCE's, supplement table 1b, digits
  double weight_classifier_adversarial = 0.2;  ///< lambda_f^a, SyCE's
  double weight_classifier_symmetry = 0.01;    ///< lambda_f^s, SyCE's
  std::int64_t extra_blocks = 2;               ///< deviation 7

  void declare(nn::Keys& keys);
  nn::UNetOptions unet(const data::Dataset& images) const;
};

class Ssye final : public GeneratorPair {
 public:
  Ssye(const SsyeConfig& config, nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed,
       Device& device);

  /// "counterfactual": g(x); "stable": g(g(x)); "map": |stable - counterfactual| (supplement eq. 13), the mean over
  /// channels.
  Explanation explain_towards(const Tensor& x, const Tensor& targets) override;

 protected:
  GeneratorLoss generator_loss(const Variable& x, const Crossing& forth) override;

 private:
  SsyeConfig config_;
};

}  // namespace counterfoil::methods
