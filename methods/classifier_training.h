#pragma once

#include <memory>
#include <string>

#include "data/augmentation.h"
#include "data/batch_sampler.h"
#include "data/dataset.h"
#include "nn/classifier.h"
#include "nn/keys.h"
#include "nn/schedule.h"
#include "nn/trainable.h"

namespace counterfoil::methods {

/// The model to be explained, trained as Charachon et al. train theirs (supplement D): cross entropy, Adam, the rate
/// divided by 3 on a plateau of the validation loss, random geometric changes of the images.
struct ClassifierConfig {
  std::string network = "lenet";  ///< or cdeepex, ganmex: those of the papers' small experiments
  std::int64_t batch = 128;       ///< supplement D.1
  double learning_rate = 1e-4;    ///< supplement D.3
  double plateau_factor = 1.0 / 3;
  std::int64_t plateau_patience = 10;                    ///< epochs; not given in the paper
  double dropout_features = 0.25, dropout_hidden = 0.5;  ///< of the LeNet; the others have the papers' own
  data::AugmentationOptions augmentation = {0.1, 0.1, 10, false, false};  ///< ranges not given in the paper

  void declare(nn::Keys& keys);
};

class ClassifierTraining final : public nn::Trainable {
 public:
  /// Two classes give the one-logit form, more a logit each. Without training images the network can only be loaded and
  /// used.
  ClassifierTraining(const ClassifierConfig& config, data::Splits splits, std::uint64_t seed, Device& device);

  std::vector<Tensor> draw() override;  ///< images [N,H,W,C] and labels i32 [N]
  /// One Adam step on L = CE(f(augmented x), y). Terms: loss, and the batch's accuracy.
  nn::DeviceTerms compute(const std::vector<Tensor>& batch) override;
  /// After the last batch of an epoch the plateau schedule sees the validation loss.
  nn::LossTerms finish(const nn::DeviceTerms& terms) override;
  std::int64_t images_per_step() const override { return config_.batch; }

  nn::Classifier& classifier() { return classifier_; }
  double validation_loss();

 private:
  ClassifierConfig config_;
  data::Splits splits_;
  Device& device_;
  Random weights_random_, dropout_random_, augmentation_random_;
  data::BatchSampler sampler_;
  std::int64_t epoch_ = 0;  // in which the step's batch begins
  std::shared_ptr<nn::Network> network_;
  nn::NetworkClassifier classifier_;
  std::unique_ptr<nn::Optimiser> optimiser_;
  nn::PlateauSchedule schedule_;
};

/// The part of the images whose predicted class is their label.
double accuracy(nn::Classifier& classifier, const data::Dataset& dataset, Device& device);

}  // namespace counterfoil::methods
