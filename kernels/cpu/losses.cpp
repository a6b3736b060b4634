#include "kernels/checks.h"
#include "kernels/cpu/broadcast_walk.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/reduction.h"
#include "kernels/cpu/vector_math.h"
#include "kernels/pointwise.h"
#include "kernels/require_f32.h"

namespace counterfoil {

namespace {

using cpu::BroadcastBlock;
using cpu::vector_math::VectorMath;

template <LossOp op>
struct LossSum {
  using Value = double;
  const float *a, *b;
  double scale;
  static double identity() { return 0; }
  float load(std::int64_t i) const { return pointwise::loss<op, VectorMath>(a[i], b[i]); }
  static double join(double left, double right) { return left + right; }
  float finish(double value) const { return static_cast<float>(scale * value); }
};

}  // namespace

void CpuBackend::loss(LossOp op, View out, ConstView a, ConstView b, double scale) {
  check::loss(op, out, a, b);
  require_f32("loss", out);
  pointwise::with_loss(op, [&](auto chosen) {
    cpu::reduce_axes(out, a.shape, LossSum<chosen()>{a.as<float>(), b.as<float>(), scale}, device_);
  });
}

void CpuBackend::loss_backward(LossOp op, View d_a, ConstView a, ConstView b, ConstView d_out, double scale) {
  check::loss_backward(op, d_a, a, b, d_out);
  require_f32("loss_backward", d_a);
  const auto factor = static_cast<float>(scale);
  pointwise::with_loss(op, [&](auto chosen) {
    constexpr LossOp kOp = chosen();
    cpu::BroadcastWalk(d_a.shape, {&d_out, 1}).run([&](const BroadcastBlock& block) __attribute__((flatten)) {
      float* const d = d_a.as<float>() + block.offset;
      const float* const p = a.as<float>() + block.offset;
      const float* const q = b.as<float>() + block.offset;
      const float* const g = block.operand[0];
      if (block.repeated[0]) {
        const float slope = *g * factor;
#pragma omp simd
        for (std::int64_t i = 0; i < block.length; ++i) {
          d[i] = slope * pointwise::loss_derivative<kOp, VectorMath>(p[i], q[i]);
        }
      } else {
#pragma omp simd
        for (std::int64_t i = 0; i < block.length; ++i) {
          d[i] = g[i] * factor * pointwise::loss_derivative<kOp, VectorMath>(p[i], q[i]);
        }
      }
    });
  });
}

}  // namespace counterfoil
