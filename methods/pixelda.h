#pragma once

#include <array>
#include <memory>

#include "methods/decision_domains.h"
#include "methods/explainer.h"
#include "nn/keys.h"
#include "nn/models/pixelda.h"

// PixelDA: K. Bousmalis, N. Silberman, D. Dohan, D. Erhan, D. Krishnan, "Unsupervised pixel-level domain adaptation
// with generative adversarial networks" (2017), as the one-way peer in table 3 of ExplainGAN (methods/explaingan.h):
// images that the classifier decides j are transformed into such that it decides 1 - j. Nothing leads back and nothing
// ties the result to the query.
//
//   symbol                  here
//   x_s, x_t                images that f decides j, and 1 - j
//   z                       noise, uniform in [-1, 1]
//   G(x_s, z), D            Way::generator, Way::discriminator
//   T                       the explained classifier
//   alpha, beta, gamma      weight_gan, weight_classifier, weight_content
//
// Numbered deviations:
//  1. PixelDA trains a task classifier T on source labels, for both domains, and its classes are other than its
//     domains. Here the domains are the classes and T is the explained classifier, frozen: its loss asks for class
//     1 - j. ExplainGAN says no more of its peer than that it is one-way.
//  2. Both directions are trained side by side, as two one-way transformers that share nothing, so that every image can
//     be explained; `direction` trains one alone, as in the table.
//  3. The content loss (eq. 7) has no mask: PixelDA uses it where the foreground is known, and ExplainGAN's peer is not
//     said to have it. Its weight is 0.
//  4. All explanations of a run have the same z, drawn from its seed, and use running averages, so that they depend on
//     the image alone. z = 0 would not do: the noise is normalised, and its middle is nothing that G was trained with.
//  5. No weight decay (1e-5 in the released configuration), no gradient clipping, no decay of the learning rate (0.95
//     every 20,000 steps there).

namespace counterfoil::methods {

struct PixeldaConfig {
  std::string direction = "both";          ///< or 0-to-1, 1-to-0; deviation 2
  std::int64_t batch = 32;                 ///< of each domain; released configuration
  double learning_rate = 1e-3;             ///< of Adam, for G and D; released configuration
  double beta1 = 0.5, beta2 = 0.999;       ///< released configuration
  double weight_gan = 1;                   ///< alpha; released configuration
  double weight_classifier = 1;            ///< beta; released configuration
  double weight_content = 0;               ///< gamma; deviation 3
  std::int64_t width = 64;                 ///< channels; released configuration
  std::int64_t blocks = 6;                 ///< residual blocks of G; released configuration
  std::int64_t noise = 10;                 ///< length of z; released configuration
  data::AugmentationOptions augmentation;  ///< none in the paper; an augmented image stays of its domain

  void declare(nn::Keys& keys);
};

/// Eq. 7 with a mask of ones: per image mean (a - b)^2 - (mean (a - b))^2, the mean over images. It lets a change of
/// overall brightness pass.
Variable content_loss(const Variable& a, const Variable& b);

/// Each step: one update of D, then one of G on newly drawn images, for each direction.
class Pixelda final : public Explainer {
 public:
  /// `classifier` has two classes and outlives this; `train` is copied.
  Pixelda(const PixeldaConfig& config, nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed,
          Device& device);

  std::vector<Tensor> draw() override { return {batches_.next(0), batches_.next(1)}; }  ///< [N,H,W,C] of either class
  nn::DeviceTerms compute(const std::vector<Tensor>& batches) override;
  std::int64_t images_per_step() const override { return 2 * config_.batch; }

  /// "counterfactual": G(x, z), or x itself where no generator leads out of its class; "map": |x - counterfactual|, the
  /// mean over channels.
  Explanation explain(const Tensor& x) override;

 private:
  /// One transformer, out of the class it is stored under.
  struct Way {
    Way(const nn::Init& init, const nn::PixeldaOptions& options, const AdamStep& step);
    nn::PixeldaGenerator generator;
    nn::PixeldaDiscriminator discriminator;
    std::unique_ptr<nn::Optimiser> generator_optimiser, discriminator_optimiser;
  };
  Variable generate(Way& way, const Tensor& x);  ///< in training, in [-1,1]
  void train_way(int source, const std::array<Tensor, 2>& x, nn::DeviceTerms& terms);

  PixeldaConfig config_;
  nn::Classifier& classifier_;
  std::uint64_t seed_;
  Random weights_random_, dropout_random_, noise_random_;
  std::array<std::unique_ptr<Way>, 2> ways_;
  DomainBatches batches_;
};

}  // namespace counterfoil::methods
