#include <limits>

#include "kernels/error.h"
#include "tests/kernels/reference.h"

namespace counterfoil::test {
namespace {

TEST(ReferenceReduction, ReducesTheAxesOfExtentOne) {
  const Doubles x({2, 3}, {1, -2, 3, -4, 5, -6});
  const auto rows = [&](ReduceOp op) {
    Doubles y({2, 1});
    reference().reduce(op, y, x);
    return y.data;
  };
  const auto columns = [&](ReduceOp op) {
    Doubles y({1, 3});
    reference().reduce(op, y, x);
    return y.data;
  };
  using Values = std::vector<double>;
  EXPECT_EQ(rows(ReduceOp::sum), (Values{2, -5}));
  EXPECT_EQ(columns(ReduceOp::sum), (Values{-3, 3, -3}));
  EXPECT_EQ(rows(ReduceOp::sum_abs), (Values{6, 15}));
  EXPECT_EQ(columns(ReduceOp::sum_squares), (Values{17, 29, 45}));
  EXPECT_EQ(rows(ReduceOp::max), (Values{3, 5}));
  EXPECT_EQ(columns(ReduceOp::min), (Values{-4, -2, -6}));
}

TEST(ReferenceReduction, SumsInF32KeepWhatASingleWouldLose) {
  Array<float> x({10000}), sum({1});
  reference().fill(x, 0.1);
  reference().reduce(ReduceOp::sum, sum, x);
  EXPECT_EQ(sum[0], 1000.0F);
}

TEST(ReferenceReduction, ArgmaxTakesTheFirstOfEquals) {
  Indices index({3});
  reference().argmax(index, Doubles({3, 4}, {1, 3, 3, 2, 5, 5, 5, 5, -1, -2, -3, -0.5}));
  EXPECT_EQ(index.data, (std::vector<std::int32_t>{1, 0, 3}));
}

TEST(ReferenceReduction, SoftmaxOfLogarithmsIsTheirShare) {
  const Doubles x({2, 3}, {std::log(1.0), std::log(2.0), std::log(5.0), 1000, 1000, 1000});
  Doubles y({2, 3});
  reference().softmax(y, x, false);
  expect_near(y, Doubles({2, 3}, {0.125, 0.25, 0.625, 1.0 / 3, 1.0 / 3, 1.0 / 3}), 1e-15);
  reference().softmax(y, x, true);
  expect_near(y,
              Doubles({2, 3}, {-std::log(8.0), -std::log(4.0), std::log(0.625), -std::log(3.0), -std::log(3.0),
                               -std::log(3.0)}),
              1e-14);
}

TEST(ReferenceReduction, SoftmaxBackwardIsTheDerivative) {
  const Doubles x = scattered({3, 5}, 1, -2, 2), d_y = scattered({3, 5}, 2);
  for (const bool log : {false, true}) {
    Doubles y({3, 5}), d_x({3, 5});
    reference().softmax(y, x, log);
    reference().softmax_backward(d_x, y, d_y, log);
    expect_gradient(
        [&](const Doubles& at) {
          Doubles out({3, 5});
          reference().softmax(out, at, log);
          return dot(out, d_y);
        },
        x, d_x);
  }
}

TEST(ReferenceReduction, AllFiniteFindsEveryKindOfBadNumber) {
  for (const double bad : {std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(),
                           std::numeric_limits<double>::quiet_NaN()}) {
    Doubles flag({1}), x = scattered({20}, 1);
    reference().all_finite(flag, x);
    EXPECT_EQ(flag[0], 1.0);
    x[19] = bad;
    reference().all_finite(flag, x);
    EXPECT_EQ(flag[0], 0.0);
  }
}

TEST(ReferenceReduction, OrderStatisticIsTheSortedElement) {
  const Doubles x({2, 5}, {3, 1, 2, 5, 4, 9, 9, 7, 9, 8});
  const std::vector<std::vector<double>> sorted = {{1, 7}, {2, 8}, {3, 9}, {4, 9}, {5, 9}};
  for (std::size_t k = 0; k < 5; ++k) {
    Doubles y({2});
    reference().order_statistic(y, x, static_cast<std::int64_t>(k));
    EXPECT_EQ(y.data, sorted[k]);
  }
}

double loss_of(LossOp op, double a, double b) {
  switch (op) {
    case LossOp::bce_with_logits: {
      const double p = 1 / (1 + std::exp(-a));
      return -b * std::log(p) - (1 - b) * std::log(1 - p);
    }
    case LossOp::l1:
      return std::fabs(a - b);
    case LossOp::l2:
      return (a - b) * (a - b);
    case LossOp::hinge:
      return std::max(0.0, 1 - a * b);
  }
  return 0;
}

TEST(ReferenceLoss, SumsTheScaledDefinition) {
  const Shape shape = {2, 3, 4};
  const Doubles a = scattered(shape, 1, -3, 3);
  for (const LossOp op : {LossOp::bce_with_logits, LossOp::l1, LossOp::l2, LossOp::hinge}) {
    Doubles b = scattered(shape, 2, 0, 1);
    if (op == LossOp::hinge) {
      for (double& value : b.data) value = value > 0.5 ? 1 : -1;
    }
    Doubles expected({2, 1, 1}), found({2, 1, 1}), everything({1, 1, 1});
    for (std::int64_t i = 0; i < a.size(); ++i) expected[i / 12] += 0.3 * loss_of(op, a[i], b[i]);
    reference().loss(op, found, a, b, 0.3);
    expect_near(found, expected, 1e-13);
    reference().loss(op, everything, a, b, 0.3);
    EXPECT_NEAR(everything[0], expected[0] + expected[1], 1e-13);

    const Doubles d_out({2, 1, 1}, {0.5, -2});
    Doubles d_a(shape);
    reference().loss_backward(op, d_a, a, b, d_out, 0.3);
    expect_gradient(
        [&](const Doubles& at) {
          double sum = 0;
          for (std::int64_t i = 0; i < at.size(); ++i) sum += 0.3 * d_out[i / 12] * loss_of(op, at[i], b[i]);
          return sum;
        },
        a, d_a);
  }
}

TEST(ReferenceLoss, BceSurvivesLargeLogits) {
  Doubles y({1});
  reference().loss(LossOp::bce_with_logits, y, Doubles({2}, {1000, -1000}), Doubles({2}, {1, 0}), 1);
  EXPECT_EQ(y[0], 0.0);
  reference().loss(LossOp::bce_with_logits, y, Doubles({2}, {1000, -1000}), Doubles({2}, {0, 1}), 1);
  EXPECT_EQ(y[0], 2000.0);
}

TEST(ReferenceLoss, CrossEntropyIsMinusTheLogOfTheProbability) {
  const Doubles logits({2, 3}, {std::log(1.0), std::log(2.0), std::log(5.0), 0, 0, 900});
  const Indices labels({2}, {1, 0});
  Doubles y({2});
  reference().cross_entropy(y, logits, labels);
  expect_near(y, Doubles({2}, {std::log(4.0), 900}), 1e-13);
  EXPECT_THROW(reference().cross_entropy(y, logits, Indices({2}, {0, 3})), Error);
  EXPECT_THROW(reference().cross_entropy(y, logits, Indices({2}, {-1, 0})), Error);

  const Doubles x = scattered({2, 3}, 3, -2, 2), d_out({2}, {0.7, -1.5});
  Doubles d_x({2, 3});
  reference().cross_entropy_backward(d_x, x, labels, d_out);
  expect_gradient(
      [&](const Doubles& at) {
        Doubles out({2});
        reference().cross_entropy(out, at, labels);
        return dot(out, d_out);
      },
      x, d_x);
}

TEST(ReferenceLoss, TotalVariationOfASmallImage) {
  // One channel: rows 1 2 / 4 8. A second channel of zeros adds nothing.
  const Doubles x({1, 2, 2, 2}, {1, 0, 2, 0, 4, 0, 8, 0});
  Doubles y({1});
  reference().total_variation(y, x, 1);
  EXPECT_EQ(y[0], 1 + 4 + 3 + 6.0);
  reference().total_variation(y, x, 2);
  EXPECT_EQ(y[0], 1 + 16 + 9 + 36.0);
  reference().total_variation(y, x, 3);
  EXPECT_NEAR(y[0], 1 + 64 + 27 + 216.0, 1e-12);
}

TEST(ReferenceLoss, TotalVariationBackwardIsTheDerivative) {
  const Doubles x = scattered({2, 3, 4, 2}, 1), d_out({2}, {0.5, -2});
  for (const double beta : {1.0, 2.0, 1.5, 3.0}) {
    Doubles d_x(x.shape);
    reference().total_variation_backward(d_x, x, d_out, beta);
    expect_gradient(
        [&](const Doubles& at) {
          Doubles out({2});
          reference().total_variation(out, at, beta);
          return dot(out, d_out);
        },
        x, d_x, 1e-6);
  }
  Doubles flat({1, 3, 3, 1}), d_flat({1, 3, 3, 1});
  reference().total_variation_backward(d_flat, flat, Doubles({1}, {1}), 1.5);
  EXPECT_EQ(d_flat.data, std::vector<double>(9));
}

}  // namespace
}  // namespace counterfoil::test
