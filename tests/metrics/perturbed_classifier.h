#pragma once

#include <cmath>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "autograd/ops.h"
#include "nn/score.h"
#include "tests/golden/golden.h"

// Classifiers of which it is known what a perturbation does to them.

namespace counterfoil::metrics {

/// logits = v A + v^2 B of the flattened image v, A and B [H*W*C,K]. K = 1: one logit.
class Quadratic final : public nn::Classifier {
 public:
  Quadratic(Tensor linear, Tensor quadratic) : linear_(std::move(linear)), quadratic_(std::move(quadratic)) {}
  /// Sees to it that what it was asked is kept.
  Variable logits(const Variable& x) override {
    const std::vector<double> pixels = x.value().to_doubles();
    asked.insert(asked.end(), pixels.begin(), pixels.end());
    largest_batch = std::max(largest_batch, x.shape()[0]);
    const Variable v = reshape(x, {x.shape()[0], -1});
    return matmul(v, Variable(linear_)) + matmul(square(v), Variable(quadratic_));
  }
  int class_count() const override { return single_logit() ? 2 : static_cast<int>(linear_.shape()[1]); }
  bool single_logit() const override { return linear_.shape()[1] == 1; }

  std::vector<double> asked;  ///< all images, in order
  std::int64_t largest_batch = 0;

 private:
  Tensor linear_, quadratic_;
};

inline Tensor f64(const std::vector<double>& values, const Shape& shape) {
  return Tensor::from(values, shape, reference_device());
}

inline Tensor classes_of(const std::vector<std::int32_t>& values) {
  return Tensor::from(values, Shape{static_cast<std::int64_t>(values.size())}, reference_device());
}

/// One logit, the sum of weights times pixels.
inline Quadratic weighted_sum(const std::vector<double>& weights) {
  const Shape shape{static_cast<std::int64_t>(weights.size()), 1};
  return {f64(weights, shape), Tensor::zeros(shape, DType::f64, reference_device())};
}

inline void expect_all_near(const std::vector<double>& found, const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], tolerance) << "at " << i;
}

inline const golden::File& attribution_goldens() {
  static const golden::File file("attribution_metrics");
  return file;
}

}  // namespace counterfoil::metrics
