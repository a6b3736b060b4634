#pragma once

#include <memory>

#include "methods/classifier_training.h"
#include "methods/syce.h"
#include "tests/methods/halves.h"

// Trainings small enough for emulated kernels.

namespace counterfoil::cuda_test {

inline methods::ClassifierConfig classifier_config() {
  methods::ClassifierConfig config;
  config.batch = 6;
  config.learning_rate = 1e-3;
  return config;
}

inline std::unique_ptr<methods::ClassifierTraining> classifier_on(
    Device& device, const methods::ClassifierConfig& config = classifier_config()) {
  return std::make_unique<methods::ClassifierTraining>(
      config, data::Splits{methods::halves(18), methods::halves(8, 5), {}}, 7, device);
}

inline methods::SyceConfig syce_config() {
  methods::SyceConfig config;
  config.batch = 3;
  config.generator_width = config.discriminator_width = 4;
  config.generator_levels = config.discriminator_levels = 2;
  config.generator_learning_rate = 1e-3;
  config.augmentation = {0.1, 0.1, 10, false, false};
  return config;
}

/// A method with the classifier that it explains.
template <typename Method, typename Config>
struct Explained {
  Explained(const Config& config, Device& device)
      : classifier(8, device), method(config, classifier, methods::halves(24), 11, device) {}
  methods::BrighterHalf classifier;
  Method method;
};

}  // namespace counterfoil::cuda_test
