#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/device.h"
#include "tests/kernels/arrays.h"

// What the tests of the reference backend share: its primitives on small f64 arrays against identities.
namespace counterfoil::test {

inline Backend& reference() {
  return reference_device().backend();
}

/// Numbers between low and high that look random and differ for different seeds.
template <typename T = double>
Array<T> scattered(const Shape& shape, int seed, double low = -1, double high = 1) {
  Array<T> array(shape);
  std::uint64_t state = 0x9E3779B97F4A7C15ull * static_cast<std::uint64_t>(seed + 1);
  for (T& value : array.data) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    value = static_cast<T>(low + (high - low) * static_cast<double>(state >> 40) * 0x1p-24);
  }
  return array;
}

inline double dot(const Doubles& a, const Doubles& b) {
  EXPECT_EQ(a.shape, b.shape);
  double sum = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

template <typename T, typename U>
void expect_near(const Array<T>& found, const Array<U>& expected, double tolerance) {
  ASSERT_EQ(found.shape, expected.shape);
  for (std::int64_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(found[i]), static_cast<double>(expected[i]), tolerance) << "at " << i;
  }
}

/// <A x, y> = <x, A^T y> for x and y of the given shapes.
inline void expect_adjoint(const Shape& x_shape, const Shape& y_shape,
                           const std::function<void(View, ConstView)>& forward,
                           const std::function<void(View, ConstView)>& adjoint) {
  const Doubles x = scattered(x_shape, 1), y = scattered(y_shape, 2);
  Doubles forward_x(y_shape), adjoint_y(x_shape);
  forward(forward_x, x);
  adjoint(adjoint_y, y);
  EXPECT_NEAR(dot(forward_x, y), dot(x, adjoint_y), 1e-12 * (1 + std::sqrt(dot(x, x) * dot(y, y))));
  EXPECT_GT(dot(forward_x, forward_x), 0);
}

/// `gradient` against central differences of f at x. The step and the tolerance fit functions of order 1.
inline void expect_gradient(const std::function<double(const Doubles&)>& f, const Doubles& x, const Doubles& gradient,
                            double tolerance = 1e-7) {
  ASSERT_EQ(x.shape, gradient.shape);
  constexpr double step = 1e-5;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    Doubles above = x, below = x;
    above[i] += step;
    below[i] -= step;
    EXPECT_NEAR(gradient[i], (f(above) - f(below)) / (2 * step), tolerance) << "at " << i;
  }
}

}  // namespace counterfoil::test
