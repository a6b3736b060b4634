#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "autograd/variable.h"
#include "kernels/backend.h"
#include "nn/module.h"

namespace counterfoil::nn {

using NamedParameters = std::vector<std::pair<std::string, Variable>>;

/// Moves a fixed list of parameters, in place. One launch per step for all of them.
class Optimiser {
 public:
  /// Name and variable of each parameter, as from Module::named_parameters().
  explicit Optimiser(NamedParameters parameters);
  virtual ~Optimiser() = default;

  const Variables& parameters() const { return variables_; }
  /// One update; gradients in the order of parameters(). Throws Error on another number of them or another shape.
  void step(const Variables& gradients);
  /// grad(loss, parameters()) and step(): the usual case.
  void minimise(const Variable& loss);

  double learning_rate() const { return learning_rate_; }
  void set_learning_rate(double rate) { learning_rate_ = rate; }
  std::int64_t steps() const { return steps_; }
  void count_steps(std::int64_t steps) { steps_ += steps; }  ///< updates that a graph made (nn/graph_step.h)

  /// Copies of the moments under "<prefix><parameter name>.<moment>", the step count under "<prefix>steps" (i64 [1])
  /// and the learning rate under "<prefix>learning_rate" (f64 [1]), for checkpoints.
  std::map<std::string, Tensor> state(const std::string& prefix) const;
  /// Throws Error on a missing tensor or one of another shape or dtype; nothing is changed then.
  void load_state(const std::map<std::string, Tensor>& state, const std::string& prefix);

 protected:
  /// steps() counts this update already.
  virtual void update(Backend& backend, std::span<const View> parameters, std::span<const ConstView> gradients) = 0;
  /// Adds a moment per parameter, zero at first.
  std::vector<Tensor>& add_moment(std::string name);

  double learning_rate_ = 0;

 private:
  std::int64_t steps_ = 0;
  std::vector<std::string> names_;
  Variables variables_;
  std::vector<std::pair<std::string, std::unique_ptr<std::vector<Tensor>>>> moments_;
};

// options.learning_rate is the start value; later ones are set_learning_rate()'s.

/// Kingma and Ba 2015, with bias correction; options.step is ignored: steps() counts. Moments "exp_avg", "exp_avg_sq".
std::unique_ptr<Optimiser> adam(NamedParameters parameters, const AdamStep& options);
/// Sutskever et al. 2013, see Backend::sgd. Moment "momentum_buffer" where momentum is not 0.
std::unique_ptr<Optimiser> sgd(NamedParameters parameters, const SgdStep& options);
/// Tieleman and Hinton 2012, see Backend::rmsprop. Moment "square_avg".
std::unique_ptr<Optimiser> rmsprop(NamedParameters parameters, const RmsPropStep& options);

}  // namespace counterfoil::nn
