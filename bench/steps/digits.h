#pragma once

#include "data/dataset.h"
#include "nn/models/lenet.h"
#include "nn/optimiser.h"

namespace counterfoil::bench {

/// LeNet's training step on 128 digits, and a LeNet that has been through a few of them, so that it tells 3 from 8.
class DigitsClassifier {
 public:
  explicit DigitsClassifier(Device& device);
  void step();
  std::shared_ptr<nn::LeNet> network() { return network_; }
  const data::Dataset& images() const { return images_; }

 private:
  data::Dataset images_;
  Random random_;
  std::shared_ptr<nn::LeNet> network_;
  std::unique_ptr<nn::Optimiser> optimiser_;
  Tensor x_, target_;  // [128,28,28,1], [128,1]
};

}  // namespace counterfoil::bench
