#pragma once

#include <memory>

#include "data/batch_sampler.h"
#include "methods/decision_domains.h"
#include "methods/explainer.h"
#include "methods/generator_training.h"
#include "nn/classifier.h"

namespace counterfoil::methods {

/// The frame of the methods that train one U-Net by itself, without a discriminator: each step is one Adam step on a
/// batch of all training images, whatever the classifier decides on them.
class SingleGenerator : public Explainer {
 public:
  std::vector<Tensor> draw() final;  ///< images [N,H,W,C]
  nn::DeviceTerms compute(const std::vector<Tensor>& batch) final;
  std::int64_t images_per_step() const final { return config_.batch; }

 protected:
  /// `classifier` outlives this; `train` is copied. `unet` is what the generator is built as.
  SingleGenerator(const GeneratorConfig& config, const nn::UNetOptions& unet, nn::Classifier& classifier,
                  const data::Dataset& train, std::uint64_t seed, Device& device);

  /// The method's loss for a batch x [N,H,W,C].
  virtual GeneratorLoss generator_loss(const Variable& x) = 0;

  nn::UNet& generator() { return generator_; }
  nn::Classifier& classifier() { return classifier_; }
  nn::Pass training_pass() { return config_.training_pass(dropout_random_); }

 private:
  GeneratorConfig config_;
  nn::Classifier& classifier_;
  Device& device_;
  data::Dataset train_;
  Random weights_random_, dropout_random_, augmentation_random_;
  data::BatchSampler sampler_;
  nn::UNet generator_;
  std::unique_ptr<nn::Optimiser> optimiser_;
};

}  // namespace counterfoil::methods
