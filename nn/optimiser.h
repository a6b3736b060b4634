#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "autograd/variable.h"
#include "kernels/backend.h"
#include "nn/module.h"

namespace counterfoil::nn {

/// Moves a fixed list of parameters. One launch per step for all of them.
class Optimiser {
 public:
  /// Name and variable of each parameter, as from Module::named_parameters().
  explicit Optimiser(std::vector<std::pair<std::string, Variable>> parameters);
  virtual ~Optimiser() = default;

  const Variables& parameters() const { return variables_; }
  /// One update; gradients in the order of parameters().
  void step(const Variables& gradients);
  /// grad(loss, parameters()) and step(): the usual case.
  void minimise(const Variable& loss);

  double learning_rate() const { return learning_rate_; }
  void set_learning_rate(double rate) { learning_rate_ = rate; }
  std::int64_t steps() const { return steps_; }

  /// Moments and step count under "<prefix><parameter name>.<moment>" and "<prefix>steps", for checkpoints.
  std::map<std::string, Tensor> state(const std::string& prefix) const;
  void load_state(const std::map<std::string, Tensor>& state, const std::string& prefix);

 protected:
  virtual void update(const std::vector<View>& parameters, const std::vector<ConstView>& gradients) = 0;
  /// Adds a moment per parameter, zero at first.
  std::vector<Tensor>& add_moment(std::string name);

  double learning_rate_ = 0;
  std::int64_t steps_ = 0;

 private:
  std::vector<std::string> names_;
  Variables variables_;
  std::vector<std::pair<std::string, std::unique_ptr<std::vector<Tensor>>>> moments_;
};

using NamedParameters = std::vector<std::pair<std::string, Variable>>;

/// Kingma and Ba 2015, with bias correction; options.step and options.learning_rate of the struct: the latter is the
/// start value.
std::unique_ptr<Optimiser> adam(NamedParameters parameters, const AdamStep& options);
std::unique_ptr<Optimiser> sgd(NamedParameters parameters, const SgdStep& options);
std::unique_ptr<Optimiser> rmsprop(NamedParameters parameters, const RmsPropStep& options);

}  // namespace counterfoil::nn
