#include "kernels/error.h"
#include "tests/kernels/reference.h"

namespace counterfoil::test {
namespace {

TEST(ReferenceOptimiser, AdamTakesTheStepsOfItsPaper) {
  Doubles p1({2}, {1, -2}), p2({1}, {0.5});
  const Doubles g1({2}, {0.1, -3}), g2({1}, {0});
  Doubles m1({2}), m2({1}), v1({2}), v2({1});
  std::vector<double> expected = {1, -2, 0.5}, m(3), v(3);
  const std::vector<double> gradients = {0.1, -3, 0};
  AdamStep step = {.learning_rate = 0.01, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-6, .weight_decay = 0.1};
  for (int t = 1; t <= 5; ++t) {
    step.step = t;
    reference().adam(std::vector<View>{p1, p2}, std::vector<ConstView>{g1, g2}, std::vector<View>{m1, m2},
                     std::vector<View>{v1, v2}, step);
    for (std::size_t i = 0; i < 3; ++i) {
      const double g = gradients[i] + 0.1 * expected[i];
      m[i] = 0.8 * m[i] + 0.2 * g;
      v[i] = 0.95 * v[i] + 0.05 * g * g;
      const double m_hat = m[i] / (1 - std::pow(0.8, t)), v_hat = v[i] / (1 - std::pow(0.95, t));
      expected[i] -= 0.01 * m_hat / (std::sqrt(v_hat) + 1e-6);
    }
    expect_near(p1, Doubles({2}, {expected[0], expected[1]}), 1e-14);
    expect_near(p2, Doubles({1}, {expected[2]}), 1e-14);
  }
}

TEST(ReferenceOptimiser, SgdWithAndWithoutMomentum) {
  const Doubles g({1}, {2});
  Doubles p({1}, {1}), v({1});
  reference().sgd(std::vector<View>{p}, std::vector<ConstView>{g}, {}, {.learning_rate = 0.1, .weight_decay = 0.5});
  EXPECT_DOUBLE_EQ(p[0], 1 - 0.1 * 2.5);
  p[0] = 1;
  const SgdStep momentum = {.learning_rate = 0.1, .momentum = 0.9};
  reference().sgd(std::vector<View>{p}, std::vector<ConstView>{g}, std::vector<View>{v}, momentum);
  reference().sgd(std::vector<View>{p}, std::vector<ConstView>{g}, std::vector<View>{v}, momentum);
  EXPECT_DOUBLE_EQ(v[0], 0.9 * 2 + 2);
  EXPECT_DOUBLE_EQ(p[0], 1 - 0.1 * 2 - 0.1 * 3.8);
  p[0] = 1;
  v[0] = 0;
  const SgdStep nesterov = {.learning_rate = 0.1, .momentum = 0.9, .nesterov = true};
  reference().sgd(std::vector<View>{p}, std::vector<ConstView>{g}, std::vector<View>{v}, nesterov);
  EXPECT_DOUBLE_EQ(p[0], 1 - 0.1 * (2 + 0.9 * 2));
  EXPECT_THROW(reference().sgd(std::vector<View>{p}, std::vector<ConstView>{g}, {}, momentum), Error);
}

TEST(ReferenceOptimiser, RmsPropDividesByTheRootPlusEpsilon) {
  const Doubles g({1}, {2});
  Doubles p({1}, {1}), average({1}, {1});
  reference().rmsprop(std::vector<View>{p}, std::vector<ConstView>{g}, std::vector<View>{average},
                      {.learning_rate = 0.1, .alpha = 0.9, .epsilon = 0.5});
  EXPECT_DOUBLE_EQ(average[0], 0.9 + 0.4);
  EXPECT_DOUBLE_EQ(p[0], 1 - 0.1 * 2 / (std::sqrt(1.3) + 0.5));
}

}  // namespace
}  // namespace counterfoil::test
