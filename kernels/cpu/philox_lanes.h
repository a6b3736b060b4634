#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "kernels/cpu/simd.h"
#include "kernels/philox.h"

namespace counterfoil::cpu {

/// Eight 64-bit lanes: one AVX-512 register, or what the machine has instead.
using WideLanes = std::uint64_t __attribute__((vector_size(64)));

/// The low halves of the lanes times a 32-bit constant.
[[gnu::always_inline]] inline WideLanes multiply_low_halves(const WideLanes& lanes, std::uint32_t factor) {
#if defined(__AVX512F__)
  return reinterpret_cast<WideLanes>(_mm512_mul_epu32(reinterpret_cast<__m512i>(lanes), _mm512_set1_epi64(factor)));
#elif defined(__AVX2__)
  __m256i half[2];
  std::memcpy(half, &lanes, sizeof half);
  for (__m256i& part : half) part = _mm256_mul_epu32(part, _mm256_set1_epi64x(factor));
  WideLanes product;
  std::memcpy(&product, half, sizeof half);
  return product;
#else
  return (lanes & 0xffffffffU) * std::uint64_t{factor};
#endif
}

/// Philox blocks computed side by side.
inline constexpr std::uint64_t kPhiloxBlocks = 32;

/// Words 4 * block to 4 * (block + kPhiloxBlocks) - 1, the same as philox::block gives. A counter word lives in the low
/// half of a lane; the upper halves hold garbage that no product reads, so a round needs no masks.
[[gnu::always_inline]] inline void draw_philox(std::uint32_t* words, RandomKey key, std::uint64_t block) {
  constexpr std::uint64_t kVectors = kPhiloxBlocks / 8;
  constexpr WideLanes kPlace{0, 1, 2, 3, 4, 5, 6, 7};
  WideLanes c0[kVectors], c1[kVectors], c2[kVectors], c3[kVectors];
#pragma GCC unroll 4
  for (std::uint64_t k = 0; k < kVectors; ++k) {
    c0[k] = kPlace + (block + 8 * k);
    c1[k] = c0[k] >> 32;
    c2[k] = WideLanes{} + key.stream;
    c3[k] = WideLanes{} + (key.stream >> 32);
  }
  auto key0 = static_cast<std::uint32_t>(key.seed);
  auto key1 = static_cast<std::uint32_t>(key.seed >> 32);
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const WideLanes wide_key0 = WideLanes{} + std::uint64_t{key0}, wide_key1 = WideLanes{} + std::uint64_t{key1};
#pragma GCC unroll 4
    for (std::uint64_t k = 0; k < kVectors; ++k) {
      const WideLanes product0 = multiply_low_halves(c0[k], 0xD2511F53U);
      const WideLanes product1 = multiply_low_halves(c2[k], 0xCD9E8D57U);
      c0[k] = (product1 >> 32) ^ c1[k] ^ wide_key0;
      c1[k] = product1;
      c2[k] = (product0 >> 32) ^ c3[k] ^ wide_key1;
      c3[k] = product0;
    }
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
#pragma GCC unroll 4
  for (std::uint64_t k = 0; k < kVectors; ++k) {
    const WideLanes first = (c0[k] & 0xffffffffU) | (c1[k] << 32), second = (c2[k] & 0xffffffffU) | (c3[k] << 32);
    const WideLanes lower = __builtin_shuffle(first, second, WideLanes{0, 8, 1, 9, 2, 10, 3, 11});
    const WideLanes upper = __builtin_shuffle(first, second, WideLanes{4, 12, 5, 13, 6, 14, 7, 15});
    std::memcpy(words + 32 * k, &lower, sizeof lower);
    std::memcpy(words + 32 * k + 16, &upper, sizeof upper);
  }
}

}  // namespace counterfoil::cpu
