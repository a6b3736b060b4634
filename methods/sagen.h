#pragma once

#include "methods/explainer.h"
#include "methods/single_generator.h"

// SAGen: M. Charachon, C. Hudelot, P.-H. Cournede, C. Ruppli, R. Ardon, "Combining similarity and adversarial learning
// to generate visual explanation" (ICPR 2020), in the version with a single generator, as Charachon et al. describe it
// (methods/syce.h; section 2 and supplement A.2, E.2). One U-Net with two heads; images of either class, no
// discriminator.
//
//   symbol                 here
//   g^a(x), g^s(x)         adversarial: head 0;  stable: head 1
//   c_f(x)                 decided;  1 - c_f(x): targets
//   ||.||                  mixed_distance, the mean of L1 and L2
//
// Numbered deviations:
//  1. The weights are not given in the sources at hand. Most are what SyCE has on digits (supplement, table 1b) for the
//     same quantity: lambda_d^s = 10 for either image's distance to x, lambda_f^s = 0.01 for the stable decision,
//     lambda_d^cy = 2, which "encourages the minimisation of d_g", for the distance between the images. SyCE's
//     lambda_f^a = 0.2 is for an image that no distance holds back: with it 0.97 of the digits crossed and 0.78 of the
//     clothes (docs/methods/sagen.md), with 0.5 0.99 and 0.85.
//  2. L2 is the mean squared difference; L_bce is taken on the logits of f.
//  3. Batch norm is frozen and dropout off, as for the other generators, and the clip is theirs (deviations 4 and
//     5 of methods/syce.h).
//  4. Of several classes each is explained against each other (supplement B.2) as by the other generators
//     (methods/generator_pair.h): the target is planes of a one and zeros beside the image's channels, in training one
//     of the classes that f does not decide, drawn for each image; L_bce is the cross-entropy.

namespace counterfoil::methods {

struct SagenConfig : ImageGeneratorConfig {
  double weight_classifier_stable = 0.01;      ///< lambda_f^s of SyCE; deviation 1
  double weight_classifier_adversarial = 0.5;  ///< of g^a(x) crossing
  double weight_stable = 10.0;                 ///< lambda_d^s: of ||x - g^s(x)||
  double weight_adversarial = 10.0;            ///< the same: of ||x - g^a(x)||
  double weight_similarity = 2.0;              ///< lambda_d^cy: of ||g^s(x) - g^a(x)||

  void declare(nn::Keys& keys);
  nn::UNetOptions unet(const data::Dataset& images) const;
};

class Sagen final : public TargetedExplainer {
 public:
  Sagen(const SagenConfig& config, nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed,
        Device& device);

  /// Images [N,H,W,C]; of each what f decides and the target, i32 [N].
  std::vector<Tensor> draw() override;
  nn::DeviceTerms compute(const std::vector<Tensor>& drawn) override;
  std::int64_t images_per_step() const override { return config_.batch; }

  /// "counterfactual": g^a(x); "stable": g^s(x); "map": |stable - counterfactual|, the mean over channels.
  Explanation explain_towards(const Tensor& x, const Tensor& targets) override;

 private:
  bool conditional() const { return classifier().class_count() > 2; }
  /// Both heads' images of x [N,H,W,C] on the way to `targets`, i32 [N].
  Variables heads(const Variable& x, const Tensor& targets, const nn::Pass& pass);
  GeneratorLoss generator_loss(const Variable& x, const Tensor& decided, const Tensor& targets);

  SagenConfig config_;
  Device& device_;
  SingleGenerator generator_;
  Random targets_random_;
};

}  // namespace counterfoil::methods
