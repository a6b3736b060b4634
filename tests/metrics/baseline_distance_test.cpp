#include "metrics/baseline_distance.h"

#include <cmath>

#include <gtest/gtest.h>

namespace counterfoil::metrics {
namespace {

Tensor of(const std::vector<double>& values, const Shape& shape) {
  return Tensor::from(values, shape, reference_device());
}

TEST(BaselineDistance, IsEuclideanAndAveragesImages) {
  const Tensor x = of({0, 0, 1, 1}, {2, 1, 2, 1});
  EXPECT_DOUBLE_EQ(baseline_distance(x, of({3, 4, 1, 1}, {2, 1, 2, 1})), 2.5);
  EXPECT_DOUBLE_EQ(baseline_distance(x, x), 0);
}

TEST(BaselineDistance, AveragesSets) {
  const Tensor x = of({0, 0, 1, 1}, {2, 1, 2, 1});
  const Tensor sets = of({3, 4, 0, 1, 1, 1, 2, 2}, {2, 2, 1, 2, 1});
  EXPECT_DOUBLE_EQ(baseline_distance(x, sets), (5 + 1 + 0 + std::sqrt(2)) / 4);
}

TEST(BaselineDistance, OfOtherShapesIsRefused) {
  const Tensor x = of({0, 0, 1, 1}, {2, 1, 2, 1});
  EXPECT_THROW(baseline_distance(x, of({0, 0}, {1, 1, 2, 1})), Error);
  EXPECT_THROW(baseline_distance(x, of({0, 0, 1, 1}, {2, 2, 1, 1})), Error);
  EXPECT_THROW(baseline_distance(x, Tensor::zeros({2, 0, 1, 2, 1}, DType::f64, reference_device())), Error);
  EXPECT_THROW(baseline_distance(x.reshape({4}), x.reshape({4})), Error);
}

}  // namespace
}  // namespace counterfoil::metrics
