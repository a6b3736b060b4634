#include "kernels/cpu/tap_kernels.h"

#include <algorithm>
#include <type_traits>

#include "kernels/cpu/simd.h"

namespace counterfoil::cpu {

namespace {

template <int kValue>
using Int = std::integral_constant<int, kValue>;

// Calls body(first column, number of columns) with blocks of kWide, then 4, then 1: the sums of a block stay in
// registers.
template <int kWide, typename Body>
[[gnu::always_inline]] inline void for_column_blocks(std::int64_t columns, Body&& body) {
  std::int64_t j = 0;
  for (; j + kWide <= columns; j += kWide) body(j, Int<kWide>{});
  for (; j + 4 <= columns; j += 4) body(j, Int<4>{});
  for (; j < columns; ++j) body(j, Int<1>{});
}

template <int kVectors, int kWide>
void broadcast_vectors(const TapGrid& grid, const float* weights, std::int64_t ld, std::int64_t first,
                       std::int64_t outputs) {
  const std::int64_t last_lanes = std::min(outputs - first - (kVectors - 1) * kLanes, kLanes);
  Lanes bias[kVectors] = {};
  if (grid.bias != nullptr) {
    for (int v = 0; v < kVectors; ++v)
      bias[v] = load(grid.bias + first + v * kLanes, v + 1 < kVectors ? kLanes : last_lanes);
  }
  for (std::int64_t i = 0; i < grid.rows; ++i) {
    for_column_blocks<kWide>(
        grid.columns, [&](std::int64_t j, auto pixels) __attribute__((always_inline)) {
          constexpr int kPixels = decltype(pixels)::value;
          const float* in = grid.in + i * grid.in_row + j * grid.in_column;
          const std::int64_t step = grid.in_column;
          Lanes sums[kPixels][kVectors];
#pragma GCC unroll 16
          for (int p = 0; p < kPixels; ++p)
#pragma GCC unroll 4
            for (int v = 0; v < kVectors; ++v) sums[p][v] = bias[v];
          const float* w = weights + first;
          for (std::int64_t tap = 0; tap < grid.taps; ++tap, w += ld) {
            const float* at = in + grid.offsets[tap];
            Lanes weight[kVectors];
#pragma GCC unroll 4
            for (int v = 0; v < kVectors; ++v) weight[v] = load_lanes(w + v * kLanes);
#pragma GCC unroll 16
            for (int p = 0; p < kPixels; ++p) {
              const Lanes value = splat(at[p * step]);
#pragma GCC unroll 4
              for (int v = 0; v < kVectors; ++v) sums[p][v] += value * weight[v];
            }
          }
          float* out = grid.out + i * grid.out_row + j * grid.out_column + first;
#pragma GCC unroll 16
          for (int p = 0; p < kPixels; ++p)
#pragma GCC unroll 4
            for (int v = 0; v < kVectors; ++v)
              store(out + p * grid.out_column + v * kLanes, sums[p][v], v + 1 < kVectors ? kLanes : last_lanes);
        });
  }
}

template <int kOutputs, int kWide>
void dot_outputs(const TapGrid& grid, const float* weights, std::int64_t channels) {
  const std::int64_t whole = channels / kLanes * kLanes;
  for (std::int64_t i = 0; i < grid.rows; ++i) {
    for_column_blocks<kWide>(
        grid.columns, [&](std::int64_t j, auto pixels) __attribute__((always_inline)) {
          constexpr int kPixels = decltype(pixels)::value;
          const float* in = grid.in + i * grid.in_row + j * grid.in_column;
          const std::int64_t step = grid.in_column, per_output = grid.taps * channels;
          Lanes sums[kPixels][kOutputs] = {};
          const auto accumulate = [&](const float* at, const float* w, auto load_vector)
              __attribute__((always_inline)) {
            Lanes weight[kOutputs];
#pragma GCC unroll 4
            for (int k = 0; k < kOutputs; ++k) weight[k] = load_vector(w + k * per_output);
            // Hidden from the compiler, which would keep an address for every pixel and spill most of them.
            std::int64_t stride = step;
            asm("" : "+r"(stride));
#pragma GCC unroll 16
            for (int p = 0; p < kPixels; ++p, at += stride) {
              const Lanes value = load_vector(at);
#pragma GCC unroll 4
              for (int k = 0; k < kOutputs; ++k) sums[p][k] += value * weight[k];
            }
          };
          for (std::int64_t tap = 0; tap < grid.taps; ++tap) {
            const float* at = in + grid.offsets[tap];
            const float* w = weights + tap * channels;
            for (std::int64_t c = 0; c < whole; c += kLanes)
              accumulate(at + c, w + c, [](const float* from) { return load_lanes(from); });
            if (whole < channels)
              accumulate(at + whole, w + whole, [=](const float* from) { return load_some(from, channels - whole); });
          }
          float* out = grid.out + i * grid.out_row + j * grid.out_column;
#pragma GCC unroll 16
          for (int p = 0; p < kPixels; ++p)
#pragma GCC unroll 4
            for (int k = 0; k < kOutputs; ++k)
              out[p * grid.out_column + k] = sum_of(sums[p][k]) + (grid.bias != nullptr ? grid.bias[k] : 0.0F);
        });
  }
}

template <int kTaps, int kVectors>
void correlate_block(const TapGrid& grid, const std::int64_t* offsets, float* sums, std::int64_t ld, std::int64_t first,
                     std::int64_t outputs) {
  const std::int64_t last_lanes = std::min(outputs - first - (kVectors - 1) * kLanes, kLanes);
  Lanes totals[kTaps][kVectors] = {};
  const float* at[kTaps];
  for (std::int64_t i = 0; i < grid.rows; ++i) {
#pragma GCC unroll 16
    for (int t = 0; t < kTaps; ++t) at[t] = grid.in + i * grid.in_row + offsets[t];
    const float* out = grid.out + i * grid.out_row + first;
    for (std::int64_t j = 0; j < grid.columns; ++j, out += grid.out_column) {
      Lanes value[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) value[v] = load(out + v * kLanes, v + 1 < kVectors ? kLanes : last_lanes);
#pragma GCC unroll 16
      for (int t = 0; t < kTaps; ++t) {
        const Lanes factor = splat(at[t][j * grid.in_column]);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) totals[t][v] += factor * value[v];
      }
    }
  }
#pragma GCC unroll 16
  for (int t = 0; t < kTaps; ++t)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      float* sum = sums + t * ld + first + v * kLanes;
      store_lanes(sum, load_lanes(sum) + totals[t][v]);
    }
}

template <int kVectors>
void correlate_vectors(const TapGrid& grid, float* sums, std::int64_t ld, std::int64_t first, std::int64_t outputs) {
  std::int64_t tap = 0;
  for (; tap + 9 <= grid.taps; tap += 9)
    correlate_block<9, kVectors>(grid, grid.offsets + tap, sums + tap * ld, ld, first, outputs);
  for (; tap + 4 <= grid.taps; tap += 4)
    correlate_block<4, kVectors>(grid, grid.offsets + tap, sums + tap * ld, ld, first, outputs);
  for (; tap < grid.taps; ++tap)
    correlate_block<1, kVectors>(grid, grid.offsets + tap, sums + tap * ld, ld, first, outputs);
}

template <int kFewCount, int kVectors>
void outer_block(const OuterGrid& grid, float* sums, std::int64_t ld, std::int64_t first, std::int64_t channels) {
  // Independent sums of neighbouring pixels hide the latency of the multiply-add.
  constexpr int kPixels = kFewCount * kVectors >= 8 ? 1 : kFewCount * kVectors >= 4 ? 2 : 4;
  const std::int64_t last_lanes = std::min(channels - first - (kVectors - 1) * kLanes, kLanes);
  Lanes totals[kPixels][kFewCount][kVectors] = {};
  for (std::int64_t i = 0; i < grid.rows; ++i) {
    const float* few = grid.few + i * grid.few_row;
    const float* many = grid.many + i * grid.many_row + first;
    const auto add = [&](int p) __attribute__((always_inline)) {
      Lanes value[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v)
        value[v] = load(many + p * grid.many_column + v * kLanes, v + 1 < kVectors ? kLanes : last_lanes);
#pragma GCC unroll 4
      for (int k = 0; k < kFewCount; ++k) {
        const Lanes factor = splat(few[p * grid.few_column + k]);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) totals[p][k][v] += factor * value[v];
      }
    };
    std::int64_t j = 0;
    for (; j + kPixels <= grid.columns; j += kPixels) {
#pragma GCC unroll 4
      for (int p = 0; p < kPixels; ++p) add(p);
      few += kPixels * grid.few_column;
      many += kPixels * grid.many_column;
    }
    for (; j < grid.columns; ++j) {
      add(0);
      few += grid.few_column;
      many += grid.many_column;
    }
  }
#pragma GCC unroll 4
  for (int k = 0; k < kFewCount; ++k)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      Lanes total = totals[0][k][v];
#pragma GCC unroll 4
      for (int p = 1; p < kPixels; ++p) total += totals[p][k][v];
      const std::int64_t lanes = v + 1 < kVectors ? kLanes : last_lanes;
      float* sum = sums + k * ld + first + v * kLanes;
      store(sum, load(sum, lanes) + total, lanes);
    }
}

template <int kFewCount>
void outer_rows(const OuterGrid& grid, float* sums, std::int64_t ld, std::int64_t channels) {
  std::int64_t c = 0;
  for (; c + 3 * kLanes < channels; c += 4 * kLanes) outer_block<kFewCount, 4>(grid, sums, ld, c, channels);
  for (; c + kLanes < channels; c += 2 * kLanes) outer_block<kFewCount, 2>(grid, sums, ld, c, channels);
  for (; c < channels; c += kLanes) outer_block<kFewCount, 1>(grid, sums, ld, c, channels);
}

// Calls body with the number of outputs, at most kFew, as a constant.
template <typename Body>
void with_few(std::int64_t count, Body&& body) {
  switch (count) {
    case 1:
      return body(Int<1>{});
    case 2:
      return body(Int<2>{});
    case 3:
      return body(Int<3>{});
    default:
      return body(Int<4>{});
  }
}

}  // namespace

void broadcast_taps(const TapGrid& grid, const float* weights, std::int64_t ld, std::int64_t outputs) {
  std::int64_t first = 0;
  for (; first + 3 * kLanes < outputs; first += 4 * kLanes) broadcast_vectors<4, 6>(grid, weights, ld, first, outputs);
  for (; first + kLanes < outputs; first += 2 * kLanes) broadcast_vectors<2, 8>(grid, weights, ld, first, outputs);
  for (; first < outputs; first += kLanes) broadcast_vectors<1, 14>(grid, weights, ld, first, outputs);
}

void dot_taps(const TapGrid& grid, const float* weights, std::int64_t channels, std::int64_t outputs) {
  with_few(outputs, [&](auto count) {
    constexpr int kOutputs = decltype(count)::value;
    dot_outputs<kOutputs, kOutputs == 1 ? 14 : kOutputs == 2 ? 12 : kOutputs == 3 ? 8 : 6>(grid, weights, channels);
  });
}

void correlate_taps(const TapGrid& grid, float* sums, std::int64_t ld, std::int64_t outputs) {
  std::int64_t first = 0;
  for (; first + kLanes < outputs; first += 2 * kLanes) correlate_vectors<2>(grid, sums, ld, first, outputs);
  for (; first < outputs; first += kLanes) correlate_vectors<1>(grid, sums, ld, first, outputs);
}

void outer_products(const OuterGrid& grid, float* sums, std::int64_t ld, std::int64_t few_count,
                    std::int64_t channels) {
  with_few(few_count, [&](auto count) { outer_rows<decltype(count)::value>(grid, sums, ld, channels); });
}

}  // namespace counterfoil::cpu
