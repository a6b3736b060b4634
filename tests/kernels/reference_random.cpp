#include <algorithm>

#include "kernels/philox.h"
#include "tests/kernels/reference.h"

namespace counterfoil::test {
namespace {

constexpr RandomKey kKey = {.seed = 42, .stream = 7};

TEST(ReferenceRandom, ElementsAreWordsOfTheStream) {
  Doubles uniform({9}), normal({9});
  for (const std::uint64_t first : {0, 1, 3, 1000002}) {
    reference().random_uniform(uniform, kKey, first, -1, 3);
    reference().random_normal(normal, kKey, first, 5, 2);
    for (std::int64_t i = 0; i < 9; ++i) {
      const std::uint32_t word = philox::word(kKey, first + static_cast<std::uint64_t>(i));
      EXPECT_EQ(uniform[i], 4.0 * (word >> 8) / 16777216.0 - 1);
      EXPECT_NEAR(normal[i], 5 + 2 * philox::to_normal(word), 1e-15);
    }
  }
}

TEST(ReferenceRandom, AFillDoesNotDependOnHowItIsCut) {
  Array<float> whole({1001}), head({333}), tail({668});
  reference().random_normal(whole, kKey, 5, 0, 1);
  reference().random_normal(head, kKey, 5, 0, 1);
  reference().random_normal(tail, kKey, 338, 0, 1);
  head.data.insert(head.data.end(), tail.data.begin(), tail.data.end());
  EXPECT_EQ(head.data, whole.data);
}

TEST(ReferenceRandom, MomentsAreThoseOfTheDistributions) {
  constexpr std::int64_t count = 100000;
  Doubles uniform({count}), normal({count});
  reference().random_uniform(uniform, kKey, 0, 0, 1);
  reference().random_normal(normal, kKey, 0, 0, 1);
  const auto moment = [](const Doubles& x, int power) {
    double sum = 0;
    for (const double value : x.data) sum += std::pow(value, power);
    return sum / static_cast<double>(x.size());
  };
  // Four standard errors.
  EXPECT_NEAR(moment(uniform, 1), 1.0 / 2, 4 * std::sqrt(1.0 / 12 / count));
  EXPECT_NEAR(moment(uniform, 2), 1.0 / 3, 4 * std::sqrt(4.0 / 45 / count));
  EXPECT_NEAR(moment(normal, 1), 0, 4 * std::sqrt(1.0 / count));
  EXPECT_NEAR(moment(normal, 2), 1, 4 * std::sqrt(2.0 / count));
  EXPECT_NEAR(moment(normal, 3), 0, 4 * std::sqrt(15.0 / count));
  EXPECT_NEAR(moment(normal, 4), 3, 4 * std::sqrt(96.0 / count));
  EXPECT_GE(*std::ranges::min_element(uniform.data), 0);
  EXPECT_LT(*std::ranges::max_element(uniform.data), 1);
}

TEST(ReferenceRandom, DropoutKeepsTheShareItNames) {
  Doubles x({100000}), y({100000});
  reference().fill(x, 3);
  reference().dropout(y, x, kKey, 0, 0.2, false);
  const auto kept = std::ranges::count(y.data, 3 / 0.8);
  EXPECT_EQ(kept + std::ranges::count(y.data, 0.0), 100000);
  EXPECT_NEAR(static_cast<double>(kept), 80000, 4 * std::sqrt(100000 * 0.2 * 0.8));
  reference().dropout(y, x, kKey, 0, 0, false);
  EXPECT_EQ(y.data, x.data);
}

TEST(ReferenceRandom, DropoutOfAChannelZeroesThePlane) {
  const Shape shape = {6, 3, 2, 5};
  Doubles x(shape), y(shape), planes({30}), mask({30});
  reference().fill(x, 1);
  reference().fill(planes, 1);
  reference().dropout(y, x, kKey, 11, 0.5, true);
  reference().dropout(mask, planes, kKey, 11, 0.5, false);
  for (std::int64_t i = 0; i < y.size(); ++i) EXPECT_EQ(y[i], mask[i / 30 * 5 + i % 5]);
  EXPECT_GT(std::ranges::count(mask.data, 0.0), 5);
  EXPECT_GT(std::ranges::count(mask.data, 2.0), 5);
}

}  // namespace
}  // namespace counterfoil::test
