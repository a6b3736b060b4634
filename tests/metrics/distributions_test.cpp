#include <cmath>

#include <gtest/gtest.h>

#include "metrics/agreement.h"
#include "metrics/frechet_distance.h"
#include "metrics/jensen_shannon.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"

namespace counterfoil::metrics {
namespace {

const TensorFile& golden() {
  static const TensorFile file = read_safetensors(
      std::string(COUNTERFOIL_SOURCE_DIR) + "/tests/golden/distributions.safetensors", reference_device());
  return file;
}

Tensor points(std::vector<double> values) {
  const auto rows = static_cast<std::int64_t>(values.size() / 2);
  return Tensor::from(values, {rows, 2}, reference_device());
}

TEST(FrechetDistance, MatchesScipy) {
  for (const std::string name : {"frechet", "frechet_one_column", "frechet_near"}) {
    const double expected = golden().at(name + ".y").item();
    EXPECT_NEAR(frechet_distance(golden().at(name + ".a"), golden().at(name + ".b")), expected, 1e-9 * (1 + expected))
        << name;
  }
}

TEST(FrechetDistance, FewerSamplesThanDimensions) {
  // Square roots of eigenvalues that are zero but for rounding: 1e-16 becomes 1e-8.
  const double expected = golden().at("frechet_singular.y").item();
  EXPECT_NEAR(frechet_distance(golden().at("frechet_singular.a"), golden().at("frechet_singular.b")), expected, 1e-6);
}

TEST(FrechetDistance, SaysWhereACovarianceIsSingular) {
  const Tensor a = golden().at("frechet.a");  // 40 samples of 5 dimensions
  EXPECT_FALSE(rank_deficient(a, a));
  EXPECT_FALSE(rank_deficient(a, slice(a, 0, 0, 6)));
  EXPECT_TRUE(rank_deficient(a, slice(a, 0, 0, 5)));  // rank 4 about their mean
  EXPECT_TRUE(rank_deficient(slice(a, 0, 0, 5), a));
  EXPECT_TRUE(rank_deficient(golden().at("frechet_singular.a"), golden().at("frechet_singular.b")));
}

TEST(FrechetDistance, OfASetToItselfIsZeroAndToItsShiftTheSquaredShift) {
  const Tensor a = golden().at("frechet.a");
  EXPECT_NEAR(frechet_distance(a, a), 0, 1e-10);
  EXPECT_NEAR(frechet_distance(a, unary(UnaryOp::affine, a, 1, 3)), 9 * 5, 1e-9);
}

TEST(FrechetDistance, RefusesWhatItCannotMeasure) {
  const Tensor a = golden().at("frechet.a");
  EXPECT_THROW(frechet_distance(a, golden().at("frechet_near.a")), Error);
  EXPECT_THROW(frechet_distance(a, slice(a, 0, 0, 1)), Error);
  EXPECT_THROW(frechet_distance(a, unary(UnaryOp::log, unary(UnaryOp::affine, a, 0, -1))), Error);  // NaN
}

TEST(JensenShannon, MatchesScipyOnTheSharedPlane) {
  for (const auto& [name, grid] : {std::pair{std::string("js_apart"), 100}, {"js_near", 100}, {"js_two_columns", 25}}) {
    const Tensor a = golden().at(name + ".a"), b = golden().at(name + ".b");
    const std::vector<Tensor> both = {a, b};
    const PrincipalPlane plane(concat(both, 0));
    const std::vector<double> variances = golden().at(name + ".variances").to_doubles();
    EXPECT_NEAR(plane.variances()[0], variances[0], 1e-9);
    EXPECT_NEAR(plane.variances()[1], variances[1], 1e-9);
    EXPECT_NEAR(jensen_shannon_distance(plane.project(a), plane.project(b), grid), golden().at(name + ".y").item(),
                1e-7)
        << name;
  }
}

TEST(JensenShannon, IsZeroForEqualSetsAndNearlyOneForFarOnes) {
  const Tensor a = points({0, 0, 1, 0, 0, 1, 1, 1});
  EXPECT_NEAR(jensen_shannon_distance(a, a), 0, 1e-7);
  EXPECT_GT(jensen_shannon_distance(a, unary(UnaryOp::affine, a, 1, 50)), 0.99);
}

TEST(JensenShannon, HoldsForASetMuchDenserThanTheRaster) {
  const Tensor dense =
      Tensor::from(std::vector<double>{0.507, 0.507, 0.5070001, 0.507, 0.507, 0.5070001, 0.5070001, 0.5070001},
                   Shape{4, 2}, reference_device());
  const Tensor wide = Tensor::from(std::vector<double>{0, 0, 1, 0, 0, 1, 1, 1}, Shape{4, 2}, reference_device());
  const double distance = jensen_shannon_distance(dense, wide);
  EXPECT_GT(distance, 0.9);
  EXPECT_LE(distance, 1);
}

TEST(JensenShannon, RefusesPointsOnALine) {
  const Tensor line = points({0, 0, 1, 0, 2, 0}), spread = points({0, 0, 1, 0, 0, 1});
  EXPECT_THROW(jensen_shannon_distance(line, spread), Error);
}

TEST(Agreement, CountsEqualDecisions) {
  const auto decisions = [](std::vector<std::int32_t> values) {
    const auto count = static_cast<std::int64_t>(values.size());
    return Tensor::from(values, {count}, reference_device());
  };
  EXPECT_DOUBLE_EQ(agreement(decisions({0, 1, 1, 0}), decisions({0, 1, 0, 1})), 0.5);
  EXPECT_THROW(agreement(decisions({0, 1}), decisions({0})), Error);
  EXPECT_THROW(agreement(decisions({}), decisions({})), Error);
}

TEST(QueryDistance, AveragesImagesOfEqualWeight) {
  const Tensor a = Tensor::from(std::vector<float>{0.F, 0.F, 1.F, 1.F}, {2, 1, 2, 1}, reference_device());
  const Tensor b = Tensor::from(std::vector<float>{1.F, 0.F, 1.F, .5F}, {2, 1, 2, 1}, reference_device());
  const QueryDistance distance = query_distance(a, b);
  EXPECT_NEAR(distance.l1, (0.5 + 0.25) / 2, 1e-7);
  EXPECT_NEAR(distance.l2, (std::sqrt(0.5) + std::sqrt(0.125)) / 2, 1e-7);
}

}  // namespace
}  // namespace counterfoil::metrics
