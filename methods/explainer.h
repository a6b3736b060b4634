#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nn/module.h"
#include "nn/optimiser.h"
#include "tensor/random.h"

namespace counterfoil::methods {

/// Everything that a training run must remember to go on exactly where it stopped. A trained thing lists its parts
/// once, in its constructor; the app writes and reads them.
struct TrainingState {
  std::vector<std::pair<std::string, nn::Module*>> modules;
  std::vector<std::pair<std::string, nn::Optimiser*>> optimisers;
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

 protected:
  TrainingState state_;
};

/// What an explainer says of a batch, by documented names: "counterfactual" [N,H,W,C] in [0,1] always; "stable" where
/// the method has a stable image; "map" [N,H,W,1] >= 0, the explanation map; others as the method's header says.
using Explanation = std::map<std::string, Tensor>;

class Explainer : public Trainable {
 public:
  /// x [N,H,W,C] in [0,1], any N.
  virtual Explanation explain(const Tensor& x) = 0;
};

}  // namespace counterfoil::methods
