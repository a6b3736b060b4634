#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "nn/module.h"
#include "nn/optimiser.h"
#include "tensor/random.h"
#include "tensor/tensor.h"

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
/// The same where they were computed, each of one element.
using DeviceTerms = std::vector<std::pair<std::string, Tensor>>;

/// What a generator drew in a step: images or masks [N,...], each from an input of its own.
struct Drawn {
  std::string name;
  Tensor rows;
  /// Where one generator leads to several classes, those that each row was led from and to, i32 [N]; else undefined. A
  /// row that was to stay where it was has no way.
  Tensor from = {}, to = {};
};

/// Something trained step by step: a classifier, an embedding, an explainer. It draws its own batches, so that a step
/// has no arguments and its random streams say everything. A step has three stages, the middle one on the device alone,
/// so that it can be recorded in a graph and replayed (nn/graph_step.h).
class Trainable {
 public:
  virtual ~Trainable() = default;
  LossTerms train_step() { return finish(compute(draw())); }

  /// What the host chooses for a step: its batches, of the same shapes in every step.
  virtual std::vector<Tensor> draw() = 0;
  /// The rest, the optimisers' updates included: the same work in every step, without a look at a value, without
  /// numbers drawn by the host, with every random stream, optimiser and buffer listed in the TrainingState.
  virtual DeviceTerms compute(const std::vector<Tensor>& batch) = 0;
  /// Reads the terms, those of one name added, and does what follows a step.
  virtual LossTerms finish(const DeviceTerms& terms);

  virtual std::int64_t images_per_step() const = 0;
  TrainingState& training_state() { return state_; }
  /// What the generators drew in the last step. The training loop watches that rows differ. Empty where nothing is
  /// generated.
  const std::vector<Drawn>& drawn() const { return drawn_; }

 protected:
  TrainingState state_;
  std::vector<Drawn> drawn_;
};

}  // namespace counterfoil::nn
