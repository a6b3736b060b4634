#include <algorithm>
#include <array>

#include "kernels/checks.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"
#include "kernels/require_f32.h"

namespace counterfoil {

namespace {

using cpu::kLanes;
using cpu::Lanes;
using cpu::load_lanes;
using cpu::parallel_for;
using cpu::sum_of;

constexpr std::int64_t kSide = 4;        // rows of a and of b taken together: 16 accumulators
constexpr std::int64_t kStretch = 2048;  // terms summed in f32 before the sum moves to double
using Tile = std::array<std::array<double, kSide>, kSide>;

// Squared distances between kSide rows of a and kSide rows of b over a stretch of whole lanes.
void add_stretch(Tile& tile, const std::array<const float*, kSide>& a, const std::array<const float*, kSide>& b,
                 std::int64_t begin, std::int64_t end) {
  Lanes sum[kSide][kSide] = {};
  for (std::int64_t d = begin; d < end; d += kLanes) {
    Lanes left[kSide];
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kSide; ++i) left[i] = load_lanes(a[i] + d);
#pragma GCC unroll 4
    for (std::size_t j = 0; j < kSide; ++j) {
      const Lanes right = load_lanes(b[j] + d);
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kSide; ++i) {
        const Lanes difference = left[i] - right;
        sum[i][j] += difference * difference;
      }
    }
  }
  for (std::size_t i = 0; i < kSide; ++i) {
    for (std::size_t j = 0; j < kSide; ++j) tile[i][j] += static_cast<double>(sum_of(sum[i][j]));
  }
}

// A tile beyond the last row repeats it, so that every pair is computed by the same instructions.
std::array<const float*, kSide> rows_from(ConstView x, std::int64_t row) {
  std::array<const float*, kSide> rows;
  for (std::int64_t i = 0; i < kSide; ++i) {
    rows[static_cast<std::size_t>(i)] = x.as<float>() + std::min(row + i, x.shape[0] - 1) * x.shape[1];
  }
  return rows;
}

Tile distances(ConstView a, std::int64_t first_a, ConstView b, std::int64_t first_b) {
  const std::int64_t length = a.shape[1], whole = length / kLanes * kLanes;
  std::array<const float*, kSide> left = rows_from(a, first_a), right = rows_from(b, first_b);
  Tile tile{};
  for (std::int64_t d = 0; d < whole; d += kStretch) add_stretch(tile, left, right, d, std::min(whole, d + kStretch));
  if (whole < length) {  // the rest, padded with zeros on both sides
    alignas(64) std::array<std::array<float, kLanes>, 2 * kSide> padded{};
    for (std::size_t i = 0; i < kSide; ++i) {
      std::copy(left[i] + whole, left[i] + length, padded[i].data());
      std::copy(right[i] + whole, right[i] + length, padded[kSide + i].data());
      left[i] = padded[i].data();
      right[i] = padded[kSide + i].data();
    }
    add_stretch(tile, left, right, 0, kLanes);
  }
  return tile;
}

}  // namespace

void CpuBackend::pairwise_distance(View out, ConstView a, ConstView b) {
  check::pairwise_distance(out, a, b);
  require_f32("pairwise_distance", out);
  const std::int64_t rows = a.shape[0], columns = b.shape[0];
  if (out.size() == 0) return;
  constexpr std::int64_t kBand = 64;  // columns whose rows of b stay in cache while the rows of a pass
  const std::int64_t bands = cpu::chunk_count(columns, kBand);
  parallel_for(cpu::chunk_count(rows, kBand) * bands, 1, [&](std::int64_t task, std::int64_t) {
    const std::int64_t first_column = task % bands * kBand, last_column = std::min(columns, first_column + kBand);
    const std::int64_t first_row = task / bands * kBand, last_row = std::min(rows, first_row + kBand);
    for (std::int64_t m = first_row; m < last_row; m += kSide) {
      for (std::int64_t n = first_column; n < last_column; n += kSide) {
        const Tile tile = distances(a, m, b, n);
        for (std::int64_t i = 0; i < std::min(kSide, last_row - m); ++i) {
          for (std::int64_t j = 0; j < std::min(kSide, last_column - n); ++j) {
            out.as<float>()[(m + i) * columns + n + j] =
                static_cast<float>(tile[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)]);
          }
        }
      }
    }
  });
}

void CpuBackend::nearest_row(View distance, View index, ConstView queries, ConstView base) {
  check::nearest_row(distance, index, queries, base);
  require_f32("nearest_row", distance);
  const std::int64_t rows = queries.shape[0], candidates = base.shape[0];
  constexpr std::int64_t kQueries = 16;
  constexpr std::int64_t kBand = 64;  // rows of base that stay in cache while the queries pass
  parallel_for(rows, kQueries, [&](std::int64_t begin, std::int64_t end) {
    std::array<float, kQueries> best{};
    std::array<std::int32_t, kQueries> best_index{};
    for (std::int64_t band = 0; band < candidates; band += kBand) {
      const std::int64_t band_end = std::min(candidates, band + kBand);
      for (std::int64_t m = begin; m < end; m += kSide) {
        for (std::int64_t n = band; n < band_end; n += kSide) {
          const Tile tile = distances(queries, m, base, n);
          for (std::int64_t i = 0; i < std::min(kSide, end - m); ++i) {
            const auto query = static_cast<std::size_t>(m - begin + i);
            for (std::int64_t j = 0; j < std::min(kSide, band_end - n); ++j) {
              const auto d = static_cast<float>(tile[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)]);
              if (n + j == 0 || d < best[query]) {
                best[query] = d;
                best_index[query] = static_cast<std::int32_t>(n + j);
              }
            }
          }
        }
      }
    }
    std::copy_n(best.data(), end - begin, distance.as<float>() + begin);
    std::copy_n(best_index.data(), end - begin, index.as<std::int32_t>() + begin);
  });
}

}  // namespace counterfoil
