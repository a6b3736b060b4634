#pragma once

#include <string>
#include <utility>
#include <vector>

#include "nn/trainable.h"
#include "tensor/tensor.h"

namespace counterfoil::nn {

/// Loss values of a step where they were computed, each of one element. Values of one name are added.
using DeviceTerms = std::vector<std::pair<std::string, Tensor>>;

/// What a Trainable is, besides, whose step has three stages, the middle one on the device alone: it can be recorded in
/// a graph and replayed (nn/graph_step.h).
class StagedStep {
 public:
  virtual ~StagedStep() = default;
  /// What the host chooses for a step: its batches, of the same shapes in every step.
  virtual std::vector<Tensor> draw() = 0;
  /// The rest, the optimisers' updates included: the same work in every step, without a look at a value, without
  /// numbers drawn by the host, with every random stream, optimiser and buffer listed in the TrainingState.
  virtual DeviceTerms compute(const std::vector<Tensor>& batch) = 0;
  /// Reads the terms, and does what follows a step.
  virtual LossTerms finish(const DeviceTerms& terms);

 protected:
  /// The three stages: train_step().
  LossTerms run_stages() { return finish(compute(draw())); }
};

}  // namespace counterfoil::nn
