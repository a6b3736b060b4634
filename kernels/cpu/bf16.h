#pragma once

#include <bit>
#include <cstdint>

namespace counterfoil::cpu {

/// Round to nearest, ties to even; a NaN stays a NaN.
inline std::uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7fffU + ((bits >> 16U) & 1U)) >> 16U;
  const std::uint32_t quiet = (bits >> 16U) | 0x40U;
  return static_cast<std::uint16_t>((bits & 0x7fffffffU) > 0x7f800000U ? quiet : rounded);
}

inline float from_bf16(std::uint16_t value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16U);
}

inline void round_to_bf16(std::uint16_t* out, const float* x, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = to_bf16(x[i]);
}

/// The same rounding, kept as f32.
inline void round_through_bf16(float* out, const float* x, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = from_bf16(to_bf16(x[i]));
}

}  // namespace counterfoil::cpu
