#include <cstddef>

#include "kernels/checks.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/router.h"
#include "kernels/cuda/tile_matrix.h"
#include "kernels/require_f32.h"
#include "kernels/scratch.h"

namespace counterfoil::cuda {

namespace {

/// The first version, to read: each block a 16 x 16 tile, each thread one sum. Every multiply-add reads two floats of
/// shared memory, so the shared memory's 32 words a clock bound it to a quarter of the multiprocessor's 64 (sm_80)
/// multiply-adds or an eighth of sm_90's 128. It still runs where a product has fewer rows or columns than a tile of
/// the second version would waste.
__global__ void __launch_bounds__(256)
    matmul_v1_kernel(float* y, const float* __restrict__ a, const float* __restrict__ b, std::int64_t rows,
                     std::int64_t columns, int depth, bool transpose_a, bool transpose_b, Epilogue epilogue) {
  constexpr int kTile = 16;
  SHARED_ARRAY(float, a_tile, [kTile][kTile + 1]);
  SHARED_ARRAY(float, b_tile, [kTile][kTile + 1]);
  const int tx = static_cast<int>(threadIdx.x) % kTile, ty = static_cast<int>(threadIdx.x) / kTile;
  const std::int64_t column_tiles = (columns + kTile - 1) / kTile, row_tiles = (rows + kTile - 1) / kTile;
  const std::int64_t tile = blockIdx.x, matrix = tile / column_tiles / row_tiles;
  const std::int64_t row = tile / column_tiles % row_tiles * kTile + ty, column = tile % column_tiles * kTile + tx;
  const std::int64_t a_row = transpose_a ? row - ty + tx : row, b_column = transpose_b ? column - tx + ty : column;
  a += matrix * rows * depth;
  b += matrix * columns * depth;
  float sum = 0.0f;
  for (int first = 0; first < depth; first += kTile) {
    // Neighbouring threads read neighbours in memory, whichever way the matrix lies.
    const int a_k = first + (transpose_a ? ty : tx), b_k = first + (transpose_b ? tx : ty);
    const bool has_a = a_row < rows && a_k < depth, has_b = b_column < columns && b_k < depth;
    const float a_value = has_a ? __ldg(a + (transpose_a ? a_k * rows + a_row : a_row * depth + a_k)) : 0.0f;
    const float b_value = has_b ? __ldg(b + (transpose_b ? b_column * depth + b_k : b_k * columns + b_column)) : 0.0f;
    (transpose_a ? a_tile[tx][ty] : a_tile[ty][tx]) = a_value;
    (transpose_b ? b_tile[tx][ty] : b_tile[ty][tx]) = b_value;
    __syncthreads();
#pragma unroll
    for (int k = 0; k < kTile; ++k) sum += a_tile[ty][k] * b_tile[k][tx];
    __syncthreads();
  }
  if (row < rows && column < columns) {
    if (epilogue.bias != nullptr) sum += __ldg(epilogue.bias + column);
    y[(matrix * rows + row) * columns + column] = finished<true>(epilogue, sum);
  }
}

/// The second: tiles in registers (see tile_product.h). A 128 x 64 tile does 2 * 128 * 64 flops for 4 * 192 bytes
/// from global memory at each k, 21 flops a byte, above the 12.5 (A100) and 20 (H100) at which either bound is met, and
/// reads 3/8 float of shared memory a multiply-add.
template <typename Tile, bool kSmooth, typename A, typename B>
__global__ void __launch_bounds__(kTileThreads, Tile::kBlocks)
    matmul_v2_kernel(MatrixOutput y, A a, B b, std::int64_t a_size, std::int64_t b_size, TileGrid grid) {
  const auto at = grid.position<Tile>();
  const int first_k = at.part * grid.part_depth, depth = min(grid.part_depth, a.depth - first_k);
  y.data += (at.matrix * grid.parts + at.part) * y.rows * y.columns;
  float sums[Tile::kThreadRows][Tile::kThreadColumns];
  multiply<Tile>(sums, a.part(at.matrix * a_size, first_k, depth), b.part(at.matrix * b_size, first_k, depth), at.row,
                 at.column, depth);
  write_tile<Tile, kSmooth>(y, y.epilogue, at.row, at.column, sums);
}

/// Extents of one call.
struct Extents {
  std::int64_t matrices, rows, columns;
  int depth;
};

template <typename Tile, bool kSmooth, typename A, typename B>
void launch_tiles(Device& device, cudaStream_t stream, float* y, const float* a, const float* b, const Extents& e,
                  const Epilogue& epilogue) {
  const TileGrid grid = TileGrid::make<Tile>(e.rows, e.columns, e.depth, e.matrices);
  const bool cut = grid.parts > 1;
  const std::int64_t size = e.rows * e.columns;
  const Scratch partial(device, cut ? static_cast<std::size_t>(e.matrices * grid.parts * size) * sizeof(float) : 0);
  const MatrixOutput output =
      MatrixOutput::make(cut ? partial.as<float>() : y, e.rows, e.columns, e.columns, cut ? Epilogue{} : epilogue);
  const A left = A::make(a, e.rows, e.depth, A::kAlongDepth ? e.depth : e.rows);
  const B right = B::make(b, e.columns, e.depth, B::kAlongDepth ? e.depth : e.columns);
  launch(matmul_v2_kernel<Tile, kSmooth, A, B>, grid.blocks(e.matrices), kTileThreads, 0, stream, output, left, right,
         e.rows * e.depth, e.columns * e.depth, grid);
  if (cut) sum_parts(y, partial.as<float>(), size, e.columns, grid.parts, e.matrices, epilogue, stream);
}

template <typename A, typename B>
void launch_matmul(Device& device, cudaStream_t stream, float* y, const float* a, const float* b, const Extents& e,
                   const Epilogue& epilogue, Compute compute) {
  const std::int64_t large_tiles = (e.rows + 127) / 128 * ((e.columns + 63) / 64) * e.matrices;
  if (compute == Compute::bf16) {
    launch_tiles<TensorTile<2>, true, A, B>(device, stream, y, a, b, e, epilogue);
  } else if (e.columns <= 32) {
    launch_tiles<NarrowTile, true, A, B>(device, stream, y, a, b, e, epilogue);
  } else if (large_tiles >= 108 && !epilogue.is_smooth()) {
    launch_tiles<LargeTile, false, A, B>(device, stream, y, a, b, e, epilogue);
  } else {
    launch_tiles<MediumTile, true, A, B>(device, stream, y, a, b, e, epilogue);
  }
}

}  // namespace

void CudaBackend::matmul(View y, ConstView a, ConstView b, bool transpose_a, bool transpose_b, ConstView bias,
                         Activation activation, double slope, Compute compute) {
  check::matmul(y, a, b, transpose_a, transpose_b, bias);
  require_f32("matmul", y);
  if (y.size() == 0) return;
  const auto own = [&] {
    const std::int64_t depth = a.shape[transpose_a ? -2 : -1];
    if (depth > (1 << 30)) fail("matmul: sums of {} products, at most {}", depth, 1 << 30);
    const Extents e{y.shape.rank() == 3 ? y.shape[0] : 1, y.shape[-2], y.shape[-1], static_cast<int>(depth)};
    const Epilogue epilogue{bias.as<float>(), activation, static_cast<float>(slope)};
    float* const to = y.as<float>();
    const float *const left = a.as<float>(), *const right = b.as<float>();
    if (compute == Compute::f32 && e.rows <= 16 && depth <= 512) {
      const std::int64_t tiles = (e.rows + 15) / 16 * ((e.columns + 15) / 16) * e.matrices;
      launch(matmul_v1_kernel, block_each(tiles), 256, 0, stream_, to, left, right, e.rows, e.columns, e.depth,
             transpose_a, transpose_b, epilogue);
    } else if (transpose_a && transpose_b) {
      launch_matmul<MatrixAlongRows, MatrixAlongDepth>(device_, stream_, to, left, right, e, epilogue, compute);
    } else if (transpose_a) {
      launch_matmul<MatrixAlongRows, MatrixAlongRows>(device_, stream_, to, left, right, e, epilogue, compute);
    } else if (transpose_b) {
      launch_matmul<MatrixAlongDepth, MatrixAlongDepth>(device_, stream_, to, left, right, e, epilogue, compute);
    } else {
      launch_matmul<MatrixAlongDepth, MatrixAlongRows>(device_, stream_, to, left, right, e, epilogue, compute);
    }
  };
  router(device_, stream_).matmul(*this, y, a, b, transpose_a, transpose_b, bias, activation, slope, compute, own);
}

}  // namespace counterfoil::cuda
