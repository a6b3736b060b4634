#include "kernels/exact_math.h"

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

// The oracle is the C library in long double, which shares no code with exact_math.

namespace counterfoil {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Distance in units in the last place of the true value's double neighbourhood.
double ulps(double value, long double truth) {
  if (std::isnan(value) || std::isnan(truth)) return std::isnan(value) == std::isnan(truth) ? 0 : kInfinity;
  const auto nearest = static_cast<double>(truth);
  if (value == nearest) return 0;
  if (std::isinf(value) || std::isinf(nearest)) return kInfinity;
  int exponent = 0;
  (void)std::frexp(nearest, &exponent);
  const long double ulp = std::ldexp(1.0L, std::max(exponent - 53, -1074));
  return static_cast<double>(std::fabs(static_cast<long double>(value) - truth) / ulp);
}

/// A fixed sequence of doubles: linear in [low, high], or, with powers, sign * 2^[low, high].
class Samples {
 public:
  double uniform(double low, double high) { return low + (high - low) * static_cast<double>(next() >> 11) * 0x1p-53; }
  double power(double low, double high) { return std::exp2(uniform(low, high)); }

 private:
  std::uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  std::uint64_t state_ = 0x9E3779B97F4A7C15ull;
};

double worst(const std::function<double(double)>& ours, const std::function<long double(long double)>& truth,
             const std::function<double(Samples&)>& draw) {
  Samples samples;
  double most = 0;
  for (int i = 0; i < 100000; ++i) {
    const double x = draw(samples);
    most = std::max(most, ulps(ours(x), truth(x)));
  }
  return most;
}

struct Function {
  const char* name;
  double (*ours)(double);
  long double (*truth)(long double);
  std::vector<std::function<double(Samples&)>> ranges;
};

std::function<double(Samples&)> between(double low, double high) {
  return [=](Samples& samples) { return samples.uniform(low, high); };
}
std::function<double(Samples&)> powers(double low, double high, double sign = 1) {
  return [=](Samples& samples) { return sign * samples.power(low, high); };
}

TEST(ExactMath, StaysWithinTwoAndAHalfUlpsOfLongDouble) {
  const std::vector<Function> functions = {
      {"exp", exact::exp, std::exp, {between(-745, 709.7), between(-1, 1), powers(-60, 0), powers(-60, 9, -1)}},
      {"expm1", exact::expm1, std::expm1, {between(-60, 709.7), between(-1, 1), powers(-300, 0), powers(-300, 0, -1)}},
      {"log", exact::log, std::log, {between(0.5, 2), powers(-1074, 1023), between(0, 100)}},
      {"log1p", exact::log1p, std::log1p, {between(-1, 2), powers(-300, 1000), powers(-300, -1, -1)}},
      {"tanh", exact::tanh, std::tanh, {between(-3, 3), between(-30, 30), powers(-300, 3)}},
      {"sin", exact::sin, std::sin, {between(-10, 10), powers(-300, 60), powers(0, 1023, -1)}},
      {"cos", exact::cos, std::cos, {between(-10, 10), powers(-300, 60), powers(0, 1023, -1)}},
  };
  for (const Function& function : functions) {
    for (std::size_t i = 0; i < function.ranges.size(); ++i) {
      EXPECT_LE(worst(function.ours, function.truth, function.ranges[i]), 2.5) << function.name << " range " << i;
    }
  }
}

TEST(ExactMath, PowStaysWithinOneUlp) {
  Samples samples;
  for (int i = 0; i < 300000; ++i) {
    const double x = i % 3 == 0   ? samples.power(-1074, 1023)
                     : i % 3 == 1 ? samples.uniform(0, 4)
                                  : 1 + samples.power(-40, -3);
    const double limit = std::min(1e15, 745 / std::max(1e-12, std::fabs(std::log(x))));
    const double y = samples.uniform(-limit, limit);
    EXPECT_LE(ulps(exact::pow(x, y), std::pow(static_cast<long double>(x), static_cast<long double>(y))), 1.0)
        << x << " ^ " << y;
  }
}

TEST(ExactMath, MultiplesOfHalfPiKeepEveryDigit) {
  // The double nearest to a multiple of pi/2 is 6381956970095103 * 2^797 (Kahan), with a cosine of about 4.7e-19.
  const double hardest = std::ldexp(6381956970095103.0, 797);
  EXPECT_LE(ulps(exact::cos(hardest), std::cos(static_cast<long double>(hardest))), 1.5);
  for (int k = 1; k < 2000; ++k) {
    const double x = k * 1.5707963267948966;
    EXPECT_LE(ulps(exact::sin(x), std::sin(static_cast<long double>(x))), 1.5) << k;
    EXPECT_LE(ulps(exact::cos(x), std::cos(static_cast<long double>(x))), 1.5) << k;
  }
}

TEST(ExactMath, SpecialValuesAreThoseOfC) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> values = {0.0,    -0.0,    1,      -1,    0.5,    -0.5,      2,
                                      -2,     3,       -3,     1e300, -1e300, kInfinity, -kInfinity,
                                      5e-324, -5e-324, 1e-310, 709.9, -745.2, nan};
  // The same special value with the same sign, or the same number but for the last place.
  const auto agree = [](double a, double b) {
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
    return std::signbit(a) == std::signbit(b) && (a == b || std::fabs(a / b - 1) < 1e-15);
  };
  for (const double x : values) {
    EXPECT_TRUE(agree(exact::exp(x), std::exp(x))) << x;
    EXPECT_TRUE(agree(exact::expm1(x), std::expm1(x))) << x;
    EXPECT_TRUE(agree(exact::log1p(x), std::log1p(x))) << x;
    EXPECT_TRUE(agree(exact::tanh(x), std::tanh(x))) << x;
    EXPECT_TRUE(agree(exact::sin(x), std::sin(x))) << x;
    EXPECT_TRUE(agree(exact::cos(x), std::cos(x))) << x;
    EXPECT_TRUE(agree(exact::log(x), std::log(x))) << x;
    for (const double y : values) EXPECT_TRUE(agree(exact::pow(x, y), std::pow(x, y))) << x << " ^ " << y;
  }
}

}  // namespace
}  // namespace counterfoil
