#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/graph.h"
#include "nn/trainable.h"

namespace counterfoil::nn {

/// Trains with a graph: the first step runs as it is, the second is recorded and launched, every later one is launched
/// again, with its own batch, random numbers, learning rates and step counts. The same bits as train_step().
class GraphStep {
 public:
  /// `trainable` outlives this. Throws Error where the device has no graphs.
  GraphStep(Trainable& trainable, Device& device);
  ~GraphStep();
  GraphStep(const GraphStep&) = delete;
  GraphStep& operator=(const GraphStep&) = delete;

  /// One step. Throws Error when the step turns out to do what no graph can hold.
  LossTerms run();

 private:
  struct RandomUse {
    std::string name;
    Random* random;
    std::uint64_t recorded, words;  // position when the step was recorded, and what it draws
  };
  struct OptimiserUse {
    Optimiser* optimiser;
    std::int64_t recorded, updates;  // steps before the step was recorded, and those it makes
  };

  void record();
  void keep_state_in_place(const std::vector<std::pair<Tensor*, Tensor>>& before);
  void check_draws() const;
  Graph::Changes changes() const;
  void launch();

  Trainable& trainable_;
  Device& device_;
  bool warm_ = false;
  std::vector<Tensor> batch_;
  DeviceTerms terms_;
  std::vector<RandomUse> randoms_;
  std::vector<OptimiserUse> optimisers_;
  std::unique_ptr<Graph> graph_;
};

}  // namespace counterfoil::nn
