#pragma once

#include <array>
#include <memory>

#include "methods/decision_domains.h"
#include "methods/explainer.h"
#include "nn/keys.h"
#include "nn/models/shared_end.h"

// ExplainGAN: P. Samangouei, A. Saeedi, L. Nakagawa, N. Silberman, "ExplainGAN: Model Explanation via Decision Boundary
// Crossing Transformations", ECCV 2018.
//
//   symbol                 here
//   F(x)                   classifier: the probability of class 1
//   S_j                    images with decision j, x[j]
//   E_0, E_1               encoders_, their last layers shared (section 5.2)
//   z_j = E_j(x_j)         code
//   G_j(z_j)               Generated::reconstruction
//   G_{1-j}(z_j)           Generated::transformed
//   G_m(z_j)               Generated::mask
//   C_{1-j}(x_j)           Generated::composite (eq. 5)
//   D_0, D_1               discriminators_, their last layers shared (section 5.2)
//   kappa                  ExplainganConfig::kappa
//
// Numbered deviations:
//  1. Images, heads and mask lie in [0,1] (sigmoid), where DCGAN has tanh: the classifier and eq. 5 take the heads as
//     they are, without a conversion.
//  2. Eq. 8 asks the generator to minimise log(1 - D(fake)); it minimises -log D(fake), the customary non-saturating
//     form with the same fixed point.
//  3. F is the probability of class 1, so that eq. 9 and 10 are cross entropies with the opposite class, taken on
//     logits.
//  4. Reductions, which the paper leaves open: squared norms (eq. 11, 13) are summed over the image, eq. 15 and 16 are
//     means over pixels, and every term is a mean over the batch. The default weights go with these reductions.
//  5. The heads G_0, G_1, G_m are channels of one last layer.
//  6. Batch norm. E and G run once per step, on the images of both classes together wherever the classes share layers:
//     their running averages then describe what they see in training, and explain() uses those (eval mode). The trunks
//     of E_0 and E_1 see one class only, in training and in explain(). The discriminators, of which only training makes
//     use, take the statistics of each kind of image separately.

namespace counterfoil::methods {

struct ExplainganConfig {
  std::string variant = "full";       ///< or norec, nomask: table 3's ablations
  double learning_rate = 1e-4;        ///< of Adam; not given in the paper
  double beta1 = 0.5, beta2 = 0.999;  ///< DCGAN's
  std::int64_t batch = 64;            ///< per class; not given in the paper
  std::int64_t code = 128;            ///< length of z; not given in the paper
  std::int64_t width = 64;            ///< channels next to the image; DCGAN's for small images
  std::int64_t shared_layers = 1;     ///< "the last few layers", section 5.2; digits have 3 layers in all
  // The coefficients, "obtained via cross-validation" and not given: a public reimplementation's starting point.
  double weight_gan = 0.07;
  double weight_classifier = 1.25;
  double weight_reconstruction = 0.0005;
  double weight_consistency = 0.025;
  double weight_count = 10;
  double weight_smoothness = 0.05;
  double weight_entropy = 0.15;
  double kappa = 0.1;                      ///< share of the pixels that may change at no cost, eq. 14
  data::AugmentationOptions augmentation;  ///< none in the paper; an augmented image stays of its domain

  void declare(nn::Keys& keys);
};

/// What G makes of images x_j of class j, all [N,H,W,C] in [0,1] but the mask [N,H,W,1].
struct Generated {
  Variable reconstruction, transformed, mask, composite;
};

namespace explaingan {

Variable composite(const Variable& x, const Variable& transformed, const Variable& mask);           ///< eq. 5
Variable gan_discriminator(const Variable& real_logits, const std::vector<Variable>& fake_logits);  ///< eq. 8
Variable gan_generator(const std::vector<Variable>& fake_logits);                                   ///< eq. 8
Variable classifier_loss(nn::Classifier& classifier, const Variable& composite, int target);        ///< eq. 9, 10
Variable reconstruction_loss(const Variable& reconstruction, const Variable& x);                    ///< eq. 11
Variable consistency_loss(const Variable& x, const Variable& transformed, const Variable& mask);    ///< eq. 13
Variable count_loss(const Variable& mask, double kappa);                                            ///< eq. 14
Variable smoothness_loss(const Variable& mask);                                                     ///< eq. 15
Variable entropy_loss(const Variable& mask);                                                        ///< eq. 16

}  // namespace explaingan

/// Each step: one of D_0 and D_1 (the maximum of eq. 6), then one of E_0, E_1 and G (the minimum) with new images.
///   norec   leaves out L_recon (eq. 11) and the reconstructions among the fakes of eq. 8,
///   nomask  leaves out the mask: C_{1-j}(x) = G_{1-j}(z), and no prior (eq. 12).
class Explaingan final : public Explainer {
 public:
  /// `classifier` has two classes and outlives this; `train` is copied. Throws Error when the images are too small to
  /// be halved, and at a step when the classifier puts less than a batch in a class.
  Explaingan(const ExplainganConfig& config, nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed,
             Device& device);

  std::vector<Tensor> draw() override { return {batches_.next(0), batches_.next(1)}; }  ///< x_0 and x_1, [N,H,W,C]
  nn::DeviceTerms compute(const std::vector<Tensor>& batches) override;
  std::int64_t images_per_step() const override { return 2 * config_.batch; }

  /// "counterfactual": the composite; "transformed": G_{1-j}(z_j); "reconstruction": G_j(z_j); "mask" [N,H,W,1]; "map":
  /// the mask, or without one |x - counterfactual|. j is the classifier's decision. All from running averages.
  Explanation explain(const Tensor& x) override;

 private:
  bool masked() const { return config_.variant != "nomask"; }
  bool reconstructing() const { return config_.variant != "norec"; }
  /// Eq. 4 and 5 for a batch of either class.
  std::array<Generated, 2> generate(const std::array<Tensor, 2>& x);
  /// What the heads say of images x of class j.
  Generated split_heads(const Variable& heads, const Variable& x, int j) const;
  /// D_j's logits of every fake of class j in eq. 8.
  std::vector<Variable> judge_fakes(const std::array<Generated, 2>& made, int j);
  Variable discriminator_loss(const std::array<Tensor, 2>& x);
  Variable generator_loss(const std::array<Tensor, 2>& x, nn::DeviceTerms& terms);

  ExplainganConfig config_;
  nn::Classifier& classifier_;
  std::int64_t channels_;
  Random weights_random_, dropout_random_;
  nn::SharedEndPair encoders_;
  nn::DcganGenerator generator_;
  nn::SharedEndPair discriminators_;
  std::unique_ptr<nn::Optimiser> generator_optimiser_, discriminator_optimiser_;
  DomainBatches batches_;
};

}  // namespace counterfoil::methods
