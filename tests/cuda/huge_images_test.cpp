#include <bit>
#include <cstring>
#include <functional>
#include <memory>

#include "tests/cuda/both.h"
#include "tests/cuda/huge.h"

// A batch of so many small images, or rows, that the last one lies beyond 2^32 elements: its results are those that it
// has alone, bit for bit, where the kernels count in 32 bits or begin at 0.

namespace counterfoil::cuda_test {
namespace {

/// Images of so many elements.
struct Batch {
  std::int64_t images, last;

  explicit Batch(std::int64_t elements) : images(k2To32 / elements + 2000), last(images - 1) {}
  /// The block of a strided loop that owns the last image's first item.
  std::int64_t own(std::int64_t items, int threads = cuda::kThreads) const {
    const std::int64_t all = images * items;
    return last * items / threads % cuda::blocks_for(all, threads);
  }
  /// The block that begins with it where each block has so many items of its own.
  std::int64_t block(std::int64_t items, std::int64_t each) const { return last * items / each; }
};

/// An argument: what belongs to one image, leading extent 1, or is the same for all.
struct Array {
  Shape shape;
  std::vector<float> values;
  bool shared = false;
  DType dtype = DType::f32;
};

Array floats(const Shape& shape, std::uint64_t seed, double low = -1, double high = 1) {
  return {shape, scattered(shape, seed, low, high).values};
}
Array shared(const Shape& shape, std::uint64_t seed) {
  return {shape, scattered(shape, seed).values, true};
}
Array integers(const Shape& shape, std::uint64_t seed, int count) {
  Array array{shape, scattered(shape, seed, 0, count).values, false, DType::i32};
  for (float& value : array.values) value = std::bit_cast<float>(static_cast<std::int32_t>(value));
  return array;
}
Array result(const Shape& shape, DType dtype = DType::f32) {
  return {shape, {}, false, dtype};
}

class CudaHugeBatch : public CudaHuge {
 protected:
  using Arrays = std::vector<std::unique_ptr<Sparse>>;

  /// The arrays for so many images, of which the last holds the values.
  static Arrays made(const std::vector<Array>& all, std::int64_t images) {
    Arrays arrays;
    for (const Array& one : all) {
      const Shape shape = one.shared ? one.shape : one.shape.with(0, images * one.shape[0]);
      arrays.push_back(std::make_unique<Sparse>(shape, one.dtype));
      if (!arrays.back()->there()) continue;
      for (std::size_t i = 0; i < one.values.size(); ++i) {
        arrays.back()->at((one.shared ? 0 : (images - 1) * one.shape.size()) + static_cast<std::int64_t>(i)) =
            one.values[i];
      }
    }
    return arrays;
  }

  /// `blocks`: of each launch over the batch, in order, the one that works on the last image.
  static void expect_as_alone(const Batch& batch, const std::vector<Array>& out, const std::vector<Array>& in,
                              const std::vector<std::int64_t>& blocks, const Call& call) {
    const auto outputs_of_last = [&](std::int64_t images, const auto& execute) {
      const Arrays outputs = made(out, images), inputs = made(in, images);
      Views views;
      for (const auto& array : outputs) views.out.push_back(array->view());
      for (const auto& array : inputs) views.in.push_back(array->view());
      const auto there = [](const auto& array) { return array->there(); };
      std::vector<std::vector<float>> found;
      if (!std::ranges::all_of(outputs, there) || !std::ranges::all_of(inputs, there)) return found;
      execute([&](Backend& backend) { call(backend, views); });
      for (std::size_t i = 0; i < out.size(); ++i) {
        const std::int64_t size = out[i].shape.size();
        const float* const first = &outputs[i]->at((images - 1) * size);
        found.emplace_back(first, first + size);
      }
      return found;
    };
    const auto expected = outputs_of_last(1, [](const auto& primitive) { run_all(primitive); });
    const auto found = outputs_of_last(batch.images, [&](const auto& primitive) { run(blocks, primitive); });
    if (found.empty()) GTEST_SKIP() << "no address space for it";
    for (std::size_t i = 0; i < out.size(); ++i) {
      EXPECT_NE(std::ranges::count_if(expected[i], [](float value) { return value != 0; }), 0) << "says nothing";
      EXPECT_EQ(std::memcmp(found[i].data(), expected[i].data(), found[i].size() * sizeof(float)), 0)
          << "output " << i << " of the last image begins with " << found[i][0] << ", alone with " << expected[i][0];
    }
  }
};

const Shape kImage{1, 16, 16, 1}, kColours{1, 8, 8, 4}, kNumber{1, 1};
const Batch kBatch(256);

TEST_F(CudaHugeBatch, Pooling) {
  const PoolGeometry geometry = PoolGeometry::square(3, 1, 1);
  const std::vector<std::int64_t> block{kBatch.own(256)};
  expect_as_alone(kBatch, {result(kImage), result(kImage, DType::i32)}, {floats(kImage, 1)}, block,
                  [&](Backend& b, const Views& v) { b.max_pool(v.out[0], v.out[1], v.in[0], geometry); });
  expect_as_alone(kBatch, {result(kImage)}, {floats(kImage, 2)}, block,
                  [&](Backend& b, const Views& v) { b.avg_pool(v.out[0], v.in[0], geometry); });
  expect_as_alone(kBatch, {result(kImage)}, {floats(kImage, 3)}, block,
                  [&](Backend& b, const Views& v) { b.avg_pool_backward(v.out[0], v.in[0], geometry); });
  const Array index = integers(kImage, 4, 256);
  expect_as_alone(kBatch, {result(kImage)}, {floats(kImage, 5), index}, block,
                  [&](Backend& b, const Views& v) { b.pool_gather(v.out[0], v.in[0], v.in[1]); });
  expect_as_alone(kBatch, {result(kImage)}, {floats(kImage, 6), index}, block,
                  [&](Backend& b, const Views& v) { b.pool_scatter(v.out[0], v.in[0], v.in[1]); });
}

TEST_F(CudaHugeBatch, Resizing) {
  const Shape wide{1, 8, 32, 1};
  for (const ResizeMode mode : {ResizeMode::nearest, ResizeMode::bilinear}) {
    expect_as_alone(kBatch, {result(wide)}, {floats(kImage, 1)}, {kBatch.own(256)},
                    [&](Backend& b, const Views& v) { b.resize(v.out[0], v.in[0], mode); });
    expect_as_alone(kBatch, {result(kImage)}, {floats(wide, 2)}, {kBatch.own(256)},
                    [&](Backend& b, const Views& v) { b.resize_backward(v.out[0], v.in[0], mode); });
  }
  const Shape low{1, 4, 4, 1}, skip{1, 8, 8, 3};
  expect_as_alone(kBatch, {result(kColours)}, {floats(low, 3), floats(skip, 4)}, {kBatch.own(256)},
                  [&](Backend& b, const Views& v) { b.upsample_concat(v.out[0], v.in[0], v.in[1]); });
  expect_as_alone(kBatch, {result(low), result(skip)}, {floats(kColours, 5)}, {kBatch.own(64)},
                  [&](Backend& b, const Views& v) { b.upsample_concat_backward(v.out[0], v.out[1], v.in[0]); });
}

TEST_F(CudaHugeBatch, Normalisation) {
  const Shape four{1, 4};
  const Array x = floats(kColours, 1), mean = floats(four, 2), variance = floats(four, 3, 0.5, 2),
              gamma = floats(four, 4), beta = floats(four, 5);
  // A block for each image; a warp for each of its 4 statistics.
  expect_as_alone(kBatch, {result(four), result(four)}, {x}, {kBatch.last, kBatch.own(4 * 32)},
                  [&](Backend& b, const Views& v) { b.norm_statistics(v.out[0], v.out[1], v.in[0]); });
  expect_as_alone(kBatch, {result(kColours)}, {x, mean, variance, gamma, beta}, {kBatch.own(256)},
                  [&](Backend& b, const Views& v) {
                    b.norm_apply(v.out[0], v.in[0], v.in[1], v.in[2], v.in[3], v.in[4], 1e-5, Activation::relu, 0);
                  });
  // Chunks, a warp for each of 8 totals, two folds and the elements.
  expect_as_alone(kBatch, {result(kColours), result(four), result(four)},
                  {floats(kColours, 6), x, floats(kColours, 7), mean, variance, gamma},
                  {kBatch.last, kBatch.own(8 * 32), kBatch.own(4), kBatch.own(4), kBatch.own(256)},
                  [&](Backend& b, const Views& v) {
                    b.norm_backward(v.out[0], v.out[1], v.out[2], v.in[0], v.in[1], v.in[2], v.in[3], v.in[4], v.in[5],
                                    1e-5, Activation::leaky_relu, 0.2, true);
                  });
}

TEST_F(CudaHugeBatch, NormalisationOfTheBatch) {
  // 128 pixels, which are one chunk, of more than 2^25 channels: the last 32 are a block's.
  const std::int64_t channels = (std::int64_t{1} << 25) + 32, c = channels - 5;
  const Sparse x({1, 8, 16, channels}), mean({1, channels}), variance({1, channels});
  SKIP_UNLESS(&x, &mean, &variance);
  for (std::int64_t pixel = 0; pixel < 128; ++pixel) x.at(pixel * channels + c) = pixel < 64 ? 1 : 3;
  run({channels / 32 - 1, owner(c * 32, channels * 32)},
      [&](Backend& backend) { backend.norm_statistics(mean.view(), variance.view(), x.view()); });
  EXPECT_EQ(mean.at(c), 2);
  EXPECT_EQ(variance.at(c), 1);
}

TEST_F(CudaHugeBatch, TotalVariationAndFilters) {
  const std::vector<std::int64_t> block{kBatch.own(256)};
  expect_as_alone(kBatch, {result({1})}, {floats(kImage, 1)}, {kBatch.last, kBatch.own(32)},
                  [&](Backend& b, const Views& v) { b.total_variation(v.out[0], v.in[0], 2); });
  expect_as_alone(kBatch, {result(kImage)}, {floats(kImage, 2), floats({1}, 3)}, block,
                  [&](Backend& b, const Views& v) { b.total_variation_backward(v.out[0], v.in[0], v.in[1], 1.5); });
  const Array rows = shared({5}, 4), columns = shared({3}, 5);
  for (const Border border : {Border::zero, Border::replicate}) {
    expect_as_alone(
        kBatch, {result(kImage)}, {floats(kImage, 6), rows, columns}, block,
        [&](Backend& b, const Views& v) { b.separable_filter(v.out[0], v.in[0], v.in[1], v.in[2], border); });
    expect_as_alone(
        kBatch, {result(kImage)}, {floats(kImage, 7), rows, columns}, block,
        [&](Backend& b, const Views& v) { b.separable_filter_backward(v.out[0], v.in[0], v.in[1], v.in[2], border); });
  }
}

TEST_F(CudaHugeBatch, WarpsAndRegions) {
  const Array theta = floats({1, 2, 3}, 1, -0.8, 0.8);
  expect_as_alone(kBatch, {result(kImage)}, {floats(kImage, 2), theta}, {kBatch.own(256)},
                  [&](Backend& b, const Views& v) { b.affine_warp(v.out[0], v.in[0], v.in[1]); });
  expect_as_alone(kBatch, {result(kImage)}, {floats(kImage, 3), theta}, {kBatch.own(256)},
                  [&](Backend& b, const Views& v) { b.affine_warp_backward(v.out[0], v.in[0], v.in[1]); });
  Array mask = floats({1, 16, 16}, 4);
  for (float& value : mask.values) value = value > 0.2f ? 1.0f : 0.0f;
  for (const int neighbours : {4, 8}) {
    expect_as_alone(kBatch, {result({1, 16, 16}, DType::i32)}, {mask}, {kBatch.own(256)},
                    [&](Backend& b, const Views& v) { b.connected_components(v.out[0], v.in[0], neighbours); });
  }
}

TEST_F(CudaHugeBatch, Convolutions) {
  // A tile has the 256 pixels of one image; of a residue class at stride 2, those of four.
  const Array filter = shared({1, 3, 3, 1}, 1), bias = shared({1}, 2);
  const Conv2dGeometry same = Conv2dGeometry::square(1, 1);
  expect_as_alone(
      kBatch, {result(kImage)}, {floats(kImage, 3), filter, bias}, {kBatch.last},
      [&](Backend& b, const Views& v) { b.conv2d(v.out[0], v.in[0], v.in[1], v.in[2], same, Activation::tanh, 0); });
  expect_as_alone(kBatch, {result(kImage)}, {floats(kImage, 4), filter}, {kBatch.last},
                  [&](Backend& b, const Views& v) { b.conv2d_input_grad(v.out[0], v.in[0], v.in[1], same); });
  expect_as_alone(kBatch, {result(kImage)}, {floats({1, 8, 8, 1}, 5), filter}, {kBatch.block(64, 256)},
                  [](Backend& b, const Views& v) {
                    b.conv2d_input_grad(v.out[0], v.in[0], v.in[1], Conv2dGeometry::square(2, 1));
                  });
  const Array depthwise = shared({4, 3, 3, 1}, 6);
  const Conv2dGeometry groups = Conv2dGeometry::square(1, 1, 1, 4);
  expect_as_alone(
      kBatch, {result(kColours)}, {floats(kColours, 7), depthwise}, {kBatch.own(256)},
      [&](Backend& b, const Views& v) { b.conv2d(v.out[0], v.in[0], v.in[1], {}, groups, Activation::identity, 0); });
  expect_as_alone(kBatch, {result(kColours)}, {floats(kColours, 8), depthwise}, {kBatch.own(256)},
                  [&](Backend& b, const Views& v) { b.conv2d_input_grad(v.out[0], v.in[0], v.in[1], groups); });
}

/// Rows by a warp, eight of them to a block, and rows by a block.
TEST_F(CudaHugeBatch, Softmax) {
  for (const std::int64_t columns : {256, 1280}) {
    const Batch batch(columns);
    const std::vector<std::int64_t> block{columns <= 1024 ? batch.own(32) : batch.own(1, 1)};
    const Shape row{1, columns};
    const Array x = floats(row, 1), d_y = floats(row, 2), label = integers({1}, 3, 256), d_out = floats({1}, 4);
    for (const bool log : {false, true}) {
      expect_as_alone(batch, {result(row)}, {x}, block,
                      [&](Backend& b, const Views& v) { b.softmax(v.out[0], v.in[0], log); });
      expect_as_alone(batch, {result(row)}, {x, d_y}, block,
                      [&](Backend& b, const Views& v) { b.softmax_backward(v.out[0], v.in[0], v.in[1], log); });
    }
    expect_as_alone(batch, {result({1})}, {x, label}, block,
                    [&](Backend& b, const Views& v) { b.cross_entropy(v.out[0], v.in[0], v.in[1]); });
    expect_as_alone(batch, {result(row)}, {x, label, d_out}, block,
                    [&](Backend& b, const Views& v) { b.cross_entropy_backward(v.out[0], v.in[0], v.in[1], v.in[2]); });
  }
}

TEST_F(CudaHugeBatch, RowsByTheirOrderAndLosses) {
  const Shape row{1, 256};
  expect_as_alone(kBatch, {result({1})}, {floats(row, 1)}, {kBatch.own(1, 1)},
                  [&](Backend& b, const Views& v) { b.order_statistic(v.out[0], v.in[0], 77); });
  expect_as_alone(kBatch, {result(row)}, {integers({1}, 2, 256)}, {kBatch.own(256)},
                  [&](Backend& b, const Views& v) { b.one_hot(v.out[0], v.in[0]); });
  expect_as_alone(
      kBatch, {result(row)}, {floats(row, 3), floats(row, 4), floats(kNumber, 5)}, {kBatch.own(256)},
      [&](Backend& b, const Views& v) { b.loss_backward(LossOp::l2, v.out[0], v.in[0], v.in[1], v.in[2], 0.5); });
  const Array table = shared({10, 256}, 6), chosen = integers({1}, 7, 10);
  expect_as_alone(kBatch, {result(row)}, {table, chosen}, {kBatch.own(64)},
                  [&](Backend& b, const Views& v) { b.gather_rows(v.out[0], v.in[0], v.in[1]); });
  const Batch numbers(1);
  expect_as_alone(numbers, {result(kNumber)}, {shared({10, 1}, 8), chosen}, {numbers.own(1)},
                  [&](Backend& b, const Views& v) { b.gather_rows(v.out[0], v.in[0], v.in[1]); });
}

}  // namespace
}  // namespace counterfoil::cuda_test
