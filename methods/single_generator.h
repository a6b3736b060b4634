#pragma once

#include <memory>

#include "data/batch_sampler.h"
#include "data/dataset.h"
#include "methods/generator_training.h"
#include "nn/optimiser.h"
#include "nn/trainable.h"

namespace counterfoil::methods {

/// What the methods have in common that train one U-Net by itself, without a discriminator: each step is one Adam step
/// on a batch of all training images, whatever the classifier decides on them.
class SingleGenerator {
 public:
  /// `train` is copied. `unet` is what the generator is built as.
  SingleGenerator(const GeneratorConfig& config, const nn::UNetOptions& unet, const data::Dataset& train,
                  std::uint64_t seed, Device& device);

  Tensor next_images();                                 ///< [batch,H,W,C] in [0,1], augmented
  nn::DeviceTerms minimise(const GeneratorLoss& loss);  ///< one step; the terms of the loss
  /// Puts the module "generator", its optimiser and the streams "batches", "dropout" and "augmentation" among what a
  /// training run remembers.
  void remember_in(nn::TrainingState& state);

  nn::UNet& network() { return network_; }
  nn::Pass training_pass() { return config_.training_pass(dropout_random_); }

 private:
  GeneratorConfig config_;
  Device& device_;
  data::Dataset train_;
  Random weights_random_, dropout_random_, augmentation_random_;
  data::BatchSampler sampler_;
  nn::UNet network_;
  std::unique_ptr<nn::Optimiser> optimiser_;
};

}  // namespace counterfoil::methods
