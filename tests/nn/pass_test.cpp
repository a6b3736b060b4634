#include <cmath>

#include "autograd/reduction.h"
#include "nn/batch_norm.h"
#include "nn/dropout.h"
#include "tests/nn/golden.h"

namespace counterfoil::nn {
namespace {

TEST(Pass, DropoutNeedsRandomNumbersWhenTrainingOnly) {
  const Variable x(f64({1, 2, 3, 4}, {1, 2, 2, 1}));
  EXPECT_EQ(dropout(x, 0.5, Pass::eval()), x);
  EXPECT_THROW(dropout(x, 0.5, {.training = true}), Error);
  EXPECT_EQ(dropout(x, 0, {.training = true}), x);
}

TEST(Pass, DropoutZeroesTheShareAskedForAndKeepsTheMean) {
  TestInit init;
  const Variable x = Variable::leaf(Tensor::full({50, 20, 20, 1}, 1, DType::f64, reference_device()));
  const Variable y = dropout(x, 0.2, Pass::train(init.random));
  double zeros = 0, total = 0;
  for (const double value : y.value().to_doubles()) {
    ASSERT_TRUE(value == 0 || std::abs(value - 1.25) < 1e-15);
    zeros += value == 0 ? 1 : 0;
    total += value;
  }
  EXPECT_NEAR(zeros / 20000, 0.2, 5 * std::sqrt(0.2 * 0.8 / 20000));
  EXPECT_NEAR(total / 20000, 1, 0.02);
  // The derivative is the same mask.
  EXPECT_EQ(grad({sum(y)}, {x}).front().value().to_doubles(), y.value().to_doubles());
}

TEST(Pass, Dropout2dZeroesWholeChannels) {
  TestInit init;
  const Variable x(Tensor::full({40, 3, 2, 5}, 1, DType::f64, reference_device()));
  const auto y = dropout2d(x, 0.5, Pass::train(init.random)).value().to_doubles();
  std::size_t dropped = 0;
  for (std::size_t n = 0; n < 40; ++n) {
    for (std::size_t c = 0; c < 5; ++c) {
      const double first = y[n * 30 + c];
      for (std::size_t pixel = 1; pixel < 6; ++pixel) ASSERT_EQ(y[n * 30 + pixel * 5 + c], first);
      dropped += first == 0 ? 1 : 0;
    }
  }
  EXPECT_GT(dropped, 60U);
  EXPECT_LT(dropped, 140U);
}

TEST(Pass, RunningStatisticsMoveOnlyWhenTrainingAndAsked) {
  TestInit init;
  BatchNorm norm(init, 2, {.momentum = 0.5});
  const Variable x(f64({1, 10, 3, 30}, {2, 1, 1, 2}));
  norm.forward(x, Pass::eval());
  norm.forward(x, {.training = true, .update_statistics = false});
  EXPECT_EQ(norm.state().at("running_mean").to_doubles(), (std::vector<double>{0, 0}));
  EXPECT_EQ(norm.state().at("running_var").to_doubles(), (std::vector<double>{1, 1}));
  norm.forward(x, {.training = true});
  EXPECT_EQ(norm.state().at("running_mean").to_doubles(), (std::vector<double>{1, 10}));
  // Unbiased variances 2 and 200.
  EXPECT_EQ(norm.state().at("running_var").to_doubles(), (std::vector<double>{1.5, 100.5}));
}

TEST(Pass, EvalGraphOutlivesAMoveOfTheStatistics) {
  TestInit init;
  BatchNorm norm(init, 1);
  const Variable x = Variable::leaf(f64({1, 2, 4}, {3, 1, 1, 1}));
  const Variable y = sum(norm.forward(x, Pass::eval()));
  norm.forward(x, {.training = true});
  const auto d_x = grad({y}, {x}).front().value();
  expect_close(d_x, f64(std::vector<double>(3, 1 / std::sqrt(1 + 1e-5)), {3, 1, 1, 1}), "d_x");
}

}  // namespace
}  // namespace counterfoil::nn
