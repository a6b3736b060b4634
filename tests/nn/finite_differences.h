#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "autograd/variable.h"
#include "nn/module.h"
#include "tensor/ops.h"

namespace counterfoil::nn {

/// Moves every parameter at random: zero biases put pre-activations exactly on the kinks of ReLUs.
inline void jitter(Module& module, Random& random) {
  for (auto& [name, variable] : module.named_parameters()) {
    const Tensor noise = random.normal(variable.shape(), 0, 0.3, variable.device(), variable.dtype());
    variable.set_value(axpby(1, variable.value(), 1, noise));
  }
}

/// Compares the gradient of a scalar function with central differences, in f64, at up to `samples` elements of each
/// leaf. The function must give the same value for the same leaves.
inline void expect_gradient(const std::function<Variable()>& function, const Variables& leaves, double tolerance = 1e-6,
                            std::int64_t samples = 12) {
  const Variables gradients = grad({function()}, leaves);
  constexpr double step = 1e-6;
  for (std::size_t l = 0; l < leaves.size(); ++l) {
    Variable leaf = leaves[l];
    const Tensor before = leaf.value();
    const std::vector<double> values = before.to_doubles(), analytic = gradients[l].value().to_doubles();
    const std::int64_t stride = std::max<std::int64_t>(1, before.size() / samples);
    for (std::int64_t i = 0; i < before.size(); i += stride) {
      const auto at = static_cast<std::size_t>(i);
      const auto moved = [&](double by) {
        std::vector<double> changed = values;
        changed[at] += by;
        leaf.set_value(Tensor::from(changed, before.shape(), before.device()));
        return function().item();
      };
      const double numeric = (moved(step) - moved(-step)) / (2 * step);
      leaf.set_value(before);
      ASSERT_NEAR(analytic[at], numeric, tolerance * (1 + std::abs(numeric))) << "leaf " << l << ", element " << i;
    }
  }
}

}  // namespace counterfoil::nn
