#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

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
  return Lanes{value, value, value, value, value, value, value, value,
               value, value, value, value, value, value, value, value};
}

#if defined(__AVX512F__)
[[gnu::always_inline]] inline __mmask16 first_lanes(std::int64_t count) {
  return static_cast<__mmask16>((1U << static_cast<unsigned>(count)) - 1U);
}
#endif

/// The first `count` lanes from memory, the others zero.
[[gnu::always_inline]] inline Lanes load_some(const float* from, std::int64_t count) {
#if defined(__AVX512F__)
  return static_cast<Lanes>(_mm512_maskz_loadu_ps(first_lanes(count), from));
#else
  Lanes lanes{};
  std::memcpy(&lanes, from, static_cast<std::size_t>(count) * sizeof(float));
  return lanes;
#endif
}

[[gnu::always_inline]] inline void store_some(float* to, const Lanes& lanes, std::int64_t count) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(to, first_lanes(count), static_cast<__m512>(lanes));
#else
  std::memcpy(to, &lanes, static_cast<std::size_t>(count) * sizeof(float));
#endif
}

/// load_lanes or load_some.
[[gnu::always_inline]] inline Lanes load(const float* from, std::int64_t count) {
  return count == kLanes ? load_lanes(from) : load_some(from, count);
}

[[gnu::always_inline]] inline void store(float* to, const Lanes& lanes, std::int64_t count) {
  count == kLanes ? store_lanes(to, lanes) : store_some(to, lanes, count);
}

/// rows[i][j] becomes rows[j][i]. Each round interleaves the two halves, which moves one bit of a value's row number to
/// its lane number.
[[gnu::always_inline]] inline void transpose(Lanes (&rows)[16]) {
  for (int round = 0; round < 4; ++round) {
    Lanes next[16];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      next[2 * i] =
          __builtin_shufflevector(rows[i], rows[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      next[2 * i + 1] =
          __builtin_shufflevector(rows[i], rows[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) rows[i] = next[i];
  }
}

/// The sum of the lanes, in a fixed tree.
[[gnu::always_inline]] inline float sum_of(const Lanes& lanes) {
  using Eight = float __attribute__((vector_size(32)));
  using Four = float __attribute__((vector_size(16)));
  const Eight eight = __builtin_shufflevector(lanes, lanes, 0, 1, 2, 3, 4, 5, 6, 7) +
                      __builtin_shufflevector(lanes, lanes, 8, 9, 10, 11, 12, 13, 14, 15);
  const Four four =
      __builtin_shufflevector(eight, eight, 0, 1, 2, 3) + __builtin_shufflevector(eight, eight, 4, 5, 6, 7);
  const Four two = four + __builtin_shufflevector(four, four, 2, 3, 0, 1);
  return (two + __builtin_shufflevector(two, two, 1, 0, 3, 2))[0];
}

}  // namespace counterfoil::cpu
