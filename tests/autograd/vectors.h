#pragma once

#include <vector>

#include "autograd/variable.h"

namespace counterfoil {

/// A leaf of one axis, f64.
inline Variable leaf(const std::vector<double>& numbers) {
  return Variable::leaf(Tensor::from(numbers, {std::ssize(numbers)}, reference_device()));
}

inline std::vector<double> numbers(const Variable& x) {
  return x.value().to_doubles();
}

}  // namespace counterfoil
