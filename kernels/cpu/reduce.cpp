#include <atomic>
#include <bit>
#include <cmath>

#include "kernels/checks.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/reduction.h"
#include "kernels/pointwise.h"
#include "kernels/require_f32.h"

namespace counterfoil {

namespace {

using cpu::reduce_axes;

template <typename Term>
struct Sum {
  using Value = double;
  const float* x;
  static double identity() { return 0; }
  float load(std::int64_t i) const { return Term()(x[i]); }
  static double join(double a, double b) { return a + b; }
  static float finish(double value) { return static_cast<float>(value); }
};

struct Maximum {
  using Value = float;
  const float* x;
  static float identity() { return -HUGE_VALF; }
  float load(std::int64_t i) const { return x[i]; }
  static float join(float a, float b) { return pointwise::maximum(a, b); }
  static float finish(float value) { return value; }
};

struct Minimum {
  using Value = float;
  const float* x;
  static float identity() { return HUGE_VALF; }
  float load(std::int64_t i) const { return x[i]; }
  static float join(float a, float b) { return pointwise::minimum(a, b); }
  static float finish(float value) { return value; }
};

struct Itself {
  float operator()(float x) const { return x; }
};
struct Magnitude {
  float operator()(float x) const { return std::fabs(x); }
};

// Squared in double: (1e30)^2 is no reason for an infinite norm when the terms' sum is scaled down later.
struct SumOfSquares {
  using Value = double;
  const float* x;
  static double identity() { return 0; }
  double load(std::int64_t i) const { return static_cast<double>(x[i]) * static_cast<double>(x[i]); }
  static double join(double a, double b) { return a + b; }
  static float finish(double value) { return static_cast<float>(value); }
};

}  // namespace

void CpuBackend::reduce(ReduceOp op, View out, ConstView x) {
  check::reduce(op, out, x);
  require_f32("reduce", out);
  const float* const from = x.as<float>();
  switch (op) {
    case ReduceOp::sum:
      return reduce_axes(out, x.shape, Sum<Itself>{from}, device_);
    case ReduceOp::sum_abs:
      return reduce_axes(out, x.shape, Sum<Magnitude>{from}, device_);
    case ReduceOp::sum_squares:
      return reduce_axes(out, x.shape, SumOfSquares{from}, device_);
    case ReduceOp::max:
      return reduce_axes(out, x.shape, Maximum{from}, device_);
    case ReduceOp::min:
      return reduce_axes(out, x.shape, Minimum{from}, device_);
  }
}

void CpuBackend::all_finite(View flag, ConstView x) {
  check::all_finite(flag, x);
  require_f32("all_finite", x);
  const float* const from = x.as<float>();
  std::atomic<bool> finite{true};
  cpu::parallel_for(x.size(), cpu::kElementGrain, [&finite, from](std::int64_t begin, std::int64_t end) {
    // All exponent bits set: infinity or NaN.
    std::int32_t largest = 0;
    for (std::int64_t i = begin; i < end; ++i) {
      largest = std::max(largest, std::bit_cast<std::int32_t>(from[i]) & 0x7f800000);
    }
    if (largest == 0x7f800000) finite.store(false, std::memory_order_relaxed);
  });
  *flag.as<float>() = finite ? 1.0f : 0.0f;
}

}  // namespace counterfoil
