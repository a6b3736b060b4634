#pragma once

#include <array>
#include <memory>
#include <vector>

#include "data/dataset.h"
#include "methods/decision_domains.h"
#include "methods/explainer.h"
#include "methods/generator_training.h"
#include "nn/classifier.h"
#include "nn/keys.h"
#include "nn/models/syce_discriminator.h"
#include "nn/models/unet.h"

namespace counterfoil::methods {

/// The common frame of Charachon et al.: two conditional generators between the domains
///   chi_0 = {x : c_f(x) = 0},  chi_1 = {x : c_f(x) = 1},
/// g_0 : chi_0 -> chi_1 and g_1 : chi_1 -> chi_0, and a discriminator per domain. D_1 judges g_0's images, D_0 judges
/// g_1's. The domains follow the classifier's decisions, never the labels. Each step (supplement E.1, "Optimization
/// Steps"):
///   1. one step of both generators on a batch of chi_0,
///   2. one step of both generators on a batch of chi_1,
///   3. one step of D_0 and one of D_1 on the same batches and newly generated images.
/// What the generators minimise is left to the method, and how they are built: SSyE has one network for both, CyCSAE
/// two heads on each.
struct GeneratorPairConfig : ImageGeneratorConfig {
  double discriminator_learning_rate = 2e-4;  ///< supplement E.1
  double weight_generator_gan = 0.25;         ///< lambda_D, supplement table 1
  double weight_discriminator = 1.0;          ///< lambda_D^d, supplement table 1
  double weight_gradient_penalty = 1.0;       ///< lambda_gp^d, supplement table 1
  std::int64_t discriminator_width = 32;      ///< channels of the first level; grows by as many per level
  std::int64_t discriminator_levels = 3;      ///< the paper says 2 for digits, the released configuration has 3

  void declare(nn::Keys& keys);
};

class GeneratorPair : public Explainer {
 public:
  nn::LossTerms train_step() final;
  std::int64_t images_per_step() const final { return 2 * config_.batch; }

 protected:
  /// How many networks the two generators are.
  enum class Generators : std::uint8_t { two, one };

  /// `classifier` has two classes and outlives this; `train` is copied. `unet` is what the generators are built as.
  /// Throws Error when a domain is smaller than a batch.
  GeneratorPair(const GeneratorPairConfig& config, const nn::UNetOptions& unet, Generators generators,
                nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed, Device& device);

  /// The method's loss for a batch x of the domain `source`: g_source leads out of it, g_{1 - source} back.
  virtual GeneratorLoss generator_loss(const Variable& x, int source) = 0;

  Variable generate(int i, const Variable& x);         ///< g_i(x) in training mode: the first head's image
  Variables generate_heads(int i, const Variable& x);  ///< the images of every head of g_i, in training mode
  Variable generate_eval(int i, const Variable& x);    ///< g_i(x) in eval mode
  nn::UNet& generator(int i) { return *generators_[static_cast<std::size_t>(i) % generators_.size()]; }
  Variable gan_loss(const Variable& adversarial, int source);  ///< eq. 21: L_bce(1, D_{1 - source}(x_a))
  /// L_bce(c, f(x)) where c are i32 classes: eq. 9, 12 and 14 with the targets they name.
  Variable classifier_loss(const Variable& x, const Tensor& classes) { return classifier_.loss(x, classes); }
  Decisions decide(const Tensor& x) { return methods::decide(classifier_, x); }  ///< c_f(x) and 1 - c_f(x)
  /// Applies g_{c_f(x)} to every image: the adversarial image of eq. 5. x [N,H,W,C].
  Tensor adversarial(const Tensor& x);
  Tensor by_domain(const Tensor& x, const std::function<Tensor(const Tensor& part, int domain)>& each) {
    return by_decision(classifier_, x, each);
  }

 private:
  /// Eq. 10 and 22 for D_domain: real images of the domain, fakes made of the other domain's batch.
  Variable discriminator_loss(int domain, const Tensor& real, const Tensor& fake, nn::LossTerms& terms);

  GeneratorPairConfig config_;
  nn::Classifier& classifier_;
  Device& device_;
  Random weights_random_, dropout_random_, penalty_random_;
  std::vector<std::unique_ptr<nn::UNet>> generators_;  // one or two
  std::array<std::unique_ptr<nn::SyceDiscriminator>, 2> discriminators_;
  std::unique_ptr<nn::Optimiser> generator_optimiser_;
  std::array<std::unique_ptr<nn::Optimiser>, 2> discriminator_optimisers_;
  DomainBatches batches_;
};

}  // namespace counterfoil::methods
