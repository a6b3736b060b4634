#include "kernels/pointwise.h"

#include <algorithm>
#include <cmath>

#include "kernels/checks.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"
#include "kernels/require_f32.h"

namespace counterfoil {

namespace {

namespace vm = cpu::vector_math;
using cpu::kElementGrain;
using cpu::parallel_for;
using vm::VectorMath;

template <UnaryOp op>
inline constexpr bool is_own_loop = op == UnaryOp::pow || op == UnaryOp::sin || op == UnaryOp::cos;

// Every loop is flattened and works on copies of its own: it vectorises only when all it calls is inlined and nothing
// it reads could be changed by what it writes.
template <typename Op>
void map(View out, ConstView x, Op op) {
  const auto loop =
      [ y = out.as<float>(), from = x.as<float>(), op ](std::int64_t begin, std::int64_t end) __attribute__((flatten)) {
    const Op f = op;
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) y[i] = f(from[i]);
  };
  parallel_for(out.size(), kElementGrain, loop);
}

template <typename Op>
void map(View out, ConstView a, ConstView b, Op op) {
  const auto loop = [ y = out.as<float>(), left = a.as<float>(), right = b.as<float>(),
                      op ](std::int64_t begin, std::int64_t end) __attribute__((flatten)) {
    const Op f = op;
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) y[i] = f(left[i], right[i]);
  };
  parallel_for(out.size(), kElementGrain, loop);
}

struct Sine {
  static float fast(float x) { return vm::sin(x); }
  static float any(float x) { return std::sin(x); }
};
struct Cosine {
  static float fast(float x) { return vm::cos(x); }
  static float any(float x) { return std::cos(x); }
};

// out[i] = finish(i, angle function of x[i]). A chunk with arguments that the vectorised reduction cannot take goes to
// the C library.
template <typename Function, typename Finish>
void map_angles(View out, ConstView x, Finish finish) {
  float* const y = out.as<float>();
  const float* const from = x.as<float>();
  parallel_for(
      out.size(), kElementGrain, [=](std::int64_t begin, std::int64_t end) __attribute__((flatten)) {
        bool large = false;
        for (std::int64_t i = begin; i < end; ++i) large |= std::fabs(from[i]) > vm::kLargestAngle;
        if (large) {
          for (std::int64_t i = begin; i < end; ++i) y[i] = finish(i, Function::any(from[i]));
        } else {
#pragma omp simd
          for (std::int64_t i = begin; i < end; ++i) y[i] = finish(i, Function::fast(from[i]));
        }
      });
}

void map_power(View out, ConstView x, double p) {
  if (p == 1) return map(out, x, [](float v) { return v; });
  if (p == 2) return map(out, x, [](float v) { return v * v; });
  if (p == 3) return map(out, x, [](float v) { return v * v * v; });
  map(out, x, vm::Power(p));
}

void map_power_backward(View d_x, ConstView x, ConstView d_y, double p) {
  const auto factor = static_cast<float>(p);
  if (p == 2) return map(d_x, d_y, x, [](float d, float v) { return d * (2.0f * v); });
  if (p == 3) return map(d_x, d_y, x, [](float d, float v) { return d * (3.0f * v * v); });
  if (p == 0) return map(d_x, d_y, x, [](float, float) { return 0.0f; });
  map(d_x, d_y, x, [factor, power = vm::Power(p - 1)](float d, float v) { return d * (factor * power(v)); });
}

}  // namespace

void CpuBackend::unary(UnaryOp op, View out, ConstView x, double p0, double p1) {
  check::unary(op, out, x);
  require_f32("unary", out);
  const auto p = static_cast<float>(p0), q = static_cast<float>(p1);
  if (op == UnaryOp::pow) return map_power(out, x, p0);
  if (op == UnaryOp::sin) return map_angles<Sine>(out, x, [](std::int64_t, float s) { return s; });
  if (op == UnaryOp::cos) return map_angles<Cosine>(out, x, [](std::int64_t, float c) { return c; });
  pointwise::with_unary(op, [&](auto chosen) {
    constexpr UnaryOp kOp = chosen();
    if constexpr (is_own_loop<kOp>)
      return;
    else
      map(out, x, [p, q](float v) { return pointwise::unary<kOp, VectorMath>(v, p, q); });
  });
}

void CpuBackend::unary_backward(UnaryOp op, View d_x, ConstView x, ConstView d_y, double p0, double p1) {
  check::unary_backward(op, d_x, x, d_y);
  require_f32("unary_backward", d_x);
  const auto p = static_cast<float>(p0), q = static_cast<float>(p1);
  const float* const d = d_y.as<float>();
  if (op == UnaryOp::pow) return map_power_backward(d_x, x, d_y, p0);
  if (op == UnaryOp::sin) return map_angles<Cosine>(d_x, x, [d](std::int64_t i, float c) { return d[i] * c; });
  if (op == UnaryOp::cos) return map_angles<Sine>(d_x, x, [d](std::int64_t i, float s) { return -d[i] * s; });
  pointwise::with_unary(op, [&](auto chosen) {
    constexpr UnaryOp kOp = chosen();
    if constexpr (is_own_loop<kOp>)
      return;
    else
      map(d_x, d_y, x, [p, q](float g, float v) { return g * pointwise::unary_derivative<kOp, VectorMath>(v, p, q); });
  });
}

void CpuBackend::activation_backward(Activation activation, View d_x, ConstView y, ConstView d_y, double slope) {
  check::activation_backward(d_x, y, d_y);
  require_f32("activation_backward", d_x);
  pointwise::with_activation(activation, [&, p = static_cast<float>(slope)](auto chosen) {
    constexpr Activation kActivation = chosen();
    map(d_x, d_y, y, [p](float g, float v) { return g * pointwise::activation_derivative<kActivation>(v, p); });
  });
}

void CpuBackend::select(View out, ConstView condition, ConstView a, ConstView b) {
  check::select(out, condition, a, b);
  require_f32("select", out);
  float* const y = out.as<float>();
  const float *const c = condition.as<float>(), *const yes = a.as<float>(), *const no = b.as<float>();
  parallel_for(
      out.size(), kElementGrain, [=](std::int64_t begin, std::int64_t end) __attribute__((flatten)) {
#pragma omp simd
        for (std::int64_t i = begin; i < end; ++i) {
          const float when = yes[i], otherwise = no[i];
          y[i] = c[i] != 0.0f ? when : otherwise;
        }
      });
}

void CpuBackend::axpby(View out, double alpha, ConstView x, double beta, ConstView y) {
  check::axpby(out, x, y);
  require_f32("axpby", out);
  const auto p = static_cast<float>(alpha), q = static_cast<float>(beta);
  map(out, x, y, [p, q](float u, float v) { return p * u + q * v; });
}

}  // namespace counterfoil
