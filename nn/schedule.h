#pragma once

#include <vector>

#include "nn/module.h"
#include "nn/optimiser.h"

namespace counterfoil::nn {

/// The start rate times factor ^ (milestones reached). A function of the step alone, so nothing to save.
struct StepSchedule {
  double learning_rate = 1e-3;
  double factor = 0.1;
  std::vector<std::int64_t> milestones = {};  ///< steps, ascending

  double rate(std::int64_t step) const;  ///< for the step of this number, from 0
  /// Sets the rate of the optimiser's next step.
  void apply(Optimiser& optimiser) const { optimiser.set_learning_rate(rate(optimiser.steps())); }
};

struct PlateauOptions {
  double factor = 1.0 / 3;
  int patience = 10;        ///< observations without improvement that are borne
  double threshold = 1e-4;  ///< an improvement is below best * (1 - threshold)
  double minimum = 0;       ///< the rate never falls below
};

/// Multiplies the rate by factor when an observed loss (>= 0, smaller is better) has not improved for more than
/// `patience` observations, then starts counting again. A module for the sake of its buffers "best" and "stale" (f64
/// [1]), which a checkpoint must hold; the rate itself is saved with the optimiser.
class PlateauSchedule : public Module {
 public:
  PlateauSchedule(Device& device, const PlateauOptions& options = {});
  /// Once per epoch or evaluation. Returns whether the rate was lowered.
  bool observe(double loss, Optimiser& optimiser);

 private:
  PlateauOptions options_;
  Tensor best_, stale_;
};

}  // namespace counterfoil::nn
