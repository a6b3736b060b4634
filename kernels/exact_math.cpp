#include "kernels/exact_math.h"

#include <array>
#include <limits>

namespace counterfoil::exact {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kLog2E = 0x1.71547652b82fep+0;

/// 1 / n!
constexpr std::array<double, 20> kInverseFactorial = [] {
  std::array<double, 20> values{};
  double factorial = 1;  // exact up to 18!; the rounding of 19! is far below the term's weight
  for (std::size_t n = 0; n < values.size(); ++n) {
    if (n > 0) factorial *= static_cast<double>(n);
    values[n] = 1 / factorial;
  }
  return values;
}();

/// An unevaluated sum, high + low, of about twice the precision of a double.
struct Pair {
  double high, low;
};

/// x * 2^k with one rounding, k from -1100 to 1024.
double scale(double x, int k) {
  const auto power = [](int n) { return double_from_bits(static_cast<std::uint64_t>(n + 1023) << 52); };
  if (k > 1023) return x * 2 * power(k - 1);
  if (k < -1021) return x * power(k + 200) * power(-200);
  return x * power(k);
}

/// x = k ln 2 + r, |r| <= ln(2) / 2 or hardly more, with low added to r.
struct Reduced {
  double r;
  int k;
};
Reduced reduce_by_ln2(double x, double low) {
  const double quotient = x * kLog2E;
  const int k = static_cast<int>(quotient < 0 ? quotient - 0.5 : quotient + 0.5);
  return {(x - k * kLn2High) - (k * kLn2Low - low), k};
}

/// (exp(r) - 1 - r) / r^2 = 1/2! + r/3! + r^2/4! + ..., |r| <= 0.35.
double exp_tail(double r) {
  double sum = kInverseFactorial[14];
  for (std::size_t n = 13; n >= 2; --n) sum = sum * r + kInverseFactorial[n];
  return sum;
}

/// exp(x + low) for low no larger than the rounding of x.
double exp_pair(double x, double low) {
  if (x > 710) return kInfinity;
  if (x < -746) return 0;
  if (x != x) return x;
  const auto [r, k] = reduce_by_ln2(x, low);
  return scale(1 + (r + r * r * exp_tail(r)), k);
}

/// log(x) to about 65 bits, for finite x > 0: the series of log_near_one with its large terms in pairs.
Pair log_pair(double x) {
  const Split parts = split(x);
  const double f = parts.mantissa - 1;
  // s = f / (2 + f)
  const double d = 2 + f;
  const double d_low = f - (d - 2);
  const double s = f / d;
  const double s_low = (std::fma(-s, d, f) - s * d_low) / d;
  // z = s^2
  const double z = s * s;
  const double z_low = std::fma(s, s, -z) + 2 * s * s_low;
  // c = 2/3 + 2/5 z + 2/7 z^2 + ...
  double rest = 2.0 / 27;
  for (int n = 25; n >= 5; n -= 2) rest = rest * z + 2.0 / n;
  rest *= z;
  const double c = 2.0 / 3 + rest;
  const double c_low = (2.0 / 3 - c) + rest + 0x1.5555555555555p-55;
  // t = z c, u = s t
  const double t = z * c;
  const double t_low = std::fma(z, c, -t) + (z * c_low + z_low * c);
  const double u = s * t;
  const double u_low = std::fma(s, t, -u) + (s * t_low + s_low * t);
  // log(1 + f) = 2 s + u
  const double near = 2 * s + u;
  const double near_low = (2 * s - near) + u + (2 * s_low + u_low);
  // + e ln 2
  const double e = parts.exponent;
  const double far = e * kLn2High;
  const double high = far + near;
  return {high, (far - high) + near + (near_low + e * kLn2Low)};
}

// 2 / pi in binary, after 64 zeros.
constexpr std::array<std::uint64_t, 20> kTwoOverPi = {
    0x0000000000000000, 0xA2F9836E4E441529, 0xFC2757D1F534DDC0, 0xDB6295993C439041, 0xFE5163ABDEBBC561,
    0xB7246E3A424DD2E0, 0x06492EEA09D1921C, 0xFE1DEB1CB129A73E, 0xE88235F52EBB4484, 0xE99C7026B45F7E41,
    0x3991D639835339F4, 0x9C845F8BBDF9283B, 0x1FF897FFDE05980F, 0xEF2F118B5A0A6D1F, 0x6D367ECF27CB09B7,
    0x4F463F669E5FEA2D, 0x7527BAC7EBE5F17B, 0x3D0739F78A5292EA, 0x6BFB5FB11F8D5D08, 0x56033046FC7B6BAB};

struct Angle {
  double r;  ///< in [-pi/4, pi/4]
  unsigned quadrant;
};

/// x = (4 n + quadrant) pi/2 + r for finite x >= pi/4: M. Payne and R. Hanek, "Radian reduction for trigonometric
/// functions", SIGNUM Newsletter 18, 1983. With x = m 2^e, the bits of 2/pi of weight 2^(2-e) and more only add whole
/// turns to x * 2/pi; the next 192 bits give two bits of quadrant and 190 of fraction.
Angle reduce_angle(double x) {
  const std::uint64_t bits = bits_of(x);
  const std::uint64_t m = (bits & 0x000FFFFFFFFFFFFFull) | 0x0010000000000000ull;
  const int e = static_cast<int>(bits >> 52) - 1075;
  const auto start = static_cast<unsigned>(e + 62);  // of the first bit kept, weight 2^(1-e)
  const auto window = [start](unsigned i) {
    const unsigned first = start / 64 + i, shift = start % 64;
    return shift == 0 ? kTwoOverPi[first] : kTwoOverPi[first] << shift | kTwoOverPi[first + 1] >> (64 - shift);
  };
  using Wide = unsigned __int128;
  const Wide low = Wide{m} * window(2);
  const Wide middle = Wide{m} * window(1) + (low >> 64);
  const Wide high = Wide{m} * window(0) + (middle >> 64);
  const Wide upper = high << 64 | (middle & ~std::uint64_t{0});
  const Wide fraction = upper << 2 | (low >> 62 & 3);  // in units of 2^-128
  const bool round_up = (fraction >> 127) != 0;
  const Wide magnitude = round_up ? -fraction : fraction;
  const double part = static_cast<double>(magnitude);
  const double part_low = static_cast<double>(static_cast<__int128>(magnitude - static_cast<Wide>(part)));
  constexpr double half_pi = 0x1.921fb54442d18p+0, half_pi_low = 0x1.1a62633145c07p-54;
  const double product = part * half_pi;
  const double r = product + (std::fma(part, half_pi, -product) + (part * half_pi_low + part_low * half_pi));
  return {(round_up ? -r : r) * 0x1p-128, (static_cast<unsigned>(upper >> 126) + (round_up ? 1u : 0u)) & 3u};
}

/// r - r^3/3! + r^5/5! - ...
double sin_near_zero(double r) {
  const double z = r * r;
  double sum = kInverseFactorial[17];
  for (std::size_t n = 15; n >= 3; n -= 2) sum = kInverseFactorial[n] - sum * z;
  return r - r * z * sum;
}

/// 1 - r^2/2! + r^4/4! - ..., with the rounding of 1 - r^2/2 put back.
double cos_near_zero(double r) {
  const double z = r * r;
  double sum = kInverseFactorial[18];
  for (std::size_t n = 16; n >= 4; n -= 2) sum = kInverseFactorial[n] - sum * z;
  const double half = 0.5 * z;
  const double one_minus_half = 1 - half;
  return one_minus_half + (((1 - one_minus_half) - half) + z * z * sum);
}

/// sin(x + shift pi/2), x >= 0.
double sin_shifted(double x, unsigned shift) {
  if (!(x < kInfinity)) return kNan;
  const Angle angle = x <= 0.785398163397448 ? Angle{x, 0} : reduce_angle(x);
  const unsigned quadrant = (angle.quadrant + shift) & 3u;
  const double value = quadrant % 2 == 0 ? sin_near_zero(angle.r) : cos_near_zero(angle.r);
  return quadrant < 2 ? value : -value;
}

}  // namespace

double exp(double x) {
  return exp_pair(x, 0);
}

double expm1(double x) {
  if (x > 710) return kInfinity;
  if (x < -40) return -1;
  if (x != x || x == 0) return x;
  const auto [r, k] = reduce_by_ln2(x, 0);
  const double near = r + r * r * exp_tail(r);  // exp(r) - 1
  if (k == 0) return near;
  if (k > 60) return scale(1 + near, k);
  return scale(near + (1 - scale(1, -k)), k);
}

double log1p(double x) {
  if (x < -1) return kNan;
  if (x == -1) return -kInfinity;
  if (!(x < kInfinity)) return x;
  if (x > -0.29 && x < 0.41) return log_near_one(x, 0);
  const double sum = 1 + x;
  const double lost = x > 1 ? 1 - (sum - x) : x - (sum - 1);
  return log(sum) + lost / sum;
}

double pow(double x, double y) {
  if (y == 0 || x == 1) return 1;
  if (x != x || y != y) return kNan;
  const double magnitude = std::fabs(x);
  const bool whole = std::floor(y) == y;
  const bool odd = whole && std::fabs(y) < 0x1p53 && std::fmod(y, 2) != 0;
  const bool negative = std::signbit(x) && odd;
  const auto with_sign = [negative](double value) { return negative ? -value : value; };
  if (magnitude == 0) return with_sign(y > 0 ? 0 : kInfinity);
  if (magnitude == kInfinity) return with_sign(y > 0 ? kInfinity : 0);
  if (std::fabs(y) == kInfinity) return magnitude == 1 ? 1 : (magnitude > 1) == (y > 0) ? kInfinity : 0;
  if (x < 0 && !whole) return kNan;
  const Pair logarithm = log_pair(magnitude);
  const double exponent = y * logarithm.high;
  if (std::fabs(exponent) > 800) return with_sign(exponent > 0 ? kInfinity : 0);
  return with_sign(exp_pair(exponent, std::fma(y, logarithm.high, -exponent) + y * logarithm.low));
}

double tanh(double x) {
  const double magnitude = std::fabs(x);
  if (!(magnitude < 22)) return x != x ? x : std::copysign(1.0, x);
  // 1 - 2 / (exp(2|x|) + 1) loses digits near zero, where the second form does not.
  double value = 0;
  if (magnitude >= 1) {
    value = 1 - 2 / (expm1(2 * magnitude) + 2);
  } else {
    const double t = expm1(-2 * magnitude);
    value = -t / (t + 2);
  }
  return std::copysign(value, x);
}

double sin(double x) {
  return x < 0 ? -sin_shifted(-x, 0) : x == 0 ? x : sin_shifted(x, 0);
}

double cos(double x) {
  return sin_shifted(std::fabs(x), 1);
}

}  // namespace counterfoil::exact
