#include <algorithm>
#include <cstdint>

#include "kernels/checks.h"
#include "kernels/cpu/bf16.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/require_f32.h"
#include "kernels/cpu/scratch.h"

namespace counterfoil {

namespace {

using namespace cpu;

constexpr double kLeastFlops = 2e6;
constexpr std::int64_t kMostTiles = 16;
// A sum this long feeds sgemm; partial results that stay in the second-level cache are cheap to add.
constexpr std::int64_t kLeastPart = 512, kFewResults = 1 << 15;
// sgemm's register tile is 48 x 8; a cut elsewhere wastes part of one.
constexpr std::int64_t kRowsUnit = 48, kColumnsUnit = 48;

// The extent of a tile along an axis cut in at most `pieces`, a multiple of `unit`.
std::int64_t tile_extent(std::int64_t extent, std::int64_t pieces, std::int64_t unit) {
  return chunk_count(chunk_count(extent, pieces), unit) * unit;
}

}  // namespace

void CpuBackend::matmul(View y, ConstView a, ConstView b, bool transpose_a, bool transpose_b, ConstView bias,
                        Activation activation, double slope, Compute compute) {
  check::matmul(y, a, b, transpose_a, transpose_b, bias);
  require_f32("matmul", y);
  if (y.size() == 0) return;
  const std::int64_t batches = y.shape.rank() == 3 ? y.shape[0] : 1;
  const std::int64_t m = y.shape[-2], n = y.shape[-1], k = a.shape[transpose_a ? -2 : -1];
  const auto* bias_data = bias.as<float>();
  const auto slope_f32 = static_cast<float>(slope);
  if (k == 0) {
    epilogue_of_nothing(y.as<float>(), batches * m, n, bias_data, activation, slope_f32);
    return;
  }
  const bool rounds = compute == Compute::bf16;
  const Scratch rounded(device_, rounds ? sizeof(float) * static_cast<std::size_t>(a.size() + b.size()) : 0);
  const auto* a_data = a.as<float>();
  const auto* b_data = b.as<float>();
  if (rounds) {
    auto* copy = rounded.as<float>();
    for (const ConstView& operand : {a, b}) {
      parallel_for(operand.size(), kElementGrain, [&](std::int64_t begin, std::int64_t end) {
        round_through_bf16(copy + begin, operand.as<float>() + begin, end - begin);
      });
      copy += operand.size();
    }
    a_data = rounded.as<float>();
    b_data = a_data + a.size();
  }

  const double flops = 2.0 * static_cast<double>(batches * m * n) * static_cast<double>(k);
  const std::int64_t wanted = std::clamp(static_cast<std::int64_t>(flops / kLeastFlops), std::int64_t{1}, kMostTiles);
  // A long sum for few results is cut along the sum, and the parts are added in order: the operands are then read once.
  const std::int64_t parts = std::min(wanted, k / kLeastPart);
  if (batches == 1 && parts > 1 && std::min(m, n) > 16 && m * n <= kFewResults) {
    const std::int64_t part_k = chunk_count(k, parts), results = m * n;
    const Scratch partials(device_, sizeof(float) * static_cast<std::size_t>(results * parts));
    parallel_for(chunk_count(k, part_k), 1, [&](std::int64_t part, std::int64_t) {
      const std::int64_t first = part * part_k;
      matrix_product(partials.as<float>() + part * results, n, a_data + (transpose_a ? first * m : first),
                     transpose_a ? m : k, transpose_a, b_data + (transpose_b ? first : first * n), transpose_b ? k : n,
                     transpose_b, m, n, std::min(part_k, k - first));
    });
    parallel_for(results, kElementGrain, [&](std::int64_t begin, std::int64_t end) {
      const float* partial = partials.as<float>();
      float* out = y.as<float>();
      for (std::int64_t i = begin; i < end; ++i) out[i] = partial[i];
      for (std::int64_t part = 1; part < chunk_count(k, part_k); ++part)
        for (std::int64_t i = begin; i < end; ++i) out[i] += partial[part * results + i];
    });
    apply_epilogue(y.as<float>(), n, m, n, bias_data, activation, slope_f32);
    return;
  }
  // Otherwise the longer side of each product is cut.
  const std::int64_t pieces = chunk_count(wanted, batches);
  const std::int64_t rows = m >= n ? std::min(m, tile_extent(m, pieces, kRowsUnit)) : m;
  const std::int64_t columns = m >= n ? n : std::min(n, tile_extent(n, pieces, kColumnsUnit));
  const std::int64_t row_tiles = chunk_count(m, rows), column_tiles = chunk_count(n, columns);
  const std::int64_t tiles = batches * row_tiles * column_tiles;
  parallel_for(tiles, chunk_count(tiles, wanted), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t tile = begin; tile < end; ++tile) {
      const std::int64_t batch = tile / (row_tiles * column_tiles);
      const std::int64_t i = tile / column_tiles % row_tiles * rows, j = tile % column_tiles * columns;
      const std::int64_t tile_m = std::min(rows, m - i), tile_n = std::min(columns, n - j);
      float* out = y.as<float>() + (batch * m + i) * n + j;
      const std::int64_t ld_a = transpose_a ? m : k, ld_b = transpose_b ? k : n;
      matrix_product(out, n, a_data + batch * m * k + (transpose_a ? i : i * k), ld_a, transpose_a,
                     b_data + batch * k * n + (transpose_b ? j * k : j), ld_b, transpose_b, tile_m, tile_n, k);
      apply_epilogue(out, n, tile_m, tile_n, bias_data == nullptr ? nullptr : bias_data + j, activation, slope_f32);
    }
  });
}

}  // namespace counterfoil
