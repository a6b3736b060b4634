#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/host_device.h"

// Elementary functions of double made of IEEE additions, multiplications, divisions, square roots and fused
// multiply-adds alone, so they give the same bits on every IEEE machine, whatever its mathematical library. Within
// 2.5 units in the last place over the whole range, mostly 1; special values as in C's <math.h>.

namespace counterfoil::exact {

double exp(double x);
double expm1(double x);
double log1p(double x);
double pow(double x, double y);
double tanh(double x);
double sin(double x);
double cos(double x);

/// 2 / n + 2 / (n + 2) z + ... + 2 / 23 z^((23 - n) / 2). Unrolled by the template, so that loops over it vectorise.
template <int n>
COUNTERFOIL_HOST_DEVICE double artanh_series(double z) {
  if constexpr (n == 23) {
    return 2.0 / 23;
  } else {
    return ::fma(artanh_series<n + 2>(z), z, 2.0 / n);
  }
}

/// log(1 + f) for 1 + f in [sqrt(1/2), sqrt(2)], plus a small addend: with s = f / (2 + f),
/// log(1 + f) = 2 artanh(s) = 2 s + s^3 (2/3 + 2/5 s^2 + ...) = f - (f^2 / 2 - s (f^2 / 2 + s^2 (2/3 + ...))),
/// where the last form adds small corrections to f, which is exact.
COUNTERFOIL_HOST_DEVICE inline double log_near_one(double f, double addend) {
  const double s = f / (2.0 + f);
  const double z = s * s;
  const double series = artanh_series<3>(z);
  const double half = 0.5 * f;
  return f - ::fma(half, f, -::fma(s, ::fma(half, f, z * series), addend));
}

COUNTERFOIL_HOST_DEVICE inline std::uint64_t bits_of(double x) {
#if defined(__CUDA_ARCH__)
  return static_cast<std::uint64_t>(__double_as_longlong(x));
#else
  return std::bit_cast<std::uint64_t>(x);
#endif
}
COUNTERFOIL_HOST_DEVICE inline double double_from_bits(std::uint64_t bits) {
#if defined(__CUDA_ARCH__)
  return __longlong_as_double(static_cast<long long>(bits));
#else
  return std::bit_cast<double>(bits);
#endif
}

COUNTERFOIL_HOST_DEVICE inline std::uint32_t bits_of(float x) {
#if defined(__CUDA_ARCH__)
  return __float_as_uint(x);
#else
  return std::bit_cast<std::uint32_t>(x);
#endif
}
COUNTERFOIL_HOST_DEVICE inline float float_from_bits(std::uint32_t bits) {
#if defined(__CUDA_ARCH__)
  return __uint_as_float(bits);
#else
  return std::bit_cast<float>(bits);
#endif
}

/// x = mantissa * 2^exponent with mantissa in [sqrt(1/2), sqrt(2)), for finite x > 0.
struct Split {
  double mantissa;
  int exponent;
};
COUNTERFOIL_HOST_DEVICE inline Split split(double x) {
  int exponent = 0;
  if (x < 0x1p-1022) {  // subnormal
    x *= 0x1p54;
    exponent = -54;
  }
  const std::uint64_t bits = bits_of(x);
  exponent += static_cast<int>(bits >> 52) - 1023;
  double mantissa = double_from_bits((bits & 0x000FFFFFFFFFFFFFull) | 0x3FF0000000000000ull);
  if (mantissa >= 1.4142135623730951) {
    mantissa *= 0.5;
    exponent += 1;
  }
  return {mantissa, exponent};
}

// ln 2 in two parts; the first has 21 trailing zeros, so its product with an exponent is exact.
inline constexpr double kLn2High = 0x1.62e42fee00000p-1;
inline constexpr double kLn2Low = 0x1.a39ef35793c76p-33;

/// Inline, and written so that contraction cannot change it: the tails of the normal distribution need it on every
/// device (philox.h).
COUNTERFOIL_HOST_DEVICE inline double log(double x) {
  if (x < 0) return NAN;
  if (x == 0) return -INFINITY;
  if (!(x < INFINITY)) return x;  // infinity and NaN
  const Split parts = split(x);
  const double e = parts.exponent;
  return ::fma(e, kLn2High, log_near_one(parts.mantissa - 1.0, e * kLn2Low));
}

/// These functions as a set for the formulas of pointwise.h.
struct Math {
  static double exp(double x) { return exact::exp(x); }
  static double expm1(double x) { return exact::expm1(x); }
  static double log(double x) { return exact::log(x); }
  static double log1p(double x) { return exact::log1p(x); }
  static double sqrt(double x) { return std::sqrt(x); }
  static double pow(double x, double y) { return exact::pow(x, y); }
  static double sin(double x) { return exact::sin(x); }
  static double cos(double x) { return exact::cos(x); }
  static double tanh(double x) { return exact::tanh(x); }
};

}  // namespace counterfoil::exact
