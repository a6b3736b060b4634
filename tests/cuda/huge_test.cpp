#include <cmath>
#include <memory>

#include <gtest/gtest.h>
#include <sys/mman.h>

#include "kernels/backend.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/grid.h"
#include "kernels/philox.h"
#include "kernels/simt/simt.h"

// Arrays of more than 2^31 elements, on kernels that find their elements in 64 bits. The arrays are address space: the
// pages that nothing writes are the system's one page of zeros. Where an output is as large as that, one block of the
// grid runs, the one that owns the element looked at; kernels stride over the grid, so it walks from end to end.

namespace counterfoil::cuda_test {
namespace {

constexpr std::int64_t k2To31 = std::int64_t{1} << 31, k2To32 = std::int64_t{1} << 32;

/// Zeros of some type, of which the machine holds what was written.
class Sparse {
 public:
  Sparse(const Shape& shape, DType dtype) : bytes_(static_cast<std::size_t>(shape.size()) * size_of(dtype)) {
    data_ = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data_ == MAP_FAILED) return;
    ::madvise(data_, bytes_, MADV_NOHUGEPAGE);  // a page for each element written, not 2 MiB
    view_ = {data_, shape, dtype};
  }
  ~Sparse() {
    if (data_ != MAP_FAILED) ::munmap(data_, bytes_);
  }
  Sparse(const Sparse&) = delete;
  Sparse& operator=(const Sparse&) = delete;

  bool there() const { return data_ != MAP_FAILED; }
  const View& view() const { return view_; }
  template <typename T = float>
  T& at(std::int64_t i) const {
    return view_.as<T>()[i];
  }

 private:
  std::size_t bytes_;
  void* data_;
  View view_;
};

#define SKIP_UNLESS(...)                     \
  for (const Sparse* sparse : {__VA_ARGS__}) \
    if (!sparse->there()) GTEST_SKIP() << "no address space for it"

class CudaHuge : public testing::Test {
 protected:
  void TearDown() override { simt::set_options({}); }

  /// Runs a primitive, of each of its launches one block.
  template <typename F>
  void run(std::int64_t block, F&& primitive) {
    simt::set_options({.only_block = block});
    primitive(cuda::open().backend());
    cuda::open().synchronize();
    simt::set_options({});
  }
  template <typename F>
  void run_all(F&& primitive) {
    primitive(cuda::open().backend());
    cuda::open().synchronize();
  }

  /// The block that owns an item of a strided loop over so many.
  static std::int64_t owner(std::int64_t item, std::int64_t items, int threads = cuda::kThreads) {
    return item / threads % cuda::blocks_for(items, threads);
  }
  /// Another item of the same block, one turn of the grid earlier.
  static std::int64_t turn(std::int64_t items) { return std::int64_t{cuda::blocks_for(items)} * cuda::kThreads; }
};

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
}

TEST_F(CudaHuge, BinaryWithBroadcasting) {
  const Shape shape{2, 32768, 40000}, middle{2, 1, 40000};
  const Sparse out(shape, DType::f32), x(shape, DType::f32), y(middle, DType::f32);
  SKIP_UNLESS(&out, &x, &y);
  const std::int64_t at = (32768 + 32767) * std::int64_t{40000} + 39998;
  ASSERT_GT(at, k2To31);
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

TEST_F(CudaHuge, ReductionsAlongRows) {
  const std::int64_t rows = 1025, columns = (std::int64_t{1} << 21) + 3;
  const Sparse x({rows, columns}, DType::f32), out({rows, 1}, DType::f32), index({rows}, DType::i32);
  SKIP_UNLESS(&x, &out, &index);
  const std::int64_t row = rows - 1, base = row * columns;
  ASSERT_GT(base, k2To31);
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
  const std::int64_t outer = 3, count = 32768, inner = 32768 + 64;
  const Sparse x({outer, count, inner}, DType::f32), out({outer, 1, inner}, DType::f32);
  SKIP_UNLESS(&x, &out);
  const std::int64_t column = 32768 + 40, base = 2 * count * inner + column;
  ASSERT_GT(base, k2To31);
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
  const Sparse x({3, side, side, 1}, DType::f32);
  SKIP_UNLESS(&x);
  const Sparse y({3, 2, 2, 1}, DType::f32), index({3, 2, 2, 1}, DType::i32);
  const std::int64_t far = (2 * side + side / 2) * side + side / 2;  // the third image's pixel (side / 2, side / 2)
  ASSERT_GT(far, k2To31);
  x.at(far) = 8;
  PoolGeometry geometry = PoolGeometry::square(2, static_cast<int>(side / 2));
  run_all([&](Backend& backend) { backend.max_pool(y.view(), index.view(), x.view(), geometry); });
  EXPECT_EQ(y.at(11), 8);
  EXPECT_EQ(index.at<std::int32_t>(11), far - 2 * side * side);
  y.at(11) = 0;
  run_all([&](Backend& backend) { backend.avg_pool(y.view(), x.view(), geometry); });
  EXPECT_EQ(y.at(11), 2);
  run_all([&](Backend& backend) { backend.pool_gather(y.view(), x.view(), index.view()); });
  EXPECT_EQ(y.at(11), 8);
  y.at(11) = 0;
  run_all([&](Backend& backend) { backend.resize(y.view(), x.view(), ResizeMode::nearest); });
  EXPECT_EQ(y.at(11), 8);
  const Sparse weight({1, 2, 2, 1}, DType::f32);
  weight.at(0) = 0.25;
  y.at(11) = 0;
  const Conv2dGeometry convolution = Conv2dGeometry::square(static_cast<int>(side / 2), 0);
  run_all([&](Backend& backend) {
    backend.conv2d(y.view(), x.view(), weight.view(), {}, convolution, Activation::identity, 0);
  });
  EXPECT_EQ(y.at(11), 2);
}

}  // namespace
}  // namespace counterfoil::cuda_test
