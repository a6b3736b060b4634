#pragma once

#include <cstdint>

namespace counterfoil::cpu {

inline constexpr std::int64_t kFew = 4;

/// A grid of output pixels, each a sum over taps: places in the input at fixed offsets from the pixel's own. The input
/// is padded, so every tap exists.
struct TapGrid {
  std::int64_t rows, columns;  ///< output pixels
  const float* in;             ///< the input at output pixel (0, 0)
  std::int64_t in_row, in_column;
  float* out;
  std::int64_t out_row, out_column;
  const std::int64_t* offsets;
  std::int64_t taps;
  const float* bias;  ///< of the output channels, or null
};

/// out[k] = bias[k] + sum over taps of in[offset] weights[tap][k], one input value per tap: vectors over k.
/// weights has rows of `ld` floats, a multiple of 16, zero past `outputs`.
void broadcast_taps(const TapGrid& grid, const float* weights, std::int64_t ld, std::int64_t outputs);

/// out[k] = bias[k] + sum over taps and c of in[offset + c] weights[k][tap][c] for k < outputs <= kFew: vectors over c.
void dot_taps(const TapGrid& grid, const float* weights, std::int64_t channels, std::int64_t outputs);

/// sums[tap][k] += sum over the grid's pixels of in[offset] out[k], with rows of `ld` floats as for broadcast_taps.
void correlate_taps(const TapGrid& grid, float* sums, std::int64_t ld, std::int64_t outputs);

/// sums[k * ld + c] += sum over `rows` x `columns` pixels of few[k] many[c] for k < few_count <= kFew, c < channels:
/// vectors over c.
struct OuterGrid {
  std::int64_t rows, columns;
  const float *few, *many;
  std::int64_t few_row, few_column, many_row, many_column;
};
void outer_products(const OuterGrid& grid, float* sums, std::int64_t ld, std::int64_t few_count, std::int64_t channels);

}  // namespace counterfoil::cpu
