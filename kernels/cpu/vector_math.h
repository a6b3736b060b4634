#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

// Transcendental functions in f32 that a compiler can vectorise: no branches, no tables, no library calls. Each reduces
// its argument to a small interval and evaluates a minimax polynomial there (fitted for this file). Errors in units in
// the last place, measured against double in tests/kernels/cpu_loops_math.cpp: exp 1, expm1 2, log 1, tanh 3,
// sigmoid 3, softplus 2, sin and cos 2. Zeros, infinities and NaN follow the C library.
namespace counterfoil::cpu::vector_math {

namespace detail {

// exp(x) = 2^n (1 + t) with t = exp(r) - 1 and |r| <= ln(2) / 2.
struct ReducedExp {
  float t;
  float half_power, rest_of_power;  // 2^n as a product of two, since 2^128 and 2^-127 have no normal float
};

inline float power_of_two(std::int32_t n) {
  return std::bit_cast<float>((n + 127) << 23);
}

[[gnu::always_inline]] inline ReducedExp reduce_exp(float x) {
  x = x < -104.0f ? -104.0f : x;  // written so that NaN passes
  x = x > 89.0f ? 89.0f : x;
  // Adding 1.5 * 2^23 rounds to an integer, which then sits in the low bits.
  const float shifted = x * 1.44269504f + 12582912.0f;
  const float n = shifted - 12582912.0f;
  const std::int32_t whole = std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(12582912.0f);
  float r = x - n * 0.693145752f;
  r = r - n * 1.42860677e-6f;
  float p = 1.9892991763e-4f;
  p = p * r + 1.39354518439e-3f;
  p = p * r + 8.33330908652e-3f;
  p = p * r + 4.16664483657e-2f;
  p = p * r + 1.66666666835e-1f;
  p = p * r + 0.5f;
  const std::int32_t half = whole >> 1;
  return {r * r * p + r, power_of_two(half), power_of_two(whole - half)};
}

// log(1 + f) for s = f / (2 + f): f - s (f - R), R = 2 (atanh(s) / s - 1).
[[gnu::always_inline]] inline float log1p_small(float f) {  // -0.293 <= f <= 0.415
  const float s = f / (2.0f + f);
  const float z = s * s;
  float p = 0.233308299861f;
  p = p * z + 0.28550807482f;
  p = p * z + 0.400001219574f;
  p = p * z + 0.666666665544f;
  return f - s * (f - z * p);
}

[[gnu::always_inline]] inline float log1p_unit(float f) {  // 0 <= f <= 1
  const float s = f / (2.0f + f);
  const float z = s * s;
  float p = 0.207876168557f;
  p = p * z + 0.174647024654f;
  p = p * z + 0.22264711209f;
  p = p * z + 0.285703057219f;
  p = p * z + 0.400000107699f;
  p = p * z + 0.6666666665f;
  return f - s * (f - z * p);
}

// sin(x) for quadrant_shift 0, cos(x) for 1: reduced in double, so that no bit is lost near multiples of pi / 2.
[[gnu::always_inline]] inline float sine(float x, std::int32_t quadrant_shift) {
  const double shifted = static_cast<double>(x) * 0.63661977236758134 + 6755399441055744.0;
  const double n = shifted - 6755399441055744.0;
  const auto quadrant = static_cast<std::int32_t>(n) + quadrant_shift;
  const auto r = static_cast<float>((static_cast<double>(x) - n * 1.5707963267948966) - n * 6.123233995736766e-17);
  const float z = r * r;
  float s = 2.72493140547e-6f;
  s = s * z - 1.98400820128e-4f;
  s = s * z + 8.33333186596e-3f;
  s = s * z - 1.66666666638e-1f;
  s = r + r * z * s;
  float c = 2.45474372102e-5f;
  c = c * z - 1.38883006969e-3f;
  c = c * z + 4.16666646475e-2f;
  c = (1.0f - 0.5f * z) + z * z * c;
  const float magnitude = (quadrant & 1) != 0 ? c : s;
  return (quadrant & 2) != 0 ? -magnitude : magnitude;
}

}  // namespace detail

[[gnu::always_inline]] inline float exp(float x) {
  const detail::ReducedExp e = detail::reduce_exp(x);
  return (e.half_power + e.half_power * e.t) * e.rest_of_power;
}

/// exp(x) - 1 without cancellation.
[[gnu::always_inline]] inline float expm1(float x) {
  const detail::ReducedExp e = detail::reduce_exp(x);
  const float scaled_t = e.half_power * e.t;
  const float near = scaled_t * e.rest_of_power + (e.half_power * e.rest_of_power - 1.0f);
  return x > 80.0f ? (e.half_power + scaled_t) * e.rest_of_power : near;  // 2^128 alone is no float
}

[[gnu::always_inline]] inline float log(float x) {
  const bool tiny = x < 1.17549435e-38f;
  const float scaled = tiny ? x * 8388608.0f : x;
  // Differences in unsigned numbers, which wrap where x is negative.
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(scaled);
  const std::int32_t exponent = static_cast<std::int32_t>(bits - std::bit_cast<std::uint32_t>(0.70710677f)) >> 23;
  const float mantissa = std::bit_cast<float>(bits - (static_cast<std::uint32_t>(exponent) << 23));
  const float e = static_cast<float>(exponent) - (tiny ? 23.0f : 0.0f);
  float result = (detail::log1p_small(mantissa - 1.0f) + e * 1.42860677e-6f) + e * 0.693145752f;
  result = x == 0.0f ? -HUGE_VALF : result;
  result = x < 0.0f ? std::bit_cast<float>(0x7fc00000) : result;
  return x < HUGE_VALF ? result : x;  // infinity and NaN
}

[[gnu::always_inline]] inline float tanh(float x) {
  const float t = expm1(-2.0f * std::fabs(x));  // in [-1, 0]
  return std::copysign(t / (t + 2.0f), x);
}

/// log(1 + x) for 0 <= x <= 1: softplus and the cross-entropies take it of exp(-|x|).
[[gnu::always_inline]] inline float log1p(float x) {
  return detail::log1p_unit(x);
}

/// Beyond this the reduction of sin and cos runs out of bits; NaN passes.
inline constexpr float kLargestAngle = 1e8f;

[[gnu::always_inline]] inline float sin(float x) {
  return detail::sine(x, 0);
}
[[gnu::always_inline]] inline float cos(float x) {
  return detail::sine(x, 1);
}

/// x ^ p through double, where two short series suffice for a correctly rounded float in all but rare cases.
class Power {
 public:
  explicit Power(double p) : p_(p) {
    const bool integer = std::floor(p) == p;
    const bool odd = integer && std::fmod(std::fabs(p), 2.0) == 1.0;
    sign_ = odd ? -1.0 : 1.0;
    negative_ = integer ? sign_ : std::numeric_limits<double>::quiet_NaN();
  }

  [[gnu::always_inline]] float operator()(float x) const {
    const double a = std::fabs(static_cast<double>(x));
    double value = exp_of(p_ * log_of(a));
    double below_zero = negative_;
    value = a > 3.5e38 ? at_infinity_ : value;
    below_zero = a > 3.5e38 ? sign_ : below_zero;
    value = a == 0.0 ? at_zero_ : value;
    value = a != a ? a : value;
    value = p_ == 0.0 ? 1.0 : value;
    below_zero = a == 0.0 ? sign_ : below_zero;
    return static_cast<float>(std::bit_cast<std::int32_t>(x) < 0 ? value * below_zero : value);
  }

 private:
  // a = m 2^e with m in [sqrt(1/2), sqrt(2)); log(m) = 2 artanh((m - 1) / (m + 1)).
  [[gnu::always_inline]] static double log_of(double a) {
    const auto bits = std::bit_cast<std::uint64_t>(a);
    const std::uint64_t exponent = (bits - 0x3fe6a09e667f3bcdULL + 0x3ff0000000000000ULL) >> 52;  // biased by 1023
    const double m = std::bit_cast<double>(bits - (exponent << 52) + 0x3ff0000000000000ULL);
    // An integer below 2^52 sits in the low bits of 2^52 + integer.
    const double e = std::bit_cast<double>(exponent | 0x4330000000000000ULL) - (4503599627370496.0 + 1023.0);
    const double s = (m - 1.0) / (m + 1.0);
    const double z = s * s;
    double q = 1.0 / 15;
    q = q * z + 1.0 / 13;
    q = q * z + 1.0 / 11;
    q = q * z + 1.0 / 9;
    q = q * z + 1.0 / 7;
    q = q * z + 1.0 / 5;
    q = q * z + 1.0 / 3;
    return e * 0.69314718055994531 + (2.0 * s + 2.0 * s * z * q);
  }

  [[gnu::always_inline]] static double exp_of(double x) {
    x = x < -200.0 ? -200.0 : x;  // beyond a float's range either way
    x = x > 200.0 ? 200.0 : x;
    const double shifted = x * 1.4426950408889634 + 6755399441055744.0;
    const double n = shifted - 6755399441055744.0;
    const double r = x - n * 0.69314718055994531;
    double q = 1.0 / 3628800;
    q = q * r + 1.0 / 362880;
    q = q * r + 1.0 / 40320;
    q = q * r + 1.0 / 5040;
    q = q * r + 1.0 / 720;
    q = q * r + 1.0 / 120;
    q = q * r + 1.0 / 24;
    q = q * r + 1.0 / 6;
    q = q * r + 0.5;
    q = q * r + 1.0;
    q = q * r + 1.0;
    const std::uint64_t power = (std::bit_cast<std::uint64_t>(shifted) + 1023) << 52;
    return q * std::bit_cast<double>(power);
  }

  double p_;
  double sign_, negative_;  // of (-0)^p and (-inf)^p, and of a finite negative number's power
  double at_zero_ = p_ > 0 ? 0.0 : HUGE_VAL;
  double at_infinity_ = p_ > 0 ? HUGE_VAL : 0.0;
};

/// The elementary functions that the formulas of kernels/pointwise.h ask for.
struct VectorMath {
  [[gnu::always_inline]] static float exp(float x) { return vector_math::exp(x); }
  [[gnu::always_inline]] static float expm1(float x) { return vector_math::expm1(x); }
  [[gnu::always_inline]] static float log(float x) { return vector_math::log(x); }
  [[gnu::always_inline]] static float log1p(float x) { return vector_math::log1p(x); }
  [[gnu::always_inline]] static float sqrt(float x) { return std::sqrt(x); }
  [[gnu::always_inline]] static float tanh(float x) { return vector_math::tanh(x); }
};

}  // namespace counterfoil::cpu::vector_math
