#include <algorithm>
#include <array>

#include "kernels/checks.h"
#include "kernels/cpu/broadcast_walk.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/parallel.h"
#include "kernels/pointwise.h"
#include "kernels/require_f32.h"

namespace counterfoil {

namespace {

using cpu::BroadcastBlock;
using cpu::BroadcastWalk;

template <typename Op>
void apply_binary(View out, ConstView a, ConstView b, Op op) {
  const std::array<ConstView, 2> operands{a, b};
  float* const y = out.as<float>();
  BroadcastWalk(out.shape, operands).run([&](const BroadcastBlock& block) {
    float* const to = y + block.offset;
    const float* const left = block.operand[0];
    const float* const right = block.operand[1];
    if (block.repeated[1]) {
      const float value = *right;
#pragma omp simd
      for (std::int64_t i = 0; i < block.length; ++i) to[i] = op(left[i], value);
    } else if (block.repeated[0]) {
      const float value = *left;
#pragma omp simd
      for (std::int64_t i = 0; i < block.length; ++i) to[i] = op(value, right[i]);
    } else {
#pragma omp simd
      for (std::int64_t i = 0; i < block.length; ++i) to[i] = op(left[i], right[i]);
    }
  });
}

}  // namespace

void CpuBackend::binary(BinaryOp op, View out, ConstView a, ConstView b) {
  check::binary(op, out, a, b);
  require_f32("binary", out);
  pointwise::with_binary(op, [&](auto chosen) {
    constexpr BinaryOp kOp = chosen();
    apply_binary(out, a, b, [](float p, float q) { return pointwise::binary<kOp>(p, q); });
  });
}

void CpuBackend::broadcast(View out, ConstView x) {
  check::broadcast(out, x);
  require_f32("broadcast", out);
  float* const y = out.as<float>();
  BroadcastWalk(out.shape, {&x, 1}).run([&](const BroadcastBlock& block) {
    float* const to = y + block.offset;
    const float* const from = block.operand[0];
    if (block.repeated[0]) {
      std::fill_n(to, block.length, *from);
    } else {
      std::copy_n(from, block.length, to);
    }
  });
}

}  // namespace counterfoil
