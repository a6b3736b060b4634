#include <limits>

#include "tests/kernels/reference.h"

namespace counterfoil::test {
namespace {

struct Case {
  UnaryOp op;
  double p0, p1;
  double low, high;  // inputs to try
  std::function<double(double)> truth;
};

// The C library computes what this project's own elementary functions must.
std::vector<Case> unary_cases() {
  return {
      {UnaryOp::affine, 2, -3, -5, 5, [](double x) { return 2 * x - 3; }},
      {UnaryOp::abs, 0, 0, -5, 5, [](double x) { return std::fabs(x); }},
      {UnaryOp::sign, 0, 0, -5, 5, [](double x) { return x > 0 ? 1.0 : -1.0; }},
      {UnaryOp::exp, 0, 0, -5, 5, [](double x) { return std::exp(x); }},
      {UnaryOp::log, 0, 0, 0.1, 9, [](double x) { return std::log(x); }},
      {UnaryOp::sqrt, 0, 0, 0.1, 9, [](double x) { return std::sqrt(x); }},
      {UnaryOp::reciprocal, 0, 0, 0.3, 5, [](double x) { return 1 / x; }},
      {UnaryOp::pow, 2.5, 0, 0.1, 4, [](double x) { return std::pow(x, 2.5); }},
      {UnaryOp::pow, 3, 0, -3, 3, [](double x) { return x * x * x; }},
      {UnaryOp::pow, 0, 0, -3, 3, [](double) { return 1.0; }},
      {UnaryOp::sin, 0, 0, -9, 9, [](double x) { return std::sin(x); }},
      {UnaryOp::cos, 0, 0, -9, 9, [](double x) { return std::cos(x); }},
      {UnaryOp::tanh, 0, 0, -4, 4, [](double x) { return std::tanh(x); }},
      {UnaryOp::sigmoid, 0, 0, -9, 9, [](double x) { return 1 / (1 + std::exp(-x)); }},
      {UnaryOp::softplus, 0, 0, -9, 9, [](double x) { return std::log1p(std::exp(x)); }},
      {UnaryOp::relu, 0, 0, -5, 5, [](double x) { return std::max(x, 0.0); }},
      {UnaryOp::leaky_relu, 0.2, 0, -5, 5, [](double x) { return x > 0 ? x : 0.2 * x; }},
      {UnaryOp::elu, 0.7, 0, -5, 5, [](double x) { return x > 0 ? x : 0.7 * (std::exp(x) - 1); }},
      {UnaryOp::clip, -1, 2, -5, 5, [](double x) { return std::min(std::max(x, -1.0), 2.0); }},
      {UnaryOp::greater_than, 1, 0, -5, 5, [](double x) { return x > 1 ? 1.0 : 0.0; }},
      {UnaryOp::inside, -1, 2, -5, 5, [](double x) { return x >= -1 && x <= 2 ? 1.0 : 0.0; }},
  };
}

TEST(ReferencePointwise, UnaryIsTheFunctionItNames) {
  for (const Case& c : unary_cases()) {
    const Doubles x = scattered({100}, 3, c.low, c.high);
    Doubles y({100});
    reference().unary(c.op, y, x, c.p0, c.p1);
    for (std::int64_t i = 0; i < x.size(); ++i) {
      EXPECT_NEAR(y[i], c.truth(x[i]), 1e-14 * (1 + std::fabs(y[i]))) << static_cast<int>(c.op) << " at " << x[i];
    }
  }
}

TEST(ReferencePointwise, UnaryBackwardIsTheDerivative) {
  for (const Case& c : unary_cases()) {
    const Doubles x = scattered({30}, 4, c.low, c.high), d_y = scattered({30}, 5);
    Doubles d_x({30});
    reference().unary_backward(c.op, d_x, x, d_y, c.p0, c.p1);
    const auto f = [&](const Doubles& at) {
      double sum = 0;
      for (std::int64_t i = 0; i < at.size(); ++i) sum += d_y[i] * c.truth(at[i]);
      return sum;
    };
    SCOPED_TRACE(static_cast<int>(c.op));
    expect_gradient(f, x, d_x, 2e-6);
  }
}

TEST(ReferencePointwise, DerivativesAtKinks) {
  const auto derivative = [](UnaryOp op, double x, double p0 = 0, double p1 = 0) {
    Doubles d_x({1});
    reference().unary_backward(op, d_x, Doubles({1}, {x}), Doubles({1}, {1}), p0, p1);
    return d_x[0];
  };
  EXPECT_EQ(derivative(UnaryOp::relu, 0), 0);
  EXPECT_EQ(derivative(UnaryOp::abs, 0), 0);
  EXPECT_EQ(derivative(UnaryOp::sign, 0), 0);
  EXPECT_EQ(derivative(UnaryOp::greater_than, 1, 1), 0);
  EXPECT_EQ(derivative(UnaryOp::leaky_relu, 0, 0.2), 0.2);
  EXPECT_EQ(derivative(UnaryOp::clip, -1, -1, 2), 1);
  EXPECT_EQ(derivative(UnaryOp::clip, 2, -1, 2), 1);
  EXPECT_EQ(derivative(UnaryOp::clip, 2.1, -1, 2), 0);
}

TEST(ReferencePointwise, ComparisonsInF32RoundTheParameterFirst) {
  // 0.1F is above 0.1: a clipped value must still count as inside.
  Array<float> x({1}, {5.0F}), inside({1});
  reference().unary(UnaryOp::clip, x, x, 0, 0.1);
  EXPECT_EQ(x[0], 0.1F);
  reference().unary(UnaryOp::inside, inside, x, 0, 0.1);
  EXPECT_EQ(inside[0], 1.0F);
  reference().unary(UnaryOp::greater_than, inside, x, 0.1, 0);
  EXPECT_EQ(inside[0], 0.0F);
}

TEST(ReferencePointwise, LargeArgumentsDoNotOverflow) {
  const Doubles x({4}, {-1000, -50, 50, 1000});
  Doubles y({4});
  reference().unary(UnaryOp::sigmoid, y, x, 0, 0);
  EXPECT_EQ(y[0], 0.0);
  EXPECT_NEAR(y[1], std::exp(-50.0), 1e-35);
  EXPECT_EQ(y[3], 1.0);
  reference().unary(UnaryOp::softplus, y, x, 0, 0);
  EXPECT_NEAR(y[1], std::exp(-50.0), 1e-35);
  EXPECT_EQ(y[3], 1000.0);
}

TEST(ReferencePointwise, NanPassesThrough) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Doubles x({2}, {nan, 1}), one({2}, {1, nan});
  Doubles y({2});
  for (const UnaryOp op : {UnaryOp::relu, UnaryOp::leaky_relu, UnaryOp::clip, UnaryOp::abs, UnaryOp::elu}) {
    reference().unary(op, y, x, 0.1, 0.9);
    EXPECT_TRUE(std::isnan(y[0])) << static_cast<int>(op);
  }
  for (const BinaryOp op : {BinaryOp::maximum, BinaryOp::minimum, BinaryOp::add}) {
    reference().binary(op, y, x, one);
    EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1])) << static_cast<int>(op);
  }
}

TEST(ReferencePointwise, ActivationBackwardAgreesWithUnaryBackward) {
  struct Pair {
    Activation activation;
    UnaryOp op;
  };
  const Doubles x = scattered({50}, 6, -3, 3), d_y = scattered({50}, 7);
  for (const auto& [activation, op] :
       {Pair{Activation::relu, UnaryOp::relu}, Pair{Activation::leaky_relu, UnaryOp::leaky_relu},
        Pair{Activation::tanh, UnaryOp::tanh}, Pair{Activation::sigmoid, UnaryOp::sigmoid}}) {
    Doubles y({50}), from_x({50}), from_y({50});
    reference().unary(op, y, x, 0.2, 0);
    reference().unary_backward(op, from_x, x, d_y, 0.2, 0);
    reference().activation_backward(activation, from_y, y, d_y, 0.2);
    expect_near(from_y, from_x, 1e-15);
  }
  Doubles same({50});
  reference().activation_backward(Activation::identity, same, x, d_y, 0);
  EXPECT_EQ(same.data, d_y.data);
}

TEST(ReferencePointwise, BinaryBroadcastsBothWays) {
  const Doubles a({2, 1}, {1, 5}), b({1, 3}, {5, 2, 1});
  const auto apply = [&](BinaryOp op) {
    Doubles y({2, 3});
    reference().binary(op, y, a, b);
    return y.data;
  };
  using Values = std::vector<double>;
  EXPECT_EQ(apply(BinaryOp::add), (Values{6, 3, 2, 10, 7, 6}));
  EXPECT_EQ(apply(BinaryOp::subtract), (Values{-4, -1, 0, 0, 3, 4}));
  EXPECT_EQ(apply(BinaryOp::multiply), (Values{5, 2, 1, 25, 10, 5}));
  EXPECT_EQ(apply(BinaryOp::divide), (Values{0.2, 0.5, 1, 1, 2.5, 5}));
  EXPECT_EQ(apply(BinaryOp::maximum), (Values{5, 2, 1, 5, 5, 5}));
  EXPECT_EQ(apply(BinaryOp::minimum), (Values{1, 1, 1, 5, 2, 1}));
  EXPECT_EQ(apply(BinaryOp::greater), (Values{0, 0, 0, 0, 1, 1}));
  EXPECT_EQ(apply(BinaryOp::greater_equal), (Values{0, 0, 1, 1, 1, 1}));
  EXPECT_EQ(apply(BinaryOp::equal), (Values{0, 0, 1, 1, 0, 0}));
}

TEST(ReferencePointwise, SelectAndAxpby) {
  Doubles y({3});
  reference().select(y, Doubles({3}, {0, 1, -2}), Doubles({3}, {1, 2, 3}), Doubles({3}, {4, 5, 6}));
  EXPECT_EQ(y.data, (std::vector<double>{4, 2, 3}));
  reference().axpby(y, 2, y, -1, Doubles({3}, {1, 1, 1}));
  EXPECT_EQ(y.data, (std::vector<double>{7, 3, 5}));
}

TEST(ReferencePointwise, F32IsTheRoundingOfF64) {
  const Array<float> x = scattered<float>({200}, 8, -4, 4);
  const Doubles wide({200}, std::vector<double>(x.data.begin(), x.data.end()));
  for (const UnaryOp op : {UnaryOp::exp, UnaryOp::tanh, UnaryOp::sigmoid, UnaryOp::softplus, UnaryOp::sin}) {
    Array<float> y({200});
    Doubles exact({200});
    reference().unary(op, y, x, 0, 0);
    reference().unary(op, exact, wide, 0, 0);
    for (std::int64_t i = 0; i < 200; ++i) EXPECT_EQ(y[i], static_cast<float>(exact[i]));
  }
}

}  // namespace
}  // namespace counterfoil::test
