#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "nn/module.h"
#include "nn/optimiser.h"
#include "tensor/random.h"

namespace counterfoil::nn {

/// Everything that a training run must remember to go on exactly where it stopped. A trained thing lists its parts
/// once, in its constructor; the app writes and reads them.
struct TrainingState {
  std::vector<std::pair<std::string, Module*>> modules;
  std::vector<std::pair<std::string, Optimiser*>> optimisers;
  std::vector<std::pair<std::string, Random*>> randoms;
};

/// Named loss values of one step, in the paper's order; the columns of metrics.csv.
using LossTerms = std::vector<std::pair<std::string, double>>;

/// Something trained step by step: a classifier, an embedding, an explainer. It draws its own batches, so that a step
/// has no arguments and its random streams say everything.
class Trainable {
 public:
  virtual ~Trainable() = default;
  virtual LossTerms train_step() = 0;
  virtual std::int64_t images_per_step() const = 0;
  TrainingState& training_state() { return state_; }
  /// What the generators drew in the last step, by name: images or masks [N,...], each from an input of its own. The
  /// training loop watches that they differ. Empty where nothing is generated.
  const std::vector<std::pair<std::string, Tensor>>& drawn() const { return drawn_; }

 protected:
  TrainingState state_;
  std::vector<std::pair<std::string, Tensor>> drawn_;
};

}  // namespace counterfoil::nn
