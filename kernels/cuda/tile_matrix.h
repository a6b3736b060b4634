#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cuda/epilogue.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/tile_product.h"
#include "kernels/cuda/vector.h"

// Plain matrices as operands and results of kernels/cuda/tile_product.h, and how a product is cut into tiles.

namespace counterfoil::cuda {

/// Four neighbours, the first `count` of them inside; in one load where `vector` says that addresses are aligned and
/// fours never cross an edge.
__device__ __forceinline__ float4 load_four(const float* source, std::int64_t count, bool vector) {
  if (vector) return __ldg(reinterpret_cast<const float4*>(source));
  float4 four = make_float4(__ldg(source), 0.0f, 0.0f, 0.0f);
  if (count > 1) four.y = __ldg(source + 1);
  if (count > 2) four.z = __ldg(source + 2);
  if (count > 3) four.w = __ldg(source + 3);
  return four;
}

/// M(row, k) = data[row * pitch + k]
struct MatrixAlongDepth {
  static constexpr bool kAlongDepth = true;
  const float* data;
  std::int64_t rows, pitch;
  int depth;
  bool vector;

  static MatrixAlongDepth make(const float* data, std::int64_t rows, int depth, std::int64_t pitch) {
    return {data, rows, pitch, depth, pitch % 4 == 0 && depth % 4 == 0 && aligned16({data})};
  }
  __device__ MatrixAlongDepth part(std::int64_t offset, int first_k, int count) const {
    return {data + offset + first_k, rows, pitch, count, vector};
  }

  struct Place {
    const float* row;  ///< null outside
  };
  __device__ __forceinline__ Place place(std::int64_t row) const { return {row < rows ? data + row * pitch : nullptr}; }
  __device__ __forceinline__ float4 fetch(const Place& place, int k) const {
    if (place.row == nullptr || k >= depth) return make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    return load_four(place.row + k, depth - k, vector);
  }
};

/// M(row, k) = data[k * pitch + row]
struct MatrixAlongRows {
  static constexpr bool kAlongDepth = false;
  const float* data;
  std::int64_t rows, pitch;
  int depth;
  bool vector;

  static MatrixAlongRows make(const float* data, std::int64_t rows, int depth, std::int64_t pitch) {
    return {data, rows, pitch, depth, pitch % 4 == 0 && rows % 4 == 0 && aligned16({data})};
  }
  __device__ MatrixAlongRows part(std::int64_t offset, int first_k, int count) const {
    return {data + offset + first_k * pitch, rows, pitch, count, vector};
  }

  struct Place {
    const float* column;  ///< of k = 0, at the first row; null outside
    std::int64_t count;   ///< rows from there on
  };
  __device__ __forceinline__ Place place(std::int64_t row) const {
    return {row < rows ? data + row : nullptr, rows - row};
  }
  __device__ __forceinline__ float4 fetch(const Place& place, int k) const {
    if (place.column == nullptr || k >= depth) return make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    return load_four(place.column + k * pitch, place.count, vector);
  }
};

/// Where sums go: row-major, after the epilogue.
struct MatrixOutput {
  float* data;
  std::int64_t rows, columns, pitch;
  Epilogue epilogue;
  bool vector;

  static MatrixOutput make(float* data, std::int64_t rows, std::int64_t columns, std::int64_t pitch,
                           const Epilogue& epilogue = {}) {
    return {data, rows, columns, pitch, epilogue, pitch % 4 == 0 && columns % 4 == 0 && aligned16({data})};
  }
  __device__ float* row(std::int64_t row) const { return row < rows ? data + row * pitch : nullptr; }
};

/// Writes a thread's sums. Output says where a row begins (null outside), how many columns there are and whether fours
/// of a row are aligned; `bias` belongs to column 0.
template <typename Tile, bool kSmooth, typename Output>
__device__ __forceinline__ void write_tile(const Output& output, const Epilogue& epilogue, std::int64_t first_row,
                                           std::int64_t first_column,
                                           const float (&sums)[Tile::kThreadRows][Tile::kThreadColumns]) {
#pragma unroll
  for (int i = 0; i < Tile::kThreadRows; ++i) {
    float* const row = output.row(first_row + Tile::row(i));
    if (row == nullptr) continue;
#pragma unroll
    for (int j = 0; j < Tile::kThreadColumns; j += Tile::kRun) {
      const std::int64_t column = first_column + Tile::column(j);
      float run[Tile::kRun];
#pragma unroll
      for (int l = 0; l < Tile::kRun; ++l) {
        const bool biased = epilogue.bias != nullptr && column + l < output.columns;
        run[l] = finished<kSmooth>(epilogue, sums[i][j + l] + (biased ? __ldg(epilogue.bias + column + l) : 0.0f));
      }
      if (output.vector) {
        if (column >= output.columns) continue;
        if constexpr (Tile::kRun == 4) {
          *reinterpret_cast<float4*>(row + column) = make_float4(run[0], run[1], run[2], run[3]);
        } else {
          *reinterpret_cast<float2*>(row + column) = make_float2(run[0], run[1]);
        }
      } else {
#pragma unroll
        for (int l = 0; l < Tile::kRun; ++l) {
          if (column + l < output.columns) row[column + l] = run[l];
        }
      }
    }
  }
}

/// A grid of tiles, one block each, in one dimension: columns first, so that blocks that run together share rows of A
/// in the second-level cache; then rows, parts of the depth, and matrices.
struct TileGrid {
  std::int64_t row_tiles, column_tiles;
  int parts = 1;       ///< the depth is cut where the tiles alone are too few to fill a GPU
  int part_depth = 0;  ///< of all parts but the last

  struct Position {
    std::int64_t row, column, matrix;
    int part;
  };
  template <typename Tile>
  __device__ __forceinline__ Position position() const {
    std::int64_t i = blockIdx.x;
    const std::int64_t column = i % column_tiles * Tile::kColumns;
    i /= column_tiles;
    const std::int64_t row = i % row_tiles * Tile::kRows;
    i /= row_tiles;
    return {row, column, i / parts, static_cast<int>(i % parts)};
  }
  /// Blocks of a launch. Throws Error where they pass what one launch can hold.
  unsigned blocks(std::int64_t matrices) const { return block_each(row_tiles * column_tiles * parts * matrices); }

  template <typename Tile>
  static TileGrid make(std::int64_t rows, std::int64_t columns, std::int64_t depth, std::int64_t matrices) {
    TileGrid grid{(rows + Tile::kRows - 1) / Tile::kRows, (columns + Tile::kColumns - 1) / Tile::kColumns};
    // About two blocks for each multiprocessor, and no part so short that its sums cost more than its products, or so
    // long that an int does not hold a position in it behind 2^30 others (of an image's pixels). A function of the
    // extents alone: the same bits on every GPU.
    constexpr std::int64_t kBlocks = 256, kLeast = 512, kMost = 1 << 29;
    const std::int64_t tiles = std::max<std::int64_t>(1, grid.row_tiles * grid.column_tiles * matrices);
    const std::int64_t parts =
        std::max({std::min(kBlocks / tiles, depth / kLeast), (depth + kMost - 1) / kMost, std::int64_t{1}});
    const std::int64_t slices = (depth + Tile::kDepth - 1) / Tile::kDepth;
    grid.part_depth = static_cast<int>((slices + parts - 1) / parts * Tile::kDepth);
    grid.parts = grid.part_depth == 0 ? 1 : static_cast<int>((depth + grid.part_depth - 1) / grid.part_depth);
    return grid;
  }
};

/// The second pass of a product whose depth was cut: y = activation(bias + the parts' sums, in ascending order), for
/// `size` sums a part in rows of `columns`, repeated for each matrix. Launched by sum_parts.
void sum_parts(float* y, const float* partial, std::int64_t size, std::int64_t columns, int parts,
               std::int64_t matrices, const Epilogue& epilogue, cudaStream_t stream);

}  // namespace counterfoil::cuda
