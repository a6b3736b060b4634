#include "bench/steps/methods.h"

#include "bench/steps/digits.h"
#include "methods/cdeepex.h"
#include "methods/cyce.h"
#include "methods/explaingan.h"
#include "methods/ganmex.h"
#include "methods/progressive_exaggeration.h"
#include "methods/syce.h"
#include "nn/models/cdeepex_classifier.h"
#include "nn/models/ganmex_classifier.h"

namespace counterfoil::bench {

namespace {

/// What a method explains, and the images that it learns from.
struct Problem {
  std::shared_ptr<nn::NetworkClassifier> classifier;
  data::Dataset images;
};

Problem digits(Device& device) {
  DigitsClassifier trained(device);
  for (int i = 0; i < 30; ++i) trained.step();
  return {std::make_shared<nn::NetworkClassifier>(trained.network(), 1), trained.images()};
}

data::Dataset noise(const nn::ImageShape& image, int classes) {
  constexpr std::int32_t kCount = 64;
  Random random(1, "noise");
  data::Dataset dataset{image.height, image.width, image.channels, {}, {}, {}};
  for (int k = 0; k < classes; ++k) dataset.class_names.push_back(std::to_string(k));
  for (std::int32_t i = 0; i < kCount; ++i) dataset.labels.push_back(i % classes);
  for (std::int64_t i = 0; i < kCount * image.height * image.width * image.channels; ++i)
    dataset.pixels.push_back(static_cast<std::uint8_t>(random.integer(256)));
  return dataset;
}

/// Noise, and GANMEX's classifier as it is drawn.
Problem noise_problem(const nn::ImageShape& image, int outputs, Device& device) {
  Random weights(1, "classifier");
  const auto network = std::make_shared<nn::GanmexClassifier>(
      nn::Init{weights, device}, nn::GanmexClassifierOptions{.image = image, .outputs = outputs});
  return {std::make_shared<nn::NetworkClassifier>(network, outputs), noise(image, std::max(outputs, 2))};
}

template <typename Method, typename Config>
Step training_step(const Problem& problem, const Config& config, Device& device) {
  const auto method = std::make_shared<Method>(config, *problem.classifier, problem.images, 1, device);
  return [classifier = problem.classifier, method] { method->train_step(); };
}

/// As the peers: batch statistics and dropout, the dearer form.
template <typename Config>
Config dearer_form() {
  Config config;
  config.batch_norm = "batch";
  config.dropout = 0.2;
  return config;
}

}  // namespace

Step syce_step(Device& device) {
  return training_step<methods::Syce>(digits(device), dearer_form<methods::SyceConfig>(), device);
}

Step cyce_step(Device& device) {
  return training_step<methods::Cyce>(digits(device), dearer_form<methods::CyceConfig>(), device);
}

Step explaingan_step(Device& device) {
  return training_step<methods::Explaingan>(digits(device), methods::ExplainganConfig{}, device);
}

Step pe64_step(Device& device) {
  methods::ProgressiveExaggerationConfig config;
  config.batch = 16;
  config.width = 32;
  config.discriminator_steps = 1;
  return training_step<methods::ProgressiveExaggeration>(noise_problem({64, 64, 3}, 1, device), config, device);
}

Step ganmex_step(const nn::ImageShape& image, Device& device) {
  return training_step<methods::Ganmex>(noise_problem(image, 10, device), methods::GanmexConfig{}, device);
}

Step cdeepex_step(Device& device) {
  constexpr int kClasses = 10;
  methods::CdeepexConfig config;
  config.latent.code = 100;
  config.restarts = 16;
  config.rounds = 1;
  config.fit_iterations = config.iterations = 5;
  Random weights(1, "classifier");
  const auto classifier = std::make_shared<nn::NetworkClassifier>(
      std::make_shared<nn::CdeepexClassifier>(nn::Init{weights, device}, kClasses), kClasses);
  const data::Dataset images = noise({64, 64, 1}, kClasses);
  const auto method = std::make_shared<methods::Cdeepex>(config, *classifier, images, 1, device);
  const Tensor x = images.images({0}, device);
  return [classifier, method, x] { method->explain(x); };
}

}  // namespace counterfoil::bench
