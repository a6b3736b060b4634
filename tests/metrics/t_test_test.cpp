#include "metrics/t_test.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "tests/golden/golden.h"

namespace counterfoil::metrics {
namespace {

Tensor sample(const std::vector<double>& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())}, reference_device());
}

void expect_equal(const TTest& found, const Tensor& expected, const std::string& name) {
  const std::vector<double> values = expected.to_doubles();
  EXPECT_NEAR(found.t, values[0], 1e-11 * std::abs(values[0])) << name;
  EXPECT_NEAR(found.degrees, values[1], 1e-11 * values[1]) << name;
  EXPECT_NEAR(found.p, values[2], 1e-10 * values[2]) << name;  // also where it is 1e-30
}

TEST(TTests, MatchScipy) {
  const golden::File file("counterfactual_metrics");
  for (const char* name : {"t_test", "t_test_unequal", "t_test_two", "t_test_far"}) {
    const golden::Case one = file.at(name);
    const Tensor &a = one.tensor("a"), &b = one.tensor("b");
    expect_equal(pooled_t_test(a, b), one.tensor("pooled"), name);
    expect_equal(welch_t_test(a, b), one.tensor("welch"), name);
    if (one.has("paired")) expect_equal(paired_t_test(a, b), one.tensor("paired"), name);
  }
}

// Means that differ by rounding nearly: t itself has few digits, but p must not stick at 1.
TEST(TTests, NearZeroThePValueFollowsT) {
  const golden::File file("counterfactual_metrics");
  const golden::Case one = file.at("t_test_near");
  for (const auto& [found, role] : {std::pair{pooled_t_test(one.tensor("a"), one.tensor("b")), "pooled"},
                                    {welch_t_test(one.tensor("a"), one.tensor("b")), "welch"},
                                    {paired_t_test(one.tensor("a"), one.tensor("b")), "paired"}}) {
    EXPECT_NEAR(found.p, one.tensor(role).to_doubles()[2], 1e-14) << role;
    EXPECT_LT(found.p, 1) << role;
  }
}

// Differences 1, 2, 3: mean 2, variance 1. Student's distribution with 2 degrees has P(|T| > t) = 1 - t / sqrt(2 +
// t^2).
TEST(TTests, ByHand) {
  const TTest paired = paired_t_test(sample({3, 5, 9}), sample({2, 3, 6}));
  const double t = 2 / std::sqrt(1.0 / 3);
  EXPECT_NEAR(paired.t, t, 1e-12);
  EXPECT_DOUBLE_EQ(paired.degrees, 2);
  EXPECT_NEAR(paired.p, 1 - t / std::sqrt(2 + t * t), 1e-14);

  const TTest pooled = pooled_t_test(sample({0, 2}), sample({1, 2, 3}));  // variances 2 and 1, pooled (2 + 2) / 3
  EXPECT_NEAR(pooled.t, -1 / std::sqrt(4.0 / 3 * (1.0 / 2 + 1.0 / 3)), 1e-12);
  EXPECT_DOUBLE_EQ(pooled.degrees, 3);
  const TTest welch = welch_t_test(sample({0, 2}), sample({1, 2, 3}));
  EXPECT_NEAR(welch.t, -1 / std::sqrt(1 + 1.0 / 3), 1e-12);
  EXPECT_NEAR(welch.degrees, 16.0 / 9 / (1 + 1.0 / 18), 1e-12);

  const TTest turned = welch_t_test(sample({1, 2, 3}), sample({0, 2}));
  EXPECT_DOUBLE_EQ(turned.t, -welch.t);
  EXPECT_DOUBLE_EQ(turned.p, welch.p);
}

TEST(TTests, WhereNothingVaries) {
  const Tensor twos = sample({2, 2, 2}), threes = sample({3, 3, 3});
  for (const auto test : {paired_t_test, pooled_t_test, welch_t_test}) {
    const TTest same = test(twos, twos);
    EXPECT_EQ(same.t, 0);
    EXPECT_EQ(same.p, 1);
    const TTest apart = test(twos, threes);
    EXPECT_EQ(apart.t, -std::numeric_limits<double>::infinity());
    EXPECT_EQ(apart.p, 0);
    EXPECT_GT(apart.degrees, 0);
  }
  // Three times 0.1 is not 0.3 in binary.
  const Tensor few = sample(std::vector<double>(3, 0.1)), many = sample(std::vector<double>(10, 0.1));
  for (const TTest& same : {pooled_t_test(few, many), welch_t_test(few, many)}) {
    EXPECT_EQ(same.t, 0);
    EXPECT_EQ(same.p, 1);
  }
  // Constant differences of samples that vary.
  EXPECT_EQ(paired_t_test(sample({1, 5, 9}), sample({0, 4, 8})).t, std::numeric_limits<double>::infinity());
  // One sample varies: t and p are ordinary, and Welch's degrees are that sample's.
  EXPECT_NEAR(welch_t_test(twos, sample({1, 2, 6})).degrees, 2, 1e-12);
}

TEST(TTests, RefuseWhatHasNoVariance) {
  EXPECT_THROW(paired_t_test(sample({1}), sample({2})), Error);
  EXPECT_THROW(paired_t_test(sample({1, 2}), sample({2, 3, 4})), Error);
  EXPECT_THROW(pooled_t_test(sample({1}), sample({2, 3})), Error);
  EXPECT_THROW(welch_t_test(sample({1, 2}), sample({2})), Error);
  EXPECT_THROW(welch_t_test(sample({1, std::numeric_limits<double>::infinity()}), sample({1, 2})), Error);
  EXPECT_THROW(pooled_t_test(Tensor::from(std::vector<double>{1, 2}, {2, 1}, reference_device()), sample({1, 2})),
               Error);
}

}  // namespace
}  // namespace counterfoil::metrics
