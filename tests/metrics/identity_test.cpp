#include <limits>

#include <gtest/gtest.h>

#include "metrics/latent_space_closeness.h"
#include "metrics/mask_nonzero.h"
#include "metrics/verification.h"
#include "tensor/ops.h"
#include "tests/golden/golden.h"

// Does an explanation stay close to its query: LSC, FVA, and the part of the image that changes.

namespace counterfoil::metrics {
namespace {

Tensor codes(const std::vector<double>& values, std::int64_t columns) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size()) / columns, columns}, reference_device());
}

TEST(LatentSpaceCloseness, MatchesScipy) {
  const golden::File file("counterfactual_metrics");
  for (const char* name : {"identity", "identity_many"}) {
    const golden::Case one = file.at(name);
    const LatentSpaceCloseness found = latent_space_closeness(one.tensor("x"), one.tensor("x_delta"));
    EXPECT_DOUBLE_EQ(found.fraction, one.tensor("lsc").item()) << name;
    EXPECT_EQ(found.candidates, one.tensor("x").shape()[0]) << name;
    EXPECT_GT(found.fraction, 0.1) << name;
    EXPECT_LT(found.fraction, 0.9) << name;
  }
}

TEST(LatentSpaceCloseness, MeasuresFromTheQueryAndATieIsNotTheClosest) {
  // 10 is as far from 1 as from its own 19, and 20 nearer to 19 than to its own 21.5.
  EXPECT_DOUBLE_EQ(latent_space_closeness(codes({0, 10, 20}, 1), codes({1, 19, 21.5}, 1)).fraction, 1.0 / 3);
  // Each is nearest to its own, though the explanations lie nearer to each other.
  EXPECT_DOUBLE_EQ(latent_space_closeness(codes({0, 4}, 1), codes({1, 1.5}, 1)).fraction, 1);
}

TEST(LatentSpaceCloseness, OfACollapsedGeneratorIsZeroAndOfCopiesOne) {
  const Tensor x = codes({0, 0, 1, 3, -2, 5}, 2);
  EXPECT_DOUBLE_EQ(latent_space_closeness(x, codes({1, 1, 1, 1, 1, 1}, 2)).fraction, 0);
  EXPECT_DOUBLE_EQ(latent_space_closeness(x, x).fraction, 1);
  EXPECT_DOUBLE_EQ(latent_space_closeness(x, x.to(DType::f32)).fraction, 1);
}

TEST(LatentSpaceCloseness, RefusesOneQueryAndWhatDoesNotFit) {
  const Tensor x = codes({0, 1, 2, 3}, 2);
  EXPECT_THROW(latent_space_closeness(codes({0, 1}, 2), codes({0, 1}, 2)), Error);  // nothing to be closer than
  EXPECT_THROW(latent_space_closeness(x, codes({0, 1, 2, 3, 4, 5}, 2)), Error);
  EXPECT_THROW(latent_space_closeness(x, codes({0, 1, std::numeric_limits<double>::quiet_NaN(), 3}, 2)), Error);
}

TEST(Verification, MatchesScipy) {
  const golden::File file("counterfactual_metrics");
  for (const char* name : {"identity", "identity_many"}) {
    const golden::Case one = file.at(name);
    EXPECT_DOUBLE_EQ(verification_accuracy(one.tensor("x"), one.tensor("x_delta")), one.tensor("fva").item()) << name;
    EXPECT_DOUBLE_EQ(verification_accuracy(one.tensor("x"), one.tensor("x_delta"), 0.1),
                     one.tensor("fva_strict").item())
        << name;
    EXPECT_LT(one.tensor("fva_strict").item(), one.tensor("fva").item()) << name;
  }
}

// Cosines 1 (of another length) and 0.6, and twice none, with a code without a direction.
TEST(Verification, IsADirectionNearerThanTheThreshold) {
  const Tensor x = codes({2, 0, 1, 0, 1, 1, 1, 0}, 2);
  const Tensor x_delta = codes({7, 0, 3, 4, 0, 0, 0, 0}, 2);
  EXPECT_DOUBLE_EQ(verification_accuracy(x, x_delta), 0.5);
  EXPECT_DOUBLE_EQ(verification_accuracy(codes({1, 0}, 2), codes({0, 1}, 2), 1), 0);     // not below
  EXPECT_DOUBLE_EQ(verification_accuracy(codes({1, 0}, 2), codes({0, 1}, 2), 1.01), 1);  // one image suffices
  EXPECT_THROW(verification_accuracy(x, codes({1, 2}, 2)), Error);
}

TEST(MaskNonzero, CountsWhatIsNotBlackInEightBits) {
  EXPECT_DOUBLE_EQ(mask_nonzero(codes({0, 1, 0.5, 0.001, 0.002, 0, 0, 0}, 4)), 3.0 / 8);
  EXPECT_DOUBLE_EQ(mask_nonzero(codes({0, 0}, 1)), 0);
  EXPECT_DOUBLE_EQ(mask_nonzero(codes({1}, 1)), 1);
  EXPECT_THROW(mask_nonzero(Tensor::zeros(Shape{0, 4, 4, 1}, DType::f32, reference_device())), Error);
}

}  // namespace
}  // namespace counterfoil::metrics
