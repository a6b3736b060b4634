#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "nn/score.h"

// What the tests of attributions ask, and how near the answers are to what is expected.

namespace counterfoil::methods {

inline nn::Question asking(const std::vector<std::int32_t>& classes, Device& device = reference_device(),
                           const std::vector<std::int32_t>& against = {}) {
  const Shape shape{static_cast<std::int64_t>(classes.size())};
  return {Tensor::from(classes, shape, device), against.empty() ? Tensor() : Tensor::from(against, shape, device)};
}

/// The largest magnitude; all are finite.
inline double largest(const Tensor& values) {
  double found = 0;
  for (const double value : values.to_doubles()) {
    EXPECT_TRUE(std::isfinite(value));
    found = std::max(found, std::abs(value));
  }
  return found;
}

/// All elements within `tolerance` times the largest magnitude expected.
inline void expect_relative(const Tensor& found, const Tensor& expected, double tolerance, const std::string& what) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  const std::vector<double> a = found.to_doubles(), b = expected.to_doubles();
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_TRUE(std::isfinite(a[i])) << what << " at " << i;
    worst = std::max(worst, std::abs(a[i] - b[i]));
  }
  ASSERT_GT(largest(expected), 0) << what;
  EXPECT_LE(worst, tolerance * largest(expected)) << what;
}

}  // namespace counterfoil::methods
