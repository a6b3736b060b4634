#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/backend.h"
#include "kernels/device.h"

// The vectorised elementary functions against double, in units in the last place of the correctly rounded float.

namespace counterfoil {
namespace {

std::vector<float> evaluate(UnaryOp op, const std::vector<float>& x, double p0 = 0, double p1 = 0) {
  std::vector<float> y(x.size());
  const Shape shape{static_cast<std::int64_t>(x.size())};
  cpu_device().backend().unary(op, View{y.data(), shape, DType::f32}, ConstView{x.data(), shape, DType::f32}, p0, p1);
  return y;
}

double units_in_last_place(float got, double want) {
  const auto rounded = static_cast<float>(want);
  if (std::isnan(want) || std::isinf(rounded) || std::isinf(got)) {
    return std::isnan(want) ? (std::isnan(got) ? 0 : HUGE_VAL) : (got == rounded ? 0 : HUGE_VAL);
  }
  if (std::fabs(rounded) < 1.17549435e-38f) return std::fabs(got) < 1.2e-38f ? 0 : HUGE_VAL;  // flushed to zero
  int exponent = 0;
  std::frexp(rounded, &exponent);
  return std::fabs(static_cast<double>(got) - want) / std::ldexp(1.0, exponent - 24);
}

struct Case {
  const char* name;
  UnaryOp op;
  double p0;
  double (*exact)(double);
  float low, high;
  double units;
};

double exact_softplus(double x) {
  return (x < 0 ? 0 : x) + std::log1p(std::exp(-std::fabs(x)));
}
double exact_sigmoid(double x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}

class VectorMathTest : public testing::TestWithParam<Case> {};

TEST_P(VectorMathTest, IsCloseToDouble) {
  const Case& c = GetParam();
  std::mt19937 random(7);
  std::vector<float> x;
  for (int i = 0; i <= 100000; ++i) x.push_back(c.low + (c.high - c.low) * static_cast<float>(i) / 100000.0f);
  // Small magnitudes too, where cancellation shows.
  for (int i = 0; i < 20000; ++i) {
    const float size = std::ldexp(1.0f, -static_cast<int>(random() % 60));
    x.push_back(size * (c.low + (c.high - c.low) * static_cast<float>(random() % 10007) / 10007.0f));
  }
  for (const float special : {0.0f, -0.0f, HUGE_VALF, -HUGE_VALF, std::nanf(""), 1.0f, -1.0f, 88.7228f, 88.73f, -87.3f,
                              -103.9f, 1e30f, -1e30f, 1.2e-38f}) {
    x.push_back(special);
  }
  const std::vector<float> y = evaluate(c.op, x, c.p0);
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double units = units_in_last_place(y[i], c.exact(static_cast<double>(x[i])));
    ASSERT_LE(units, c.units) << c.name << "(" << x[i] << ") = " << y[i];
    worst = std::max(worst, units);
  }
  RecordProperty("worst_units_in_last_place", std::to_string(worst));
}

INSTANTIATE_TEST_SUITE_P(
    Functions, VectorMathTest,
    testing::Values(Case{"exp", UnaryOp::exp, 0, [](double x) { return std::exp(x); }, -87, 88.7f, 1},
                    Case{"log", UnaryOp::log, 0, [](double x) { return std::log(x); }, 0, 1000, 1},
                    Case{"log_near_one", UnaryOp::log, 0, [](double x) { return std::log(x); }, 0.5f, 2, 1},
                    Case{"tanh", UnaryOp::tanh, 0, [](double x) { return std::tanh(x); }, -12, 12, 3},
                    Case{"sigmoid", UnaryOp::sigmoid, 0, exact_sigmoid, -87, 87, 3},
                    Case{"softplus", UnaryOp::softplus, 0, exact_softplus, -87, 87, 2},
                    Case{"elu", UnaryOp::elu, 1, [](double x) { return x > 0 ? x : std::expm1(x); }, -30, 5, 2},
                    Case{"sin", UnaryOp::sin, 0, [](double x) { return std::sin(x); }, -1000, 1000, 2},
                    Case{"cos", UnaryOp::cos, 0, [](double x) { return std::cos(x); }, -1000, 1000, 2},
                    Case{"pow_2.5", UnaryOp::pow, 2.5, [](double x) { return std::pow(x, 2.5); }, 0, 1e6f, 0.501},
                    Case{"pow_-3", UnaryOp::pow, -3, [](double x) { return std::pow(x, -3.0); }, -90, 90, 0.501},
                    Case{"pow_0.3", UnaryOp::pow, 0.3, [](double x) { return std::pow(x, 0.3); }, 0, 3e38f, 0.501},
                    Case{"sqrt", UnaryOp::sqrt, 0, [](double x) { return std::sqrt(x); }, 0, 1e9f, 0.501},
                    Case{"reciprocal", UnaryOp::reciprocal, 0, [](double x) { return 1 / x; }, -9, 9, 0.501}),
    [](const testing::TestParamInfo<Case>& instance) {
      std::string name = instance.param.name;
      for (char& letter : name) letter = std::isalnum(static_cast<unsigned char>(letter)) ? letter : '_';
      return name;
    });

// A value of an element may not depend on where it stands: whole vectors, their rest, and alone.
TEST(VectorMath, SameBitsAtEveryPosition) {
  for (const UnaryOp op :
       {UnaryOp::exp, UnaryOp::log, UnaryOp::tanh, UnaryOp::sigmoid, UnaryOp::softplus, UnaryOp::sin}) {
    const std::vector<float> y = evaluate(op, std::vector<float>(77, 1.2345f));
    const std::vector<float> alone = evaluate(op, {1.2345f});
    for (const float value : y) EXPECT_EQ(value, alone[0]) << static_cast<int>(op);
  }
}

}  // namespace
}  // namespace counterfoil
