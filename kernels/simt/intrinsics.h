#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <math.h>

#include "kernels/simt/thread.h"

// CUDA's arithmetic intrinsics on the host. Where a GPU approximates, the host's correctly rounded or libm value
// stands in, so results agree within the approximation's error, not bitwise.

// clang-format off

// glibc declares __expf and its sisters itself, so these replace the names rather than the functions.
#define __expf(x) ::expf(x)
#define __exp10f(x) ::powf(10.0f, x)
#define __logf(x) ::logf(x)
#define __log2f(x) ::log2f(x)
#define __log10f(x) ::log10f(x)
#define __powf(x, y) ::powf(x, y)
#define __sinf(x) ::sinf(x)
#define __cosf(x) ::cosf(x)
#define __tanf(x) ::tanf(x)

inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __fdiv_rn(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __frsqrt_rn(float x) { return 1.0f / sqrtf(x); }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fsub_rn(float x, float y) { return x - y; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
inline double __fma_rn(double x, double y, double z) { return fma(x, y, z); }
inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
inline float normcdff(float x) { return 0.5f * erfcf(-x * 0.70710678118654752f); }
inline void __sincosf(float x, float* s, float* c) { *s = sinf(x); *c = cosf(x); }

#define COUNTERFOIL_SIMT_MIN_MAX(T)                     \
  inline T min(T a, T b) { return b < a ? b : a; }      \
  inline T max(T a, T b) { return a < b ? b : a; }
COUNTERFOIL_SIMT_MIN_MAX(int)
COUNTERFOIL_SIMT_MIN_MAX(unsigned)
COUNTERFOIL_SIMT_MIN_MAX(long)
COUNTERFOIL_SIMT_MIN_MAX(unsigned long)
COUNTERFOIL_SIMT_MIN_MAX(long long)
COUNTERFOIL_SIMT_MIN_MAX(unsigned long long)
#undef COUNTERFOIL_SIMT_MIN_MAX
// As on the device, a NaN argument gives way to the other one.
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }

inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }

namespace counterfoil::simt {
/// The device's conversion of an already rounded value: saturating, NaN gives 0.
template <typename Int, typename Float>
Int saturated(Float rounded) {
  if (rounded != rounded) return 0;
  if (rounded <= static_cast<Float>(std::numeric_limits<Int>::min())) return std::numeric_limits<Int>::min();
  if (rounded >= static_cast<Float>(std::numeric_limits<Int>::max())) return std::numeric_limits<Int>::max();
  return static_cast<Int>(rounded);
}
}  // namespace counterfoil::simt

inline int __float2int_rn(float x) { return counterfoil::simt::saturated<int>(nearbyintf(x)); }
inline int __float2int_rz(float x) { return counterfoil::simt::saturated<int>(truncf(x)); }
inline int __float2int_rd(float x) { return counterfoil::simt::saturated<int>(floorf(x)); }
inline int __float2int_ru(float x) { return counterfoil::simt::saturated<int>(ceilf(x)); }
inline unsigned __float2uint_rn(float x) { return counterfoil::simt::saturated<unsigned>(nearbyintf(x)); }
inline unsigned __float2uint_rz(float x) { return counterfoil::simt::saturated<unsigned>(truncf(x)); }
inline long long __float2ll_rn(float x) { return counterfoil::simt::saturated<long long>(nearbyintf(x)); }
inline long long __double2ll_rn(double x) { return counterfoil::simt::saturated<long long>(nearbyint(x)); }
inline int __double2int_rn(double x) { return counterfoil::simt::saturated<int>(nearbyint(x)); }
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline float __uint2float_rn(unsigned x) { return static_cast<float>(x); }
inline float __ll2float_rn(long long x) { return static_cast<float>(x); }
inline float __double2float_rn(double x) { return static_cast<float>(x); }

inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __clzll(long long x) { return std::countl_zero(static_cast<unsigned long long>(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __brev(unsigned x) {
  x = ((x >> 1) & 0x55555555u) | ((x & 0x55555555u) << 1);
  x = ((x >> 2) & 0x33333333u) | ((x & 0x33333333u) << 2);
  x = ((x >> 4) & 0x0f0f0f0fu) | ((x & 0x0f0f0f0fu) << 4);
  return __builtin_bswap32(x);
}
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>((static_cast<std::uint64_t>(a) * b) >> 32);
}
inline int __mulhi(int a, int b) { return static_cast<int>((static_cast<std::int64_t>(a) * b) >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  __extension__ using u128 = unsigned __int128;
  return static_cast<unsigned long long>((static_cast<u128>(a) * b) >> 64);
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
  return static_cast<unsigned>(((static_cast<std::uint64_t>(high) << 32 | low) << (shift & 31)) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
  return static_cast<unsigned>((static_cast<std::uint64_t>(high) << 32 | low) >> (shift & 31));
}

// Cache hints are plain loads and stores here.
template <typename T> __forceinline__ T __ldg(const T* address) { return *address; }
template <typename T> __forceinline__ T __ldcs(const T* address) { return *address; }
template <typename T> __forceinline__ T __ldcg(const T* address) { return *address; }
template <typename T> __forceinline__ T __ldca(const T* address) { return *address; }
template <typename T> __forceinline__ void __stcs(T* address, std::type_identity_t<T> value) { *address = value; }
template <typename T> __forceinline__ void __stcg(T* address, std::type_identity_t<T> value) { *address = value; }
