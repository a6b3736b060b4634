#include "nn/optimiser.h"

#include "kernels/span.h"
#include "tensor/ops.h"

namespace counterfoil::nn {
namespace {

std::vector<View> views(std::vector<Tensor>& tensors) {
  std::vector<View> result;
  result.reserve(tensors.size());
  for (Tensor& tensor : tensors) result.push_back(tensor.mutable_view());
  return result;
}

const Tensor& saved(const std::map<std::string, Tensor>& state, const std::string& name, const Shape& shape,
                    DType dtype) {
  const auto found = state.find(name);
  if (found == state.end()) fail("the optimiser's tensor '{}' is missing", name);
  if (!(found->second.shape() == shape) || found->second.dtype() != dtype) {
    fail("the optimiser's tensor '{}': expected {} {}, found {} {}", name, name_of(dtype), shape.to_string(),
         name_of(found->second.dtype()), found->second.shape().to_string());
  }
  return found->second;
}

class Adam final : public Optimiser {
 public:
  Adam(NamedParameters parameters, const AdamStep& options)
      : Optimiser(std::move(parameters)),
        options_(options),
        first_(add_moment("exp_avg")),
        second_(add_moment("exp_avg_sq")) {
    learning_rate_ = options.learning_rate;
  }

 private:
  void update(Backend& backend, std::span<const View> parameters, std::span<const ConstView> gradients) override {
    options_.learning_rate = learning_rate_;
    options_.step = steps();
    backend.adam(parameters, gradients, views(first_), views(second_), options_);
  }

  AdamStep options_;
  std::vector<Tensor>&first_, &second_;
};

class Sgd final : public Optimiser {
 public:
  Sgd(NamedParameters parameters, const SgdStep& options) : Optimiser(std::move(parameters)), options_(options) {
    learning_rate_ = options.learning_rate;
    if (options.momentum != 0) velocities_ = &add_moment("momentum_buffer");
  }

 private:
  void update(Backend& backend, std::span<const View> parameters, std::span<const ConstView> gradients) override {
    options_.learning_rate = learning_rate_;
    backend.sgd(parameters, gradients, velocities_ != nullptr ? views(*velocities_) : std::vector<View>(), options_);
  }

  SgdStep options_;
  std::vector<Tensor>* velocities_ = nullptr;
};

class RmsProp final : public Optimiser {
 public:
  RmsProp(NamedParameters parameters, const RmsPropStep& options)
      : Optimiser(std::move(parameters)), options_(options), squares_(add_moment("square_avg")) {
    learning_rate_ = options.learning_rate;
  }

 private:
  void update(Backend& backend, std::span<const View> parameters, std::span<const ConstView> gradients) override {
    options_.learning_rate = learning_rate_;
    backend.rmsprop(parameters, gradients, views(squares_), options_);
  }

  RmsPropStep options_;
  std::vector<Tensor>& squares_;
};

}  // namespace

Optimiser::Optimiser(NamedParameters parameters) {
  if (parameters.empty()) fail("an optimiser needs at least one parameter");
  for (auto& [name, variable] : parameters) {
    names_.push_back(std::move(name));
    variables_.push_back(std::move(variable));
  }
}

void Optimiser::step(const Variables& gradients) {
  if (gradients.size() != variables_.size()) {
    fail("optimiser: expected {} gradients, found {}", variables_.size(), gradients.size());
  }
  std::vector<View> parameter_views;
  std::vector<ConstView> gradient_views;
  for (std::size_t i = 0; i < variables_.size(); ++i) {
    if (!(gradients[i].shape() == variables_[i].shape())) {
      fail("optimiser: the gradient of '{}' has shape {}, expected {}", names_[i], gradients[i].shape().to_string(),
           variables_[i].shape().to_string());
    }
    Tensor value = variables_[i].value();
    parameter_views.push_back(value.mutable_view());
    gradient_views.push_back(gradients[i].value().view());
  }
  ++steps_;
  update(variables_.front().device().backend(), parameter_views, gradient_views);
}

void Optimiser::minimise(const Variable& loss) {
  Device& device = loss.device();
  const std::vector<Variable> gradients = [&] {
    const Span span(device, "backward");
    return grad({loss}, variables_);
  }();
  const Span span(device, "update");
  step(gradients);
}

std::map<std::string, Tensor> Optimiser::state(const std::string& prefix) const {
  Device& device = variables_.front().device();
  std::map<std::string, Tensor> state;
  state.emplace(prefix + "steps", Tensor::from(std::vector<std::int64_t>{steps_}, Shape{1}, device));
  state.emplace(prefix + "learning_rate", Tensor::from(std::vector<double>{learning_rate_}, Shape{1}, device));
  for (const auto& [moment, tensors] : moments_) {
    for (std::size_t i = 0; i < names_.size(); ++i) {
      state.emplace(prefix + names_[i] + "." + moment, (*tensors)[i].clone());
    }
  }
  return state;
}

void Optimiser::load_state(const std::map<std::string, Tensor>& state, const std::string& prefix) {
  const auto steps = saved(state, prefix + "steps", Shape{1}, DType::i64).to_vector<std::int64_t>();
  const double rate = saved(state, prefix + "learning_rate", Shape{1}, DType::f64).item();
  for (const auto& [moment, tensors] : moments_) {
    for (std::size_t i = 0; i < names_.size(); ++i) {
      saved(state, prefix + names_[i] + "." + moment, (*tensors)[i].shape(), (*tensors)[i].dtype());
    }
  }
  steps_ = steps.front();
  learning_rate_ = rate;
  for (auto& [moment, tensors] : moments_) {
    for (std::size_t i = 0; i < names_.size(); ++i) {
      Tensor& tensor = (*tensors)[i];
      tensor = state.at(prefix + names_[i] + "." + moment).to(tensor.device()).clone();
    }
  }
}

std::vector<Tensor>& Optimiser::add_moment(std::string name) {
  auto tensors = std::make_unique<std::vector<Tensor>>();
  for (const Variable& variable : variables_) tensors->push_back(variable.value().zeros_like());
  moments_.emplace_back(std::move(name), std::move(tensors));
  return *moments_.back().second;
}

std::unique_ptr<Optimiser> adam(NamedParameters parameters, const AdamStep& options) {
  return std::make_unique<Adam>(std::move(parameters), options);
}

std::unique_ptr<Optimiser> sgd(NamedParameters parameters, const SgdStep& options) {
  return std::make_unique<Sgd>(std::move(parameters), options);
}

std::unique_ptr<Optimiser> rmsprop(NamedParameters parameters, const RmsPropStep& options) {
  return std::make_unique<RmsProp>(std::move(parameters), options);
}

}  // namespace counterfoil::nn
