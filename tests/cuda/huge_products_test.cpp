#include <cmath>

#include "kernels/cuda/tile_matrix.h"
#include "kernels/error.h"
#include "tests/cuda/huge.h"

// Matrices and weight gradients beyond 2^32 elements.

namespace counterfoil::cuda_test {
namespace {

constexpr std::int64_t kTall = (k2To32 >> 10) + 4096;  // rows of 1024

class CudaHugeMatrix : public CudaHuge {
 protected:
  static void matmul(const Sparse& y, const Sparse& a, const Sparse& b, bool transpose_a, bool transpose_b,
                     std::int64_t block, Compute compute = Compute::f32) {
    run(block, [&](Backend& backend) {
      backend.matmul(y.view(), a.view(), b.view(), transpose_a, transpose_b, {}, Activation::identity, 0, compute);
    });
  }
};

TEST_F(CudaHugeMatrix, LeftOperand) {
  const Sparse a({kTall, 1024}), b({1024, 40}), y({kTall, 40});
  SKIP_UNLESS(&a, &b, &y);
  const std::int64_t row = kTall - 3;
  a.at(row * 1024 + 1000) = 2;
  b.at(1000 * 40 + 33) = 5;
  matmul(y, a, b, false, false, row / 128);  // a tile of 128 rows is all there is across
  EXPECT_EQ(y.at(row * 40 + 33), 10);
  y.at(row * 40 + 33) = 0;
  matmul(y, a, b, false, false, row / 128, Compute::bf16);
  EXPECT_EQ(y.at(row * 40 + 33), 10);
}

TEST_F(CudaHugeMatrix, LeftOperandTransposed) {
  const Sparse a({1024, kTall}), b({40, 1024}), y({kTall, 40});
  SKIP_UNLESS(&a, &b, &y);
  const std::int64_t row = kTall - 3;
  a.at(1000 * kTall + row) = 2;
  b.at(33 * 1024 + 1000) = 5;
  matmul(y, a, b, true, true, row / 128);
  EXPECT_EQ(y.at(row * 40 + 33), 10);
}

/// The first version has at most 16 rows.
TEST_F(CudaHugeMatrix, RightOperandOfFewRows) {
  const std::int64_t columns = (k2To32 >> 9) + 4096, column = columns - 3;
  const Sparse a({5, 512}), b({512, columns}), y({5, columns});
  SKIP_UNLESS(&a, &b, &y);
  a.at(4 * 512 + 511) = 2;
  b.at(511 * columns + column) = 5;
  matmul(y, a, b, false, false, column / 16);
  EXPECT_EQ(y.at(4 * columns + column), 10);
  const Sparse turned({columns, 512});
  SKIP_UNLESS(&turned);
  turned.at(column * 512 + 511) = 7;
  matmul(y, a, turned, false, true, column / 16);
  EXPECT_EQ(y.at(4 * columns + column), 14);
}

TEST_F(CudaHugeMatrix, ResultAndBatch) {
  const std::int64_t rows = 131072, columns = 40000, at = rows * columns - 5;
  const Sparse a({rows, 4}), b({4, columns}), y({rows, columns});
  SKIP_UNLESS(&a, &b, &y);
  a.at(rows * 4 - 1) = 2;
  b.at(4 * columns - 5) = 5;
  matmul(y, a, b, false, false, rows / 128 * ((columns + 63) / 64) - 1);  // the last of tiles of 128 x 64
  EXPECT_EQ(y.at(at), 10);
  const std::int64_t matrices = (k2To32 >> 12) + 5;
  const Sparse left({matrices, 64, 64}), right({matrices, 64, 64}), all({matrices, 64, 64});
  SKIP_UNLESS(&left, &right, &all);
  left.at((matrices - 1) * 4096 + 63 * 64 + 7) = 2;
  right.at((matrices - 1) * 4096 + 7 * 64 + 63) = 5;
  matmul(all, left, right, false, false, matrices - 1);
  EXPECT_EQ(all.at(matrices * 4096 - 1), 10);
}

TEST_F(CudaHugeMatrix, PartsOfACutProduct) {
  const std::int64_t size = k2To32 / 4 + 1000;
  const Sparse partial({5, size}), y({size});
  SKIP_UNLESS(&partial, &y);
  for (std::int64_t part = 0; part < 5; ++part) partial.at(part * size + size - 1) = static_cast<float>(1 << part);
  run(owner(size - 1, size), [&](Backend&) {
    cuda::sum_parts(y.view().as<float>(), partial.view().as<float>(), size, size, 5, 1, {}, nullptr);
    cudaDeviceSynchronize();
  });
  EXPECT_EQ(y.at(size - 1), 31);
}

/// Positions in a part, behind those of an image, are ints.
TEST_F(CudaHugeMatrix, PartsOfALongSum) {
  using Tile = cuda::FlatTile;
  for (const std::int64_t depth :
       {std::int64_t{1}, std::int64_t{100000}, k2To31 - 1, k2To31 + (k2To31 >> 1), k2To32 * 3 + 7}) {
    for (const std::int64_t columns : {128, 128 * 128, 128 * 1000}) {
      const cuda::TileGrid grid = cuda::TileGrid::make<Tile>(32, columns, depth, 1);
      EXPECT_GT(grid.part_depth, 0);
      EXPECT_EQ(grid.part_depth % Tile::kDepth, 0);
      EXPECT_LT(std::int64_t{grid.part_depth} + 2 * Tile::kDepth + (1 << 30), k2To31);
      EXPECT_GE(std::int64_t{grid.part_depth} * grid.parts, depth);
      EXPECT_LT(std::int64_t{grid.part_depth} * (grid.parts - 1), depth);
    }
  }
  EXPECT_EQ(cuda::block_each(k2To31 - 1), 0x7fffffffu);
  EXPECT_THROW(cuda::block_each(k2To31), Error);
  EXPECT_THROW(cuda::block_each(k2To32 + 1), Error);
}

TEST_F(CudaHugeMatrix, Distances) {
  const Sparse a({kTall, 1024}), b({40, 1024}), distance({kTall, 40});
  SKIP_UNLESS(&a, &b, &distance);
  const std::int64_t row = kTall - 3;
  a.at(row * 1024 + 1000) = 2;
  b.at(33 * 1024 + 1000) = 5;
  run(row / 64, [&](Backend& backend) { backend.pairwise_distance(distance.view(), a.view(), b.view()); });
  EXPECT_EQ(distance.at(row * 40 + 33), 9);
  EXPECT_EQ(distance.at(row * 40 + 32), 4);
  const Sparse table({131072, 40000}), points({131072, 2}), others({40000, 2});
  SKIP_UNLESS(&table, &points, &others);
  points.at(131072 * 2 - 1) = 2;
  run(131072 / 64 * 625 - 1,
      [&](Backend& backend) { backend.pairwise_distance(table.view(), points.view(), others.view()); });
  EXPECT_EQ(table.at(table.view().size() - 1), 4);
  const Sparse nearest({kTall}), index({kTall}, DType::i32);
  SKIP_UNLESS(&nearest, &index);
  b.at(33 * 1024 + 1000) = 3;
  run(row / 64, [&](Backend& backend) { backend.nearest_row(nearest.view(), index.view(), a.view(), b.view()); });
  EXPECT_EQ(nearest.at(row), 1);
  EXPECT_EQ(index.at<std::int32_t>(row), 33);
}

TEST_F(CudaHugeMatrix, PowerIteration) {
  const std::int64_t columns = (k2To32 >> 10) + 4096;
  const Sparse weight({1025, columns}), u({1025}), v({columns});
  SKIP_UNLESS(&weight, &u, &v);
  weight.at(1025 * columns - 1) = 2;
  u.at(1024) = 1;
  // v from u by the block of the last columns, left as it is; u from v by the last row's; and their normalisation.
  const std::int64_t last = (columns + 31) / 32 - 1;
  run({last, 0, 1024, 0},
      [&](Backend& backend) { backend.power_iteration(u.view(), v.view(), weight.view(), 1, 1e-12); });
  EXPECT_EQ(v.at(columns - 1), 1);
  EXPECT_EQ(u.at(1024), 1);
}

TEST_F(CudaHugeMatrix, WeightGradientFromPixelsFarApart) {
  const std::int64_t side = 32768, far = (4 * side + side / 2) * side + side / 2;  // the fifth image's middle
  ASSERT_GT(far, k2To32);
  const Sparse x({5, side, side, 1}), d_y({5, 2, 2, 1}), d_weight({1, 2, 2, 1});
  SKIP_UNLESS(&x, &d_y, &d_weight);
  x.at(far) = 8;
  d_y.at(19) = 3;
  run_all([&](Backend& backend) {
    backend.conv2d_weight_grad(d_weight.view(), x.view(), d_y.view(),
                               Conv2dGeometry::square(static_cast<int>(side / 2), 0));
  });
  EXPECT_EQ(d_weight.at(0), 24);
  const Sparse many({1, side, side, 8}), d_many({1, 2, 2, 8}), d_depthwise({8, 2, 2, 1});
  SKIP_UNLESS(&many, &d_many, &d_depthwise);
  many.at((side / 2 * side + side / 2) * 8 + 7) = 8;  // beyond 2^32
  d_many.at(31) = 3;
  run_all([&](Backend& backend) {
    backend.conv2d_weight_grad(d_depthwise.view(), many.view(), d_many.view(),
                               Conv2dGeometry::square(static_cast<int>(side / 2), 0, 1, 8));
  });
  EXPECT_EQ(d_depthwise.at(28), 24);
}

TEST_F(CudaHugeMatrix, WeightGradientOfManyFilters) {
  const std::int64_t filters = std::int64_t{1} << 28, filter = filters - 3;
  const Sparse x({1, 4, 5, 1}), d_y({1, 4, 5, filters}), d_weight({filters, 1, 1, 1});
  SKIP_UNLESS(&x, &d_y, &d_weight);
  for (std::int64_t pixel = 0; pixel < 20; ++pixel) {
    x.at(pixel) = 1;
    d_y.at(pixel * filters + filter) = static_cast<float>(pixel);
  }
  run(filters / 128 - 1, [&](Backend& backend) {
    backend.conv2d_weight_grad(d_weight.view(), x.view(), d_y.view(), Conv2dGeometry::square(1, 0));
  });
  EXPECT_EQ(d_weight.at(filter), 190);
}

}  // namespace
}  // namespace counterfoil::cuda_test
