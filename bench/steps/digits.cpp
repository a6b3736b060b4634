#include "bench/steps/digits.h"

#include <numeric>

#include "autograd/ops.h"
#include "data/source.h"
#include "methods/cyce.h"
#include "methods/explaingan.h"
#include "methods/syce.h"

namespace counterfoil::bench {

namespace {

constexpr std::int64_t kBatch = 128;

/// A method's step with the classifier it explains kept alive.
template <typename Method, typename Config>
Step method_step(const Config& config, Device& device) {
  DigitsClassifier trained(device);
  for (int i = 0; i < 30; ++i) trained.step();
  const auto classifier = std::make_shared<nn::NetworkClassifier>(trained.network(), 1);
  const auto method = std::make_shared<Method>(config, *classifier, trained.images(), 1, device);
  return [classifier, method] { method->train_step(); };
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

DigitsClassifier::DigitsClassifier(Device& device)
    : images_(data::open_source("mnist10k:3,8").train),
      random_(1, "lenet"),
      network_(std::make_shared<nn::LeNet>(nn::Init{random_, device})),
      optimiser_(nn::adam(network_->named_parameters(), {1e-4})) {
  std::vector<std::int32_t> positions(kBatch);
  std::iota(positions.begin(), positions.end(), 0);
  x_ = images_.images(positions, device);
  const std::vector<float> labels(images_.labels.begin(), images_.labels.begin() + kBatch);
  target_ = Tensor::from(labels, {kBatch, 1}, device);
}

void DigitsClassifier::step() {
  optimiser_->minimise(bce_with_logits(network_->forward(x_, nn::Pass::train(random_)), target_));
}

Step syce_step(Device& device) {
  return method_step<methods::Syce>(dearer_form<methods::SyceConfig>(), device);
}
Step cyce_step(Device& device) {
  return method_step<methods::Cyce>(dearer_form<methods::CyceConfig>(), device);
}
Step explaingan_step(Device& device) {
  return method_step<methods::Explaingan>(methods::ExplainganConfig{}, device);
}

}  // namespace counterfoil::bench
