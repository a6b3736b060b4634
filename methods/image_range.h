#pragma once

#include "autograd/pointwise.h"

// Networks that end in a tanh draw images in [-1, 1]; data, classifiers and explanations have [0, 1].

namespace counterfoil::methods {

inline Variable to_generator(const Variable& x) {
  return affine(x, 2, -1);
}

inline Variable to_classifier(const Variable& x) {
  return affine(x, 0.5, 0.5);
}

}  // namespace counterfoil::methods
