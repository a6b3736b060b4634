#pragma once

#include <cstdint>

#include "kernels/pointwise.h"

namespace counterfoil::cpu {

inline void round_to_bf16(std::uint16_t* out, const float* x, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = pointwise::to_bf16(x[i]);
}

/// The same rounding, kept as f32.
inline void round_through_bf16(float* out, const float* x, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = pointwise::from_bf16(pointwise::to_bf16(x[i]));
}

}  // namespace counterfoil::cpu
