#include "bench/steps/digits.h"

#include <numeric>

#include "autograd/ops.h"
#include "data/source.h"

namespace counterfoil::bench {

namespace {

constexpr std::int64_t kBatch = 128;

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

}  // namespace counterfoil::bench
