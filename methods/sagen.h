#pragma once

#include "methods/single_generator.h"

// SAGen: M. Charachon, C. Hudelot, P.-H. Cournede, C. Ruppli, R. Ardon, "Combining similarity and adversarial learning
// to generate visual explanation" (ICPR 2020), in the version with a single generator, as Charachon et al. describe it
// (methods/syce.h; section 2 and supplement A.2, E.2). One U-Net with two heads; images of either class, no
// discriminator.
//
//   symbol                 here
//   g^a(x), g^s(x)         adversarial: head 0;  stable: head 1
//   c_f(x)                 decisions.same;  1 - c_f(x): decisions.opposite
//   ||.||                  mixed_distance, the mean of L1 and L2
//
// Numbered deviations:
//  1. The weights are not given in the sources at hand: the classifier's terms have 0.2, lambda_f^a of SyCE on digits,
//     so that the adversarial image crosses; the stable image is held by 10, lambda_d^s of SyCE; the two distances of
//     the adversarial image have 1, little enough for it to move.
//  2. L2 is the mean squared difference; L_bce is taken on the logits of f.
//  3. Batch norm is frozen and dropout off, as for the other generators (deviation 4 of methods/syce.h).

namespace counterfoil::methods {

struct SagenConfig : ImageGeneratorConfig {
  double weight_classifier_stable = 0.2;       ///< deviation 1, like the others
  double weight_classifier_adversarial = 0.2;  ///< of g^a(x) crossing
  double weight_stable = 10.0;                 ///< of ||x - g^s(x)||
  double weight_adversarial = 1.0;             ///< of ||x - g^a(x)||
  double weight_similarity = 1.0;              ///< of ||g^s(x) - g^a(x)||

  void declare(nn::Keys& keys);
  nn::UNetOptions unet(const data::Dataset& images) const;
};

class Sagen final : public SingleGenerator {
 public:
  /// Throws Error unless the classifier has two classes.
  Sagen(const SagenConfig& config, nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed,
        Device& device);

  /// "counterfactual": g^a(x); "stable": g^s(x); "map": |stable - counterfactual|, the mean over channels.
  Explanation explain(const Tensor& x) override;

 protected:
  GeneratorLoss generator_loss(const Variable& x) override;

 private:
  SagenConfig config_;
};

}  // namespace counterfoil::methods
