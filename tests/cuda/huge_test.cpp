#include "tests/cuda/huge.h"

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/philox.h"

// Elements and rows beyond 2^32.

namespace counterfoil::cuda_test {
namespace {

/// Another item of the same block, one turn of the grid earlier.
std::int64_t turn(std::int64_t items) {
  return std::int64_t{cuda::blocks_for(items)} * cuda::kThreads;
}

constexpr std::int64_t kMany = k2To32 + 40000;  // a multiple of 4, that goes by vectors
constexpr std::int64_t kOdd = k2To32 + 40001;

TEST_F(CudaHuge, UnaryByVectors) {
  const Sparse out({kMany}, DType::f32), x({kMany}, DType::f32);
  SKIP_UNLESS(&out, &x);
  const std::int64_t at = k2To32 + 777, items = kMany / 4;
  x.at(at) = 3;
  x.at(at - 4 * turn(items)) = 5;
  run(owner(at / 4, items), [&](Backend& backend) { backend.unary(UnaryOp::affine, out.view(), x.view(), 2, 1); });
  EXPECT_EQ(out.at(at), 7);
  EXPECT_EQ(out.at(at - 4 * turn(items)), 11);
  EXPECT_EQ(out.at(at - k2To32), 0) << "another block's";
}

TEST_F(CudaHuge, ThreeArraysWithARest) {
  const Sparse out({kOdd}, DType::f32), condition({kOdd}, DType::f32), x({kOdd}, DType::f32);
  SKIP_UNLESS(&out, &condition, &x);
  condition.at(kOdd - 1) = 1;  // the rest belongs to block 0, as does the first turn
  x.at(kOdd - 1) = 3;
  run(0, [&](Backend& backend) { backend.select(out.view(), condition.view(), x.view(), condition.view()); });
  EXPECT_EQ(out.at(kOdd - 1), 3);
  run(0, [&](Backend& backend) { backend.axpby(out.view(), 2, x.view(), 10, condition.view()); });
  EXPECT_EQ(out.at(kOdd - 1), 16);
  const std::vector<ConstView> inputs{x.view(), condition.view()};
  const std::vector<ChainStep> steps{{UnaryOp::affine, 2, 1}, {BinaryOp::add, 1}};
  run(owner(kOdd / 4, kOdd / 4 + 1), [&](Backend& backend) { backend.pointwise_chain(out.view(), inputs, steps); });
  EXPECT_EQ(out.at(kOdd - 1), 8);
}

TEST_F(CudaHuge, BinaryWithBroadcasting) {
  const Shape shape{2, 65536, 40000}, middle{2, 1, 40000};
  const Sparse out(shape, DType::f32), x(shape, DType::f32), y(middle, DType::f32);
  SKIP_UNLESS(&out, &x, &y);
  const std::int64_t at = (65536 + 65535) * std::int64_t{40000} + 39998;
  ASSERT_GT(at, k2To32);
  x.at(at) = 3;
  y.at(40000 + 39998) = 4;
  run(owner(at, shape.size()),
      [&](Backend& backend) { backend.binary(BinaryOp::multiply, out.view(), x.view(), y.view()); });
  EXPECT_EQ(out.at(at), 12);
}

TEST_F(CudaHuge, BinaryOfAMatrixAndARow) {
  const Shape shape{65537, 65536};
  const Sparse out(shape, DType::f32), x(shape, DType::f32), row({1, 65536}, DType::f32);
  SKIP_UNLESS(&out, &x, &row);
  const std::int64_t at = shape.size() - 3;
  x.at(at) = 3;
  row.at(65536 - 3) = 4;
  run(owner(at, shape.size()),
      [&](Backend& backend) { backend.binary(BinaryOp::add, out.view(), x.view(), row.view()); });
  EXPECT_EQ(out.at(at), 7);
}

TEST_F(CudaHuge, FillConvertAndRandomNumbers) {
  const Sparse out({kMany}, DType::f32), bytes({kMany}, DType::u8);
  SKIP_UNLESS(&out, &bytes);
  const RandomKey key{5, 6};
  // Wherever the last elements' block is: the same place for each family's vectors.
  const std::int64_t last = kMany - 1;
  bytes.at<std::uint8_t>(last) = 200;
  for (const std::int64_t items : {kMany, kMany / 4}) {
    run(owner(last / (kMany / items), items),
        [&](Backend& backend) { backend.convert(out.view(), bytes.view(), 0.5); });
  }
  EXPECT_EQ(out.at(last), 100);
  for (const std::int64_t items : {kMany, kMany / 4}) {
    run(owner(last / (kMany / items), items), [&](Backend& backend) { backend.fill(out.view(), 9); });
  }
  EXPECT_EQ(out.at(last), 9);
  run(owner((last + 2) / 4, kMany / 4 + 2),
      [&](Backend& backend) { backend.random_uniform(out.view(), key, 2, 0, 1); });
  EXPECT_EQ(out.at(last),
            static_cast<float>(philox::uniform(philox::word(key, 2 + static_cast<std::uint64_t>(last)), 0, 1)));
}

TEST_F(CudaHuge, PermuteElementByElementAndThroughTiles) {
  {
    const Sparse out({40000, 60000, 2}, DType::f32), x({60000, 40000, 2}, DType::f32);
    SKIP_UNLESS(&out, &x);
    const std::int64_t row = 59999, column = 39998;
    const int order[] = {1, 0, 2};
    x.at((row * 40000 + column) * 2 + 1) = 3;
    x.at((row * 40000 + column) * 2) = 4;
    const std::int64_t pairs = 40000 * std::int64_t{60000};  // the two channels move together
    run(owner(column * 60000 + row, pairs), [&](Backend& backend) { backend.permute(out.view(), x.view(), order); });
    EXPECT_EQ(out.at((column * 60000 + row) * 2 + 1), 3);
    EXPECT_EQ(out.at((column * 60000 + row) * 2), 4);
  }
  const std::int64_t rows = 40000, columns = 60000;
  const Sparse out({columns, rows}, DType::u8), x({rows, columns}, DType::u8);
  SKIP_UNLESS(&out, &x);
  const int order[] = {1, 0};
  const std::int64_t row = 39999, column = 59998;
  x.at<std::uint8_t>(row * columns + column) = 3;
  // Every block's share, until one has moved it: tiles are dealt out in an order that is the kernel's own.
  const std::int64_t tiles_across = (rows + 31) / 32, tiles_down = (columns + 31) / 32;
  const std::int64_t tile = column / 32 * tiles_across + row / 32;
  run(owner(tile, tiles_across * tiles_down, 1),
      [&](Backend& backend) { backend.permute(out.view(), x.view(), order); });
  EXPECT_EQ(out.at<std::uint8_t>(column * rows + row), 3);
}

TEST_F(CudaHuge, BroadcastSlicePadAndConcat) {
  {
    const Sparse out({50000, 50000, 3}, DType::f32), x({1, 50000, 3}, DType::f32);
    SKIP_UNLESS(&out, &x);
    x.at(149999) = 3;
    const std::int64_t last = out.view().size() - 1, vectors = out.view().size() / 4;
    run(owner(last / 4, vectors), [&](Backend& backend) { backend.broadcast(out.view(), x.view()); });
    EXPECT_EQ(out.at(last), 3);
  }
  const std::int64_t width = (std::int64_t{1} << 30) + 7, begin[] = {0, width - 5};
  const Sparse whole({3, width}, DType::f32), part({3, 5}, DType::f32);
  SKIP_UNLESS(&whole, &part);
  for (std::int64_t row = 0; row < 3; ++row) {
    for (std::int64_t i = 0; i < 5; ++i) whole.at(row * width + width - 5 + i) = static_cast<float>(10 * row + i + 1);
  }
  run_all([&](Backend& backend) { backend.slice(part.view(), whole.view(), begin); });
  for (std::int64_t row = 0; row < 3; ++row) {
    for (std::int64_t i = 0; i < 5; ++i) EXPECT_EQ(part.at(row * 5 + i), static_cast<float>(10 * row + i + 1));
  }
  const Sparse padded({3, width}, DType::f32), joined({3, width + 5}, DType::f32);
  SKIP_UNLESS(&padded, &joined);
  run(0, [&](Backend& backend) { backend.pad(padded.view(), part.view(), begin); });  // the part lies in one block
  const ConstView parts[] = {whole.view(), part.view()};
  run(0, [&](Backend& backend) { backend.concat(joined.view(), parts, 1); });
  for (std::int64_t row = 0; row < 3; ++row) {
    for (std::int64_t i = 0; i < 5; ++i) {
      EXPECT_EQ(padded.at(row * width + width - 5 + i), static_cast<float>(10 * row + i + 1));
      EXPECT_EQ(joined.at(row * (width + 5) + width + i), static_cast<float>(10 * row + i + 1));
    }
  }
}

TEST_F(CudaHuge, GatherRows) {
  const Sparse table({70000, 65536}, DType::f32), out({2, 65536}, DType::f32), index({2}, DType::i32);
  SKIP_UNLESS(&table, &out, &index);
  index.at<std::int32_t>(0) = 69999;
  index.at<std::int32_t>(1) = 32768;
  table.at(std::int64_t{70000} * 65536 - 1) = 3;
  table.at(k2To31) = 4;
  run_all([&](Backend& backend) { backend.gather_rows(out.view(), table.view(), index.view()); });
  EXPECT_EQ(out.at(65535), 3);
  EXPECT_EQ(out.at(65536), 4);
}

TEST_F(CudaHuge, ScatterToAndFromFarRows) {
  const std::int64_t rows = (k2To32 >> 8) + 2000, row = rows - 1, at = row * 256 + 7;
  {  // To.
    const std::int64_t count = 300;
    const Sparse out({rows, 256}), x({count, 256}), index({count}, DType::i32);
    SKIP_UNLESS(&out, &x, &index);
    for (std::int64_t m = 0; m < count; ++m) index.at<std::int32_t>(m) = -1;
    for (const std::int64_t m : {count - 3, count - 1}) {
      index.at<std::int32_t>(m) = static_cast<std::int32_t>(row);
      x.at(m * 256 + 7) = static_cast<float>(m);
    }
    run({-1, -1, -1, -1, owner(at, rows * 256)},  // the sums come behind the sort
        [&](Backend& backend) { backend.scatter_add_rows(out.view(), x.view(), index.view()); });
    EXPECT_EQ(out.at(at), static_cast<float>(2 * count - 4));
  }
  // From.
  const Sparse out({10, 256}), x({rows, 256}), index({rows}, DType::i32);
  SKIP_UNLESS(&out, &x, &index);
  for (std::int64_t m = 0; m < row; ++m) index.at<std::int32_t>(m) = -1;
  index.at<std::int32_t>(row) = 9;
  x.at(at) = 3;
  run_all([&](Backend& backend) { backend.scatter_add_rows(out.view(), x.view(), index.view()); });
  EXPECT_EQ(out.at(9 * 256 + 7), 3);
}

TEST_F(CudaHuge, Dropout) {
  const std::int64_t images = (k2To32 >> 8) + 2000, count = images * 256, at = count - 2;
  const Sparse out({images, 8, 8, 4}), x({images, 8, 8, 4});
  SKIP_UNLESS(&out, &x);
  const std::uint32_t half = philox::keep_threshold(0.5);
  for (std::uint64_t stream = 0; stream < 4; ++stream) {
    const RandomKey key{5, stream};
    const auto kept = [&](std::int64_t word) {
      return philox::keep(philox::word(key, static_cast<std::uint64_t>(word)), half) ? 6.0f : 0.0f;
    };
    x.at(at) = 3;
    run(owner(at / 4, count / 4 + 2),
        [&](Backend& backend) { backend.dropout(out.view(), x.view(), key, 0, 0.5, false); });
    EXPECT_EQ(out.at(at), kept(at));
    // One word for each channel of an image: those of the last, and its elements.
    const std::int64_t planes = images * 4, plane = planes - 2;
    run({owner(plane / 4, planes / 4 + 2), owner(at, count)},
        [&](Backend& backend) { backend.dropout(out.view(), x.view(), key, 0, 0.5, true); });
    EXPECT_EQ(out.at(at), kept(plane));
  }
}

TEST_F(CudaHuge, OneParameterOfAnOptimiser) {
  const Sparse parameter({kMany}), gradient({kMany}), velocity({kMany});
  SKIP_UNLESS(&parameter, &gradient, &velocity);
  const std::int64_t at = kMany - 3;
  parameter.at(at) = 1;
  gradient.at(at) = 2;
  velocity.at(at) = 4;
  const View parameters[] = {parameter.view()}, velocities[] = {velocity.view()};
  const ConstView gradients[] = {gradient.view()};
  run(at / (16 * cuda::kThreads), [&](Backend& backend) {
    backend.sgd(parameters, gradients, velocities, {.learning_rate = 0.5, .momentum = 0.25});
  });
  EXPECT_EQ(velocity.at(at), 3);
  EXPECT_EQ(parameter.at(at), -0.5f);
}

TEST_F(CudaHuge, OneSumOfEverything) {
  const Sparse x({kMany}), out({1});
  SKIP_UNLESS(&x, &out);
  x.at(kMany - 1) = 3;
  // The other blocks' sums are those of the scratch memory that the primitive will be lent: nothing.
  void* const scratch = cuda::open().allocate(1024 * sizeof(float));
  run_all([&](Backend& backend) { backend.fill({scratch, {1024}, DType::f32}, 0); });
  cuda::open().release(scratch, 1024 * sizeof(float));
  run({1023, 0}, [&](Backend& backend) { backend.reduce(ReduceOp::sum, out.view(), x.view()); });
  EXPECT_EQ(out.at(0), 3);
}

TEST_F(CudaHuge, ReductionsAlongRows) {
  const std::int64_t rows = 2050, columns = (std::int64_t{1} << 21) + 3;
  const Sparse x({rows, columns}, DType::f32), out({rows, 1}, DType::f32), index({rows}, DType::i32);
  SKIP_UNLESS(&x, &out, &index);
  const std::int64_t row = rows - 1, base = row * columns;
  ASSERT_GT(base, k2To32);
  x.at(base) = 1;
  x.at(base + columns / 2) = -2;
  x.at(base + columns - 1) = 8;
  const auto reduced = [&](ReduceOp op) {
    run(row, [&](Backend& backend) { backend.reduce(op, out.view(), x.view()); });
    return out.at(row);
  };
  EXPECT_EQ(reduced(ReduceOp::sum), 7);
  EXPECT_EQ(reduced(ReduceOp::sum_abs), 11);
  EXPECT_EQ(reduced(ReduceOp::sum_squares), 69);
  EXPECT_EQ(reduced(ReduceOp::max), 8);
  EXPECT_EQ(reduced(ReduceOp::min), -2);
  run(row / 8, [&](Backend& backend) { backend.argmax(index.view(), x.view()); });  // a warp for each row
  EXPECT_EQ(index.at<std::int32_t>(row), columns - 1);
  const Sparse zeros({rows, columns}, DType::f32);
  SKIP_UNLESS(&zeros);
  run(row, [&](Backend& backend) { backend.loss(LossOp::l2, out.view(), x.view(), zeros.view(), 0.5); });
  EXPECT_EQ(out.at(row), 69 / 2.0f);
}

TEST_F(CudaHuge, ReductionsOfColumns) {
  const std::int64_t outer = 3, count = 65536, inner = 32768 + 64;
  const Sparse x({outer, count, inner}, DType::f32), out({outer, 1, inner}, DType::f32);
  SKIP_UNLESS(&x, &out);
  const std::int64_t column = 32768 + 40, base = 2 * count * inner + column;
  ASSERT_GT(base, k2To32);
  x.at(base) = 1;
  x.at(base + 1000 * inner) = 2;
  x.at(base + (count - 1) * inner) = 4;
  const std::int64_t across = (outer * inner + 31) / 32;
  run(owner((2 * inner + column) / 32, across, 1),
      [&](Backend& backend) { backend.reduce(ReduceOp::sum, out.view(), x.view()); });
  EXPECT_EQ(out.at(2 * inner + column), 7);
}

TEST_F(CudaHuge, ImagesReadFarApart) {
  const std::int64_t side = 32768;
  const Sparse x({5, side, side, 1}, DType::f32);
  SKIP_UNLESS(&x);
  const Sparse y({5, 2, 2, 1}, DType::f32), index({5, 2, 2, 1}, DType::i32);
  const std::int64_t far = (4 * side + side / 2) * side + side / 2;  // the fifth image's pixel (side / 2, side / 2)
  ASSERT_GT(far, k2To32);
  x.at(far) = 8;
  PoolGeometry geometry = PoolGeometry::square(2, static_cast<int>(side / 2));
  run_all([&](Backend& backend) { backend.max_pool(y.view(), index.view(), x.view(), geometry); });
  EXPECT_EQ(y.at(19), 8);
  EXPECT_EQ(index.at<std::int32_t>(19), far - 4 * side * side);
  y.at(19) = 0;
  run_all([&](Backend& backend) { backend.avg_pool(y.view(), x.view(), geometry); });
  EXPECT_EQ(y.at(19), 2);
  run_all([&](Backend& backend) { backend.pool_gather(y.view(), x.view(), index.view()); });
  EXPECT_EQ(y.at(19), 8);
  y.at(19) = 0;
  run_all([&](Backend& backend) { backend.resize(y.view(), x.view(), ResizeMode::nearest); });
  EXPECT_EQ(y.at(19), 8);
  const Sparse weight({1, 2, 2, 1}, DType::f32);
  weight.at(0) = 0.25;
  y.at(19) = 0;
  const Conv2dGeometry convolution = Conv2dGeometry::square(static_cast<int>(side / 2), 0);
  run_all([&](Backend& backend) {
    backend.conv2d(y.view(), x.view(), weight.view(), {}, convolution, Activation::identity, 0);
  });
  EXPECT_EQ(y.at(19), 2);
}

}  // namespace
}  // namespace counterfoil::cuda_test
