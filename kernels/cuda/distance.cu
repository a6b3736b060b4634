#include <algorithm>
#include <cstddef>

#include "kernels/checks.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/tile_matrix.h"
#include "kernels/require_f32.h"
#include "kernels/scratch.h"

// Squared distances from differences: the tiles of a matrix product with (a - b)^2 for a b, so 3 flops for each of its
// 2, but no tensor core, and no cancellation of large norms.

namespace counterfoil::cuda {

namespace {

using DistanceTile = MediumTile;

__device__ __forceinline__ void clear(float (&sums)[DistanceTile::kThreadRows][DistanceTile::kThreadColumns]) {
#pragma unroll
  for (int i = 0; i < DistanceTile::kThreadRows; ++i) {
#pragma unroll
    for (int j = 0; j < DistanceTile::kThreadColumns; ++j) sums[i][j] = 0.0f;
  }
}

/// 3 M N D flops; a 64 x 64 tile asks 512 bytes of the caches at each k for 12288 flops: bound by arithmetic.
__global__ void __launch_bounds__(kTileThreads, DistanceTile::kBlocks)
    pairwise_distance_kernel(MatrixOutput out, MatrixAlongDepth a, MatrixAlongDepth b, TileGrid grid) {
  const auto at = grid.position<DistanceTile>();
  float sums[DistanceTile::kThreadRows][DistanceTile::kThreadColumns];
  clear(sums);
  accumulate<DistanceTile, SquaredDifference>(sums, a, b, at.row, at.column, a.depth);
  write_tile<DistanceTile, false>(out, Epilogue{}, at.row, at.column, sums);
}

struct Nearest {
  float distance;
  int index;

  /// The smaller distance, the first of equals. NaN is never smaller, but stays where it came first of all.
  __device__ __forceinline__ void offer(float other, int other_index) {
    if (distance != distance) return;
    const bool first_is_nan = other != other && other_index == 0;
    if (first_is_nan || other < distance || (other == distance && other_index < index)) {
      distance = other;
      index = other_index;
    }
  }
};

/// partial [parts, M]: a block keeps the running minimum of 64 queries over the tiles of its part of the base. The M x
/// N table exists a tile at a time, in registers.
__global__ void __launch_bounds__(kTileThreads, 2)
    nearest_row_part_kernel(float* distance, int* index, MatrixAlongDepth queries, MatrixAlongDepth base,
                            std::int64_t row_tiles, std::int64_t part_rows) {
  using Tile = DistanceTile;
  constexpr int kAcross = Tile::kThreadsAcross;
  SHARED_ARRAY(float, distances, [Tile::kRows][kAcross + 1]);
  SHARED_ARRAY(int, indices, [Tile::kRows][kAcross + 1]);
  const std::int64_t first_row = blockIdx.x % row_tiles * Tile::kRows, part = blockIdx.x / row_tiles;
  const std::int64_t begin = part * part_rows, end = min(begin + part_rows, base.rows);
  Nearest nearest[Tile::kThreadRows];
#pragma unroll
  for (int i = 0; i < Tile::kThreadRows; ++i) nearest[i] = {__int_as_float(0x7f800000), static_cast<int>(begin)};
  for (std::int64_t first_column = begin; first_column < end; first_column += Tile::kColumns) {
    float sums[Tile::kThreadRows][Tile::kThreadColumns];
    clear(sums);
    accumulate<Tile, SquaredDifference>(sums, queries, base, first_row, first_column, queries.depth);
#pragma unroll
    for (int j = 0; j < Tile::kThreadColumns; ++j) {
      const std::int64_t column = first_column + Tile::column(j);
      if (column >= end) continue;
#pragma unroll
      for (int i = 0; i < Tile::kThreadRows; ++i) nearest[i].offer(sums[i][j], static_cast<int>(column));
    }
  }
  const int across = static_cast<int>(threadIdx.x) % kAcross;
#pragma unroll
  for (int i = 0; i < Tile::kThreadRows; ++i) {
    distances[Tile::row(i)][across] = nearest[i].distance;
    indices[Tile::row(i)][across] = nearest[i].index;
  }
  __syncthreads();
  const int row = static_cast<int>(threadIdx.x);
  if (row < Tile::kRows && first_row + row < queries.rows) {
    Nearest best{distances[row][0], indices[row][0]};
    for (int i = 1; i < kAcross; ++i) best.offer(distances[row][i], indices[row][i]);
    distance[part * queries.rows + first_row + row] = best.distance;
    index[part * queries.rows + first_row + row] = best.index;
  }
}

__global__ void __launch_bounds__(kThreads)
    nearest_row_join_kernel(float* distance, int* index, const float* __restrict__ distances,
                            const int* __restrict__ indices, std::int64_t rows, int parts) {
  for (std::int64_t row = first_item(); row < rows; row += item_stride()) {
    Nearest best{distances[row], indices[row]};
    for (int part = 1; part < parts; ++part) best.offer(distances[part * rows + row], indices[part * rows + row]);
    distance[row] = best.distance;
    index[row] = best.index;
  }
}

/// The rows of a matrix [rows, D].
MatrixAlongDepth rows_of(const char* name, const ConstView& x) {
  constexpr std::int64_t kMost = 1 << 30;
  if (x.shape[1] > kMost) fail("{}: rows of {} elements, at most {}", name, x.shape[1], kMost);
  return MatrixAlongDepth::make(x.as<float>(), x.shape[0], static_cast<int>(x.shape[1]), x.shape[1]);
}

}  // namespace

void CudaBackend::pairwise_distance(View out, ConstView a, ConstView b) {
  check::pairwise_distance(out, a, b);
  require_f32("pairwise_distance", out);
  if (out.size() == 0) return;
  const std::int64_t rows = a.shape[0], columns = b.shape[0];
  const TileGrid grid = TileGrid::make<DistanceTile>(rows, columns, 0, 1);
  launch(pairwise_distance_kernel, grid.blocks(1), kTileThreads, 0, stream_,
         MatrixOutput::make(out.as<float>(), rows, columns, columns), rows_of("pairwise_distance", a),
         rows_of("pairwise_distance", b), grid);
}

void CudaBackend::nearest_row(View distance, View index, ConstView queries, ConstView base) {
  check::nearest_row(distance, index, queries, base);
  require_f32("nearest_row", queries);
  if (distance.size() == 0) return;
  const std::int64_t rows = queries.shape[0], base_rows = base.shape[0];
  if (base_rows > 0x7fffffff) fail("nearest_row: {} rows do not fit an i32 index", base_rows);
  // As many parts of the base as give about 256 blocks, none shorter than four tiles.
  const std::int64_t row_tiles = (rows + DistanceTile::kRows - 1) / DistanceTile::kRows;
  const std::int64_t tiles = (base_rows + DistanceTile::kColumns - 1) / DistanceTile::kColumns;
  const std::int64_t wanted = std::clamp<std::int64_t>(std::min(256 / row_tiles, tiles / 4), 1, 256);
  const std::int64_t part_rows = (tiles + wanted - 1) / wanted * DistanceTile::kColumns;
  const int parts = static_cast<int>((base_rows + part_rows - 1) / part_rows);
  const bool cut = parts > 1;
  const std::size_t partials = cut ? static_cast<std::size_t>(parts * rows) : 0;
  const Scratch distances(device_, partials * sizeof(float)), indices(device_, partials * sizeof(int));
  launch(nearest_row_part_kernel, block_each(row_tiles * parts), kTileThreads, 0, stream_,
         cut ? distances.as<float>() : distance.as<float>(), cut ? indices.as<int>() : index.as<int>(),
         rows_of("nearest_row", queries), rows_of("nearest_row", base), row_tiles, part_rows);
  if (!cut) return;
  launch(nearest_row_join_kernel, blocks_for(rows), kThreads, 0, stream_, distance.as<float>(), index.as<int>(),
         distances.as<float>(), indices.as<int>(), rows, parts);
}

}  // namespace counterfoil::cuda
