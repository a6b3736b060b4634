#pragma once

#include <array>
#include <memory>
#include <optional>
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
///
/// A classifier of several classes is explained each class against each other (supplement B.2): "a unique couple of
/// generator and discriminator", conditioned as conditional GANs are. The paper leaves open how; here the classes are
/// planes of ones and zeros beside the image's channels. The generator g_ik that leads from class i to class k sees
/// both one-hot, 2 K planes, so that the pair is the case of K = 2: g_01 is g_0, g_10 is g_1, and all equations hold
/// with i and k for 0 and 1. SSyE's generator, which leads there and back, sees their sum, K planes. The discriminator
/// sees the class that its image shall be of. Each step draws pairs i != k uniformly, half a step's images in class i
/// and half in class k, and the three updates above follow.
struct GeneratorPairConfig : ImageGeneratorConfig {
  double discriminator_learning_rate = 2e-4;  ///< supplement E.1
  double weight_generator_gan = 0.25;         ///< lambda_D, supplement table 1
  double weight_discriminator = 1.0;          ///< lambda_D^d, supplement table 1
  double weight_gradient_penalty = 1.0;       ///< lambda_gp^d, supplement table 1
  std::int64_t discriminator_width = 32;      ///< channels of the first level; grows by as many per level
  std::int64_t discriminator_levels = 3;      ///< the paper says 2 for digits, the released configuration has 3

  void declare(nn::Keys& keys);
};

class GeneratorPair : public TargetedExplainer {
 public:
  /// Both batches, one after the other: x [N,H,W,C], and from and to of its Crossing.
  std::vector<Tensor> draw() final;
  nn::DeviceTerms compute(const std::vector<Tensor>& drawn) final;
  std::int64_t images_per_step() const final { return 2 * config_.batch; }

 protected:
  /// How many networks the two generators are.
  enum class Generators : std::uint8_t { two, one };

  /// `classifier` outlives this; `train` is copied. `unet` is what the generators are built as, but for the planes of
  /// classes. Throws Error at a step when one of two domains is smaller than a batch, or one of several empty.
  GeneratorPair(const GeneratorPairConfig& config, const nn::UNetOptions& unet, Generators generators,
                nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed, Device& device);

  /// The method's loss for a batch x of which every image is to cross.
  virtual GeneratorLoss generator_loss(const Variable& x, const Crossing& forth) = 0;

  Variable generate(const Crossing& way, const Variable& x);         ///< in training mode: the first head's image
  Variables generate_heads(const Crossing& way, const Variable& x);  ///< the images of every head, in training mode
  Variables generate_eval(const Crossing& way, const Variable& x);   ///< the same in eval mode
  const std::vector<std::unique_ptr<nn::UNet>>& generators() const { return generators_; }
  Variable gan_loss(const Variable& adversarial, const Crossing& forth);  ///< eq. 21: L_bce(1, D_k(x_a))
  /// L_bce(c, f(x)) where c are i32 classes: eq. 9, 12 and 14 with the targets they name.
  Variable classifier_loss(const Variable& x, const Tensor& classes) { return classifier().loss(x, classes); }
  /// methods::lead by these generators.
  std::vector<Tensor> lead(const Tensor& x, const Tensor& targets, std::size_t count, const LeadEach& each) const {
    return methods::lead(classifier(), x, targets, !conditional(), count, each);
  }
  /// The adversarial image g(x) of eq. 5 and the stable one g(g(x)) of eq. 4, by the same generator.
  std::vector<Tensor> there_and_back(const Tensor& x, const Tensor& targets);

 private:
  bool conditional() const { return classifier().class_count() > 2; }
  nn::UNet& generator(const Crossing& way) {
    return *generators_[static_cast<std::size_t>(way.domain) % generators_.size()];
  }
  /// x with the planes that a conditional generator or discriminator sees.
  Variable generator_input(const Crossing& way, const Variable& x) const;
  Variable discriminator_input(const Tensor& classes, const Variable& x) const;
  nn::SyceDiscriminator& discriminator(int domain) {
    return *discriminators_[static_cast<std::size_t>(domain) % discriminators_.size()];
  }
  struct Batch {
    Tensor x;  ///< [N,H,W,C]
    Crossing forth;
  };
  std::array<Batch, 2> next_batches();
  /// Eq. 10 and 22 for D_domain: real images of the domain, fakes made of the other batch, each row of one class.
  Variable discriminator_loss(int domain, const Batch& real, const Tensor& fake, nn::DeviceTerms& terms);

  GeneratorPairConfig config_;
  Generators kind_;
  Device& device_;
  Random weights_random_, dropout_random_, penalty_random_, pairs_random_;
  std::vector<std::unique_ptr<nn::UNet>> generators_;                   // two, or one
  std::vector<std::unique_ptr<nn::SyceDiscriminator>> discriminators_;  // two, or one that is conditional
  std::unique_ptr<nn::Optimiser> generator_optimiser_;
  std::vector<std::unique_ptr<nn::Optimiser>> discriminator_optimisers_;
  std::optional<DomainBatches> domain_batches_;  // of two classes
  std::optional<ClassBatches> class_batches_;    // of several
};

}  // namespace counterfoil::methods
