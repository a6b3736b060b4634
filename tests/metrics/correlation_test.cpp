#include "metrics/correlation.h"

#include "tests/metrics/perturbed_classifier.h"

namespace counterfoil::metrics {
namespace {

using testing::ElementsAre;

TEST(Correlation, MatchesScipy) {
  int cases = 0;
  for (const golden::Case& one : attribution_goldens().cases()) {
    if (!one.starts_with("correlation")) continue;
    ++cases;
    const std::vector<double> a = one.tensor("a").to_doubles(), b = one.tensor("b").to_doubles();
    EXPECT_NEAR(pearson(a, b), one.tensor("pearson").item(), 1e-9) << one.name();
    EXPECT_NEAR(spearman(a, b), one.tensor("spearman").item(), 1e-12) << one.name();
    EXPECT_EQ(average_ranks(a), one.tensor("ranks").to_doubles()) << one.name();
  }
  EXPECT_EQ(cases, 4);
}

TEST(Correlation, ByHand) {
  const std::vector<double> a = {1, 2, 3}, b = {1, 3, 2}, cubes = {1, 8, 27};
  EXPECT_DOUBLE_EQ(pearson(a, b), 0.5);
  EXPECT_DOUBLE_EQ(spearman(a, cubes), 1);
  EXPECT_LT(pearson(a, cubes), 0.98);
  EXPECT_THAT(average_ranks(std::vector<double>{7, -1, 7, 0, 7}), ElementsAre(4, 1, 4, 2, 4));
}

TEST(Correlation, WithAConstantIsZero) {
  const std::vector<double> tenths(7, 0.1), rising = {1, 2, 3, 4, 5, 6, 7};  // the mean of tenths is not 0.1
  EXPECT_EQ(pearson(tenths, rising), 0);
  EXPECT_EQ(spearman(rising, tenths), 0);
  EXPECT_EQ(pearson(std::vector<double>{3}, std::vector<double>{4}), 0);
  EXPECT_EQ(spearman(std::vector<double>{}, std::vector<double>{}), 0);
}

TEST(Correlation, OfHugeAndTinyNumbers) {
  const std::vector<double> huge = {-1e300, 1e300, 0}, tiny = {-1e-300, 1e-300, 0};
  EXPECT_DOUBLE_EQ(pearson(huge, tiny), 1);
}

TEST(Correlation, RefusesListsOfDifferentLengths) {
  EXPECT_THROW(pearson(std::vector<double>{1, 2}, std::vector<double>{1}), Error);
  EXPECT_THROW(spearman(std::vector<double>{1, 2}, std::vector<double>{1}), Error);
}

}  // namespace
}  // namespace counterfoil::metrics
