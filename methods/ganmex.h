#pragma once

#include <memory>

#include "data/augmentation.h"
#include "data/batch_sampler.h"
#include "data/dataset.h"
#include "methods/explainer.h"
#include "nn/keys.h"
#include "nn/models/stargan.h"

// GANMEX: "GANMEX: One-vs-One Attributions using GAN-based Model Explainability" (anonymous submission to ICLR 2021),
// section 3.1 and appendix A.2: StarGAN (Choi et al. 2018) with the explained classifier in the place of the class
// discriminator, and a similarity loss. It finds the realistic image of a target class nearest to the query, the
// baseline of one-vs-one attributions.
//
//   symbol                     here
//   x, c'                      Batch::x, source()
//   c                          Batch::target: the class asked for
//   G(x, c), x~                baseline(), fake
//   D_src                      critic_
//   S_c                        the classifier; D_cls of the variant stand-alone: the critic's class head
//   lambda_fcls, lambda_rec, lambda_sim    weight_classifier, weight_reconstruction, weight_similarity
//
// Numbered deviations:
//  1. Eq. 3 and 9 print the log loss of Goodfellow et al.; appendix A.2 and the released code train StarGAN as TF-GAN
//     has it, with Wasserstein distance and gradient penalty. Both are here by name; the default is the latter.
//  2. The generator's log loss is the non-saturating -log D(x~) in the place of log(1 - D(x~)).
//  3. ||.||_1 is the mean over pixels, in the generator's range [-1, 1], as in the released code.
//  4. c' is the classifier's decision on x, which is what the explanation is about; labels serve the stand-alone
//     variant alone, which knows no classifier (appendix D).
//  5. Targets are uniform over all classes, c' included, as in TF-GAN: G(x, c') learns to leave x alone.
//  6. The weights for digits are not given: those of StarGAN, and 10 for the similarity, within the paper's scan from 0
//     to 100 (appendix E, there on SVHN). The released flags are for apple2orange: 1000, 0 and 100.

namespace counterfoil::methods {

struct GanmexConfig {
  std::string variant = "full";   ///< or no-similarity, no-reconstruction, stand-alone: the ablations of appendix D
  std::string loss = "wgan-gp";   ///< or log; deviation 1
  std::int64_t batch = 16;        ///< StarGAN
  std::int64_t critic_steps = 1;  ///< per generator step; released flags
  double generator_learning_rate = 2e-5;   ///< of Adam; released flags
  double critic_learning_rate = 1e-4;      ///< of Adam; released flags
  double beta1 = 0.9, beta2 = 0.999;       ///< released flags
  double weight_gan = 1;                   ///< eq. 9
  double weight_classifier = 1;            ///< lambda_fcls; deviation 6
  double weight_reconstruction = 10;       ///< lambda_rec; deviation 6
  double weight_similarity = 10;           ///< lambda_sim; deviation 6
  double weight_gradient_penalty = 10;     ///< of wgan-gp; released code
  std::int64_t width = 64;                 ///< channels next to the image; StarGAN
  std::int64_t levels = 2;                 ///< times the generator halves the image; StarGAN
  std::int64_t blocks = 6;                 ///< residual blocks of the generator; StarGAN
  std::int64_t critic_levels = 6;          ///< times the critic halves the image, at most; StarGAN
  data::AugmentationOptions augmentation;  ///< none in the paper

  void declare(nn::Keys& keys);
};

/// Each step: `critic_steps` updates of D_src, each on a batch of its own, then one of G on the last of these batches.
class Ganmex final : public TargetedExplainer {
 public:
  /// `classifier` has any number of classes and outlives this; `train` is copied. Throws Error where the networks
  /// cannot be built for its extents, and for a stand-alone variant whose labels are not the classifier's classes.
  Ganmex(const GanmexConfig& config, nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed,
         Device& device);

  /// For each update of the critic: x in [0,1], c, and of a stand-alone variant the labels.
  std::vector<Tensor> draw() override;
  nn::DeviceTerms compute(const std::vector<Tensor>& drawn) override;
  std::int64_t images_per_step() const override { return config_.batch * config_.critic_steps; }

  /// B_c(x) = G(x, c), the class-targeted baseline (eq. 2) that attribution methods compare x with: x [N,H,W,C] in
  /// [0,1], targets i32 [N] -> [N,H,W,C] in [0,1].
  Tensor baseline(const Tensor& x, const Tensor& targets);
  /// "counterfactual": the baseline; "map": |x - baseline|, the mean over channels.
  Explanation explain_towards(const Tensor& x, const Tensor& targets) override;

 private:
  struct Batch {
    Tensor image, x;  ///< [N,H,W,C] in [0,1] and in [-1,1]
    Tensor target;    ///< c: i32 [N]
    Tensor labels;    ///< i32 [N] of a stand-alone variant, else undefined
  };
  bool stand_alone() const { return config_.variant == "stand-alone"; }
  bool reconstructing() const { return config_.variant != "no-reconstruction" && config_.weight_reconstruction > 0; }
  bool keeping_similar() const { return config_.variant != "no-similarity" && config_.weight_similarity > 0; }
  Tensor source(const Batch& batch);                            ///< c': i32 [N]
  Variable generate(const Variable& x, const Tensor& classes);  ///< in [-1,1]
  Variable critic(const Variable& x);                           ///< D_src, [N,1]
  Variable class_loss(const Variable& x, const Tensor& classes);
  Variable critic_loss(const Batch& batch, nn::DeviceTerms& terms);
  Variable generator_loss(const Batch& batch, nn::DeviceTerms& terms);

  GanmexConfig config_;
  Device& device_;
  Random weights_random_, target_random_, penalty_random_, augmentation_random_;
  nn::StarganGenerator generator_;
  nn::StarganCritic critic_;
  std::unique_ptr<nn::Optimiser> generator_optimiser_, critic_optimiser_;
  data::Dataset images_;
  data::BatchSampler sampler_;
};

}  // namespace counterfoil::methods
