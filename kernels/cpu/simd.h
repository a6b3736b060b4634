#pragma once

#include <cstdint>
#include <cstring>

// Vectors are passed by reference or inlined, so the calling convention GCC warns about is never used.
#pragma GCC diagnostic ignored "-Wpsabi"

/// Sixteen floats in GCC's vector extension: one AVX-512 register, or what the machine has instead.
namespace counterfoil::cpu {

using Lanes = float __attribute__((vector_size(64)));
using LaneMask = std::int32_t __attribute__((vector_size(64)));
inline constexpr std::int64_t kLanes = 16;

[[gnu::always_inline]] inline Lanes load_lanes(const float* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

[[gnu::always_inline]] inline void store_lanes(float* to, const Lanes& lanes) {
  std::memcpy(to, &lanes, sizeof lanes);
}

[[gnu::always_inline]] inline Lanes splat(float value) {
  return Lanes{} + value;
}

/// The first `count` lanes from memory, the others zero.
[[gnu::always_inline]] inline Lanes load_some(const float* from, std::int64_t count) {
  Lanes lanes{};
  std::memcpy(&lanes, from, static_cast<std::size_t>(count) * sizeof(float));
  return lanes;
}

[[gnu::always_inline]] inline void store_some(float* to, const Lanes& lanes, std::int64_t count) {
  std::memcpy(to, &lanes, static_cast<std::size_t>(count) * sizeof(float));
}

/// The sum of the lanes, in a fixed tree.
[[gnu::always_inline]] inline float sum_of(const Lanes& lanes) {
  float eight[8], four[4];
  for (int i = 0; i < 8; ++i) eight[i] = lanes[i] + lanes[i + 8];
  for (int i = 0; i < 4; ++i) four[i] = eight[i] + eight[i + 4];
  return (four[0] + four[2]) + (four[1] + four[3]);
}

}  // namespace counterfoil::cpu
