#include <array>

#include "kernels/error.h"
#include "tests/kernels/cpu_loops.h"

namespace counterfoil::cpu_loops {
namespace {

constexpr float kInfinity = HUGE_VALF;
const float kNan = std::nanf("");

constexpr std::array kUnary{UnaryOp::affine,   UnaryOp::abs,          UnaryOp::sign,       UnaryOp::exp,
                            UnaryOp::log,      UnaryOp::sqrt,         UnaryOp::reciprocal, UnaryOp::pow,
                            UnaryOp::sin,      UnaryOp::cos,          UnaryOp::tanh,       UnaryOp::sigmoid,
                            UnaryOp::softplus, UnaryOp::relu,         UnaryOp::leaky_relu, UnaryOp::elu,
                            UnaryOp::clip,     UnaryOp::greater_than, UnaryOp::inside};

// f32 values, so that both precisions see the same parameters.
std::pair<double, double> parameters(UnaryOp op) {
  switch (op) {
    case UnaryOp::pow:
      return {1.75, 0};
    case UnaryOp::leaky_relu:
      return {0.25, 0};
    case UnaryOp::clip:
    case UnaryOp::inside:
      return {-1, 0.5};
    case UnaryOp::greater_than:
      return {1, 0};
    default:
      return {1.5, -0.375};
  }
}

Floats inputs_for(UnaryOp op, Shape shape, unsigned seed) {
  const bool positive = op == UnaryOp::log || op == UnaryOp::sqrt || op == UnaryOp::pow || op == UnaryOp::reciprocal;
  Floats x = positive ? uniform(shape, seed, 0.01f, 5) : uniform(shape, seed, -6, 6);
  for (std::size_t i = 0; i < x.data.size(); i += 3)
    x.data[i] = std::round(x.data[i]) + (positive ? 1.0f : 0.0f);  // kinks
  return x;
}

TEST(CpuLoopsPointwise, UnaryAndItsDerivative) {
  for (const UnaryOp op : kUnary) {
    const auto [p0, p1] = parameters(op);
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{1}, Shape{15}, Shape{3, 11}, Shape{2, 3, 5, 7}, Shape{40001}}) {
      const std::vector<Floats> in{inputs_for(op, shape, 1), uniform(shape, 2)};
      const std::string what = describe("unary", static_cast<int>(op), shape);
      expect_like_reference(
          shape, in,
          [&, p = p0, q = p1](Backend& b, View out, const std::vector<ConstView>& x) { b.unary(op, out, x[0], p, q); },
          {1e-6, 5e-7}, what);
      expect_like_reference(
          shape, in,
          [&, p = p0, q = p1](Backend& b, View out, const std::vector<ConstView>& x) {
            b.unary_backward(op, out, x[0], x[1], p, q);
          },
          {2e-6, 5e-7}, what + " backward");
    }
  }
}

TEST(CpuLoopsPointwise, UnaryInPlace) {
  for (const UnaryOp op : kUnary) {
    const auto [p0, p1] = parameters(op);
    const Floats x = inputs_for(op, Shape{1003}, 3), d = uniform(Shape{1003}, 4);
    Floats apart(x.shape), in_place = x;
    cpu().unary(op, apart.view(), x.view(), p0, p1);
    cpu().unary(op, in_place.view(), in_place.view(), p0, p1);
    EXPECT_TRUE(same_bits(apart, in_place)) << static_cast<int>(op);
    in_place = d;
    cpu().unary_backward(op, apart.view(), x.view(), d.view(), p0, p1);
    cpu().unary_backward(op, in_place.view(), x.view(), in_place.view(), p0, p1);
    EXPECT_TRUE(same_bits(apart, in_place)) << static_cast<int>(op);
  }
}

float slope_at(UnaryOp op, float x, double p0 = 0, double p1 = 0) {
  const Floats at(Shape{1}, x), d(Shape{1}, 3);
  Floats out(Shape{1});
  cpu().unary_backward(op, out.view(), at.view(), d.view(), p0, p1);
  return out.data[0] / 3;
}

TEST(CpuLoopsPointwise, Kinks) {
  EXPECT_EQ(slope_at(UnaryOp::relu, 0), 0);
  EXPECT_EQ(slope_at(UnaryOp::relu, -0.0f), 0);
  EXPECT_EQ(slope_at(UnaryOp::abs, 0), 0);
  EXPECT_EQ(slope_at(UnaryOp::abs, -1), -1);
  EXPECT_EQ(slope_at(UnaryOp::sign, 0), 0);
  EXPECT_EQ(slope_at(UnaryOp::sign, 5), 0);
  EXPECT_EQ(slope_at(UnaryOp::greater_than, 1, 1), 0);
  EXPECT_EQ(slope_at(UnaryOp::inside, 1, 1, 2), 0);
  EXPECT_FLOAT_EQ(slope_at(UnaryOp::leaky_relu, 0, 0.2), 0.2f);
  EXPECT_EQ(slope_at(UnaryOp::clip, 1, 1, 2), 1);
  EXPECT_EQ(slope_at(UnaryOp::clip, 2, 1, 2), 1);
  EXPECT_EQ(slope_at(UnaryOp::clip, 2.0001f, 1, 2), 0);
}

TEST(CpuLoopsPointwise, NanAndInfinityPass) {
  Floats x(Shape{19});
  x.data = {kNan, kInfinity, -kInfinity, 0, -0.0f, 1, kNan,       kNan, 3, kNan,
            1,    kInfinity, 0,          0, 0,     0, -kInfinity, kNan, 2};
  for (const UnaryOp op : kUnary) {
    const auto [p0, p1] = parameters(op);
    expect_like_reference(
        x.shape, {x},
        [&, p = p0, q = p1](Backend& b, View out, const std::vector<ConstView>& in) { b.unary(op, out, in[0], p, q); },
        {1e-6, 1e-6}, describe("unary", static_cast<int>(op), x.shape));
  }
}

TEST(CpuLoopsPointwise, AnglesBeyondTheVectorisedRange) {
  Floats x(Shape{4});
  x.data = {3e9f, -7e20f, 1.0f, 3e38f};
  for (const UnaryOp op : {UnaryOp::sin, UnaryOp::cos}) {
    Floats y(x.shape);
    cpu().unary(op, y.view(), x.view(), 0, 0);
    for (std::size_t i = 0; i < 4; ++i) {
      const auto angle = static_cast<double>(x.data[i]);
      EXPECT_NEAR(y.data[i], op == UnaryOp::sin ? std::sin(angle) : std::cos(angle), 1e-7) << angle;
    }
  }
}

TEST(CpuLoopsPointwise, PowersOfEverySign) {
  const Floats x = grid(Shape{200}, 5, -3, 3);
  for (const double p : {0.0, 1.0, 2.0, 3.0, 4.0, -1.0, -2.0, 0.5, 2.5}) {
    expect_like_reference(
        x.shape, {x, uniform(x.shape, 6)},
        [p](Backend& b, View out, const std::vector<ConstView>& in) { b.unary(UnaryOp::pow, out, in[0], p, 0); },
        {1e-7, 0}, "pow " + std::to_string(p));
    expect_like_reference(
        x.shape, {x, uniform(x.shape, 6)},
        [p](Backend& b, View out, const std::vector<ConstView>& in) {
          b.unary_backward(UnaryOp::pow, out, in[0], in[1], p, 0);
        },
        {3e-7, 0}, "pow backward " + std::to_string(p));
  }
}

TEST(CpuLoopsPointwise, ActivationBackward) {
  for (const Activation activation :
       {Activation::identity, Activation::relu, Activation::leaky_relu, Activation::tanh, Activation::sigmoid}) {
    for (const Shape& shape : {Shape{0}, Shape{17}, Shape{2, 5, 5, 3}}) {
      Floats y = uniform(shape, 1, activation == Activation::sigmoid ? 0.0f : -1.0f);
      if (shape.size() > 4) y.data[4] = 0;
      expect_like_reference(
          shape, {y, uniform(shape, 2)},
          [=](Backend& b, View out, const std::vector<ConstView>& in) {
            b.activation_backward(activation, out, in[0], in[1], 0.25);
          },
          {1e-6, 3e-7}, describe("activation_backward", static_cast<int>(activation), shape));
    }
  }
}

TEST(CpuLoopsPointwise, SelectAndAxpby) {
  for (const Shape& shape : {Shape{}, Shape{0, 4}, Shape{1}, Shape{33}, Shape{5, 7, 3}}) {
    expect_like_reference(
        shape, {grid(shape, 1, 0, 1), uniform(shape, 2), uniform(shape, 3)},
        [](Backend& b, View out, const std::vector<ConstView>& in) { b.select(out, in[0], in[1], in[2]); }, {0, 0},
        "select");
    expect_like_reference(
        shape, {uniform(shape, 2), uniform(shape, 3)},
        [](Backend& b, View out, const std::vector<ConstView>& in) { b.axpby(out, 0.75, in[0], -2.5, in[1]); },
        {1e-6, 2e-7}, "axpby");
  }
  Floats yes(Shape{3}, kNan), no(Shape{3}, 2), condition(Shape{3}), out(Shape{3});
  cpu().select(out.view(), condition.view(), yes.view(), no.view());
  EXPECT_EQ(out.data[1], 2);  // what is not chosen does not matter
}

constexpr std::array kBinary{BinaryOp::add,     BinaryOp::subtract,      BinaryOp::multiply,
                             BinaryOp::divide,  BinaryOp::maximum,       BinaryOp::minimum,
                             BinaryOp::greater, BinaryOp::greater_equal, BinaryOp::equal};

TEST(CpuLoopsBinary, EveryKindOfBroadcasting) {
  struct Case {
    Shape out, a, b;
  };
  const std::vector<Case> cases{
      {{}, {}, {}},
      {{0}, {0}, {1}},
      {{1}, {1}, {1}},
      {{17}, {17}, {17}},
      {{20000, 3}, {20000, 3}, {20000, 3}},
      {{33}, {33}, {1}},
      {{33}, {1}, {33}},
      {{2, 5, 7, 3}, {2, 5, 7, 3}, {1, 1, 1, 3}},  // per channel
      {{2, 5, 7, 3}, {1, 1, 1, 3}, {2, 5, 7, 3}},
      {{3, 40, 40, 5}, {3, 40, 40, 5}, {3, 1, 1, 5}},  // per image and channel
      {{3, 40, 40, 80}, {3, 40, 40, 80}, {3, 1, 1, 80}},
      {{3, 5, 7, 2}, {3, 5, 7, 2}, {3, 1, 1, 1}},        // per image
      {{3, 31, 31, 2}, {3, 31, 31, 1}, {3, 31, 31, 2}},  // per pixel
      {{3, 31, 31, 7}, {3, 31, 31, 1}, {1, 1, 1, 7}},    // outer product of pixels and channels
      {{3, 31, 31, 70}, {3, 31, 31, 70}, {3, 31, 31, 1}},
      {{6, 9}, {6, 1}, {1, 9}},
      {{600, 900}, {1, 900}, {600, 1}},
      {{2, 3, 4, 5, 6}, {2, 1, 4, 1, 6}, {1, 3, 1, 5, 1}},
      {{2, 3, 4, 5, 6}, {2, 1, 4, 1, 6}, {2, 3, 4, 5, 6}},
      {{2, 3, 4, 5, 6}, {1, 3, 4, 5, 6}, {2, 3, 1, 1, 1}},
      {{4, 1, 300, 1, 9}, {4, 1, 1, 1, 9}, {1, 1, 300, 1, 1}},
  };
  for (const Case& c : cases) {
    for (const BinaryOp op : kBinary) {
      const bool exact = op != BinaryOp::divide;
      std::vector<Floats> in{exact ? grid(c.a, 1) : uniform(c.a, 1), exact ? grid(c.b, 2) : uniform(c.b, 2, 0.5f, 2)};
      expect_like_reference(
          c.out, in, [op](Backend& b, View out, const std::vector<ConstView>& x) { b.binary(op, out, x[0], x[1]); },
          {exact ? 0 : 1e-7, 0}, describe("binary", static_cast<int>(op), c.a) + c.b.to_string());
    }
    expect_like_reference(
        c.out, {uniform(c.a, 1)}, [](Backend& b, View out, const std::vector<ConstView>& x) { b.broadcast(out, x[0]); },
        {0, 0}, "broadcast " + c.a.to_string());
  }
}

TEST(CpuLoopsBinary, InPlaceOnEitherArgument) {
  const Floats a = uniform({5, 41, 3}, 1), b = uniform({1, 1, 3}, 2);
  Floats apart(a.shape), in_place = a;
  cpu().binary(BinaryOp::subtract, apart.view(), a.view(), b.view());
  cpu().binary(BinaryOp::subtract, in_place.view(), in_place.view(), b.view());
  EXPECT_TRUE(same_bits(apart, in_place));
  in_place = a;
  cpu().binary(BinaryOp::subtract, apart.view(), b.view(), a.view());
  cpu().binary(BinaryOp::subtract, in_place.view(), b.view(), in_place.view());
  EXPECT_TRUE(same_bits(apart, in_place));
}

TEST(CpuLoopsBinary, MaximumAndMinimumKeepNan) {
  Floats a(Shape{3}), b(Shape{3});
  a.data = {kNan, 1, 2};
  b.data = {1, kNan, 3};
  for (const BinaryOp op : {BinaryOp::maximum, BinaryOp::minimum}) {
    Floats out(Shape{3});
    cpu().binary(op, out.view(), a.view(), b.view());
    EXPECT_TRUE(std::isnan(out.data[0]) && std::isnan(out.data[1]));
    EXPECT_EQ(out.data[2], op == BinaryOp::maximum ? 3 : 2);
  }
}

TEST(CpuLoopsPointwise, BadArguments) {
  Floats a(Shape{3}), b(Shape{4});
  EXPECT_THROW(cpu().unary(UnaryOp::exp, a.view(), b.view(), 0, 0), Error);
  EXPECT_THROW(cpu().binary(BinaryOp::add, a.view(), a.view(), b.view()), Error);
  EXPECT_THROW(cpu().axpby(a.view(), 1, a.view(), 1, b.view()), Error);
  std::vector<double> wide(3);
  const View doubles{wide.data(), Shape{3}, DType::f64};
  EXPECT_THROW(cpu().unary(UnaryOp::exp, doubles, doubles, 0, 0), Error);
  EXPECT_THROW(cpu().binary(BinaryOp::add, doubles, doubles, doubles), Error);
}

}  // namespace
}  // namespace counterfoil::cpu_loops
