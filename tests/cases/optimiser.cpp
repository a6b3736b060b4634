#include <utility>

#include "tensor/ops.h"
#include "tests/cases/case.h"

// Each case holds two parameters of different sizes, each with its gradient and its moments, and returns them after two
// updates.

namespace counterfoil::cases {

namespace {

using Update =
    std::function<void(Backend&, const std::vector<View>& parameters, const std::vector<ConstView>& gradients,
                       const std::vector<View>& first, const std::vector<View>& second, int step)>;

Case updated(std::string name, const Update& update, const Shape& small = {3, 5}, const Shape& big = {2, 3, 3, 4}) {
  Case made{.name = std::move(name)};
  for (const Shape& shape : {small, big}) {
    for (const Input& input : {uniform(shape), uniform(shape), uniform(shape), uniform(shape, 0, 1)}) {
      made.inputs.push_back(input);
    }
  }
  made.apply = [update](const Variables& v) {
    std::vector<Tensor> state;
    for (const Variable& x : v) state.push_back(x.value().clone());
    for (const int step : {1, 2}) {
      std::vector<View> parameters, first, second;
      std::vector<ConstView> gradients;
      for (std::size_t i = 0; i < state.size(); i += 4) {
        parameters.push_back(state[i].mutable_view());
        gradients.push_back(state[i + 1].view());
        first.push_back(state[i + 2].mutable_view());
        second.push_back(state[i + 3].mutable_view());
      }
      update(state[0].backend(), parameters, gradients, first, second, step);
    }
    return Variables(state.begin(), state.end());
  };
  return made;
}

Update adam_with(AdamStep options) {
  return [options](Backend& backend, const std::vector<View>& p, const std::vector<ConstView>& g,
                   const std::vector<View>& first, const std::vector<View>& second, int step) mutable {
    options.step = step;
    backend.adam(p, g, first, second, options);
  };
}

Update sgd_with(const SgdStep& options) {
  return [options](Backend& backend, const std::vector<View>& p, const std::vector<ConstView>& g,
                   const std::vector<View>& first, const std::vector<View>&,
                   int) { backend.sgd(p, g, options.momentum == 0 ? std::vector<View>() : first, options); };
}

Update rmsprop_with(const RmsPropStep& options) {
  return
      [options](Backend& backend, const std::vector<View>& p, const std::vector<ConstView>& g, const std::vector<View>&,
                const std::vector<View>& second, int) { backend.rmsprop(p, g, second, options); };
}

}  // namespace

std::vector<Case> optimiser_cases() {
  std::vector<Case> all;
  all.push_back(updated("adam/plain", adam_with({})));
  all.push_back(updated("adam/gan", adam_with({.learning_rate = 2e-4, .beta1 = 0, .beta2 = 0.9})));
  all.push_back(updated("adam/decay", adam_with({.learning_rate = 0.1, .epsilon = 1e-3, .weight_decay = 0.01})));
  all.push_back(updated("adam/empty", adam_with({}), {0}, {1}));
  all.push_back(updated("sgd/plain", sgd_with({.learning_rate = 0.1})));
  all.push_back(updated("sgd/momentum", sgd_with({.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01})));
  all.push_back(updated("sgd/nesterov", sgd_with({.learning_rate = 0.1, .momentum = 0.9, .nesterov = true})));
  all.push_back(updated("rmsprop/plain", rmsprop_with({})));
  all.push_back(updated("rmsprop/decay", rmsprop_with({.learning_rate = 0.1, .alpha = 0.9, .weight_decay = 0.01})));
  Case large = updated("adam/large", adam_with({}), {64, 3, 3, 64}, {512, 784});
  large.large = true;
  all.push_back(std::move(large));
  return all;
}

}  // namespace counterfoil::cases
