#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/cuda/cuda_device.h"
#include "tensor/ops.h"
#include "tensor/random.h"

// What the cases are too small for, or leave open: long rows, many indices, chunks, tiles, unaligned arrays, more
// tensors than one launch takes; and random numbers, bit for bit.

namespace counterfoil::cuda_test {
namespace {

class CudaKernels : public testing::Test {
 protected:
  Device& device_ = cuda::open();

  std::vector<float> numbers(std::int64_t count, const char* name) {
    Random random(11, name);
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = static_cast<float>(4 * random.uniform() - 2);
    return values;
  }
  Tensor tensor(const std::vector<float>& values, const Shape& shape) { return Tensor::from(values, shape, device_); }
};

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Sums in double over one axis of [a, b, c].
std::vector<double> sums_over(const std::vector<float>& x, const Shape& shape, int axis) {
  const Shape kept = shape.with(axis, 1);
  std::vector<double> sums(static_cast<std::size_t>(kept.size()));
  std::size_t i = 0;
  for (std::int64_t a = 0; a < shape[0]; ++a) {
    for (std::int64_t b = 0; b < shape[1]; ++b) {
      for (std::int64_t c = 0; c < shape[2]; ++c) {
        const std::int64_t at = axis == 0 ? b * shape[2] + c : axis == 1 ? a * shape[2] + c : a * shape[1] + b;
        sums[static_cast<std::size_t>(at)] += static_cast<double>(x[i++]);
      }
    }
  }
  return sums;
}

TEST_F(CudaKernels, LongReductionsAreCutIntoChunks) {
  struct Example {
    Shape shape;
    int axis;
  };
  for (const Example& example : {Example{{1, 1, 100'003}, 2}, Example{{3, 20'001, 1}, 1}, Example{{5, 2000, 33}, 1},
                                 Example{{9001, 2, 5}, 0}, Example{{2, 3000, 3}, 2}}) {
    const std::vector<float> values = numbers(example.shape.size(), "sums");
    const std::vector<double> expected = sums_over(values, example.shape, example.axis);
    const std::vector<double> found = reduce(ReduceOp::sum, tensor(values, example.shape), {example.axis}).to_doubles();
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_NEAR(found[i], expected[i], 2e-5 * std::sqrt(example.shape[example.axis]) * 10)
          << example.shape.to_string() << " over axis " << example.axis << " at " << i;
    }
  }
}

TEST_F(CudaKernels, ExtremesOfLongRowsKeepNan) {
  std::vector<float> values = numbers(2 * 40'000, "extremes");
  values[31'234] = 7;
  const Tensor x = tensor(values, {2, 40'000});
  EXPECT_EQ(reduce(ReduceOp::max, x, {1}).to_doubles()[0], 7);
  values[70'001] = kNan;
  const std::vector<double> found = reduce(ReduceOp::max, tensor(values, {2, 40'000}), {1}).to_doubles();
  EXPECT_EQ(found[0], 7);
  EXPECT_TRUE(std::isnan(found[1]));
  EXPECT_FALSE(all_finite(tensor(values, {2, 40'000})));
  EXPECT_TRUE(all_finite(x));
}

TEST_F(CudaKernels, SoftmaxOfLongRows) {
  const std::vector<float> values = numbers(3 * 2500, "softmax");
  const std::vector<double> y = softmax(tensor(values, {3, 2500})).to_doubles();
  const std::vector<double> logarithm = softmax(tensor(values, {3, 2500}), true).to_doubles();
  for (std::size_t row = 0; row < 3; ++row) {
    double sum = 0;
    for (std::size_t j = 0; j < 2500; ++j) sum += std::exp(static_cast<double>(values[row * 2500 + j]));
    for (std::size_t j = 0; j < 2500; ++j) {
      const double expected = std::exp(static_cast<double>(values[row * 2500 + j])) / sum;
      EXPECT_NEAR(y[row * 2500 + j], expected, 1e-6 * expected);
      EXPECT_NEAR(logarithm[row * 2500 + j], std::log(expected), 1e-5);
    }
  }
}

TEST_F(CudaKernels, CrossEntropyOfALabelOutsideIsNan) {
  const Tensor logits = tensor({1, 2, 3, 4, 5, 6}, {3, 2});
  const Tensor labels = Tensor::from(std::vector<std::int32_t>{0, 2, -1}, {3}, device_);
  const std::vector<double> found = cross_entropy(logits, labels).to_doubles();
  EXPECT_NEAR(found[0], 1.3132616875, 1e-6);
  EXPECT_TRUE(std::isnan(found[1]) && std::isnan(found[2]));
}

TEST_F(CudaKernels, ArgmaxTakesTheFirstOfEqualsAndNanAboveAll) {
  const Tensor x = tensor({-0.0f, 0.0f, -1, 3, kInfinity, kNan, -3, -2, -2}, {3, 3});
  EXPECT_THAT(argmax(x).to_doubles(), testing::ElementsAre(0, 2, 1));
}

TEST_F(CudaKernels, OrderStatisticsOfLongRows) {
  std::vector<float> values = numbers(2 * 3001, "order");
  for (std::size_t i = 0; i < 500; ++i) values[i] = -0.25f;  // many equals
  values[10] = kNan;
  values[11] = -kInfinity;
  values[3001] = kInfinity;
  const Tensor x = tensor(values, {2, 3001});
  for (const std::int64_t k : {0, 1, 1200, 2998, 3000}) {
    const std::vector<double> found = order_statistic(x, k).to_doubles();
    for (std::size_t row = 0; row < 2; ++row) {
      std::vector<float> sorted(values.begin() + static_cast<std::ptrdiff_t>(row * 3001),
                                values.begin() + static_cast<std::ptrdiff_t>((row + 1) * 3001));
      std::sort(sorted.begin(), sorted.end(), [](float a, float b) { return a < b || (b != b && a == a); });
      const auto expected = static_cast<double>(sorted[static_cast<std::size_t>(k)]);
      EXPECT_TRUE(found[row] == expected || (std::isnan(found[row]) && std::isnan(expected))) << k << " " << row;
    }
  }
}

TEST_F(CudaKernels, ScatterAddsManyRowsInAscendingOrder) {
  const std::int64_t count = 1500, rows = 40, width = 3;
  const std::vector<float> x = numbers(count * width, "scatter");
  Random random(5, "scatter");
  std::vector<std::int32_t> index(static_cast<std::size_t>(count));
  // A crowded row, empty rows, and some outside.
  for (std::int32_t& row : index) row = random.uniform() < 0.5 ? 7 : static_cast<std::int32_t>(random.integer(45)) - 3;
  std::vector<float> expected(static_cast<std::size_t>(rows * width), 0.0f);
  for (std::size_t m = 0; m < index.size(); ++m) {
    if (index[m] < 0 || index[m] >= rows) continue;
    for (std::size_t j = 0; j < 3; ++j) expected[static_cast<std::size_t>(index[m]) * 3 + j] += x[m * 3 + j];
  }
  const Tensor sums = scatter_add_rows(tensor(x, {count, width}), Tensor::from(index, {count}, device_), rows);
  const std::vector<double> found = sums.to_doubles();
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i], static_cast<double>(expected[i])) << i;
}

TEST_F(CudaKernels, GatherOfARowOutsideIsZero) {
  const Tensor table = tensor(numbers(5 * 8, "gather"), {5, 8});
  const Tensor index = Tensor::from(std::vector<std::int32_t>{4, 5, -1}, {3}, device_);
  const std::vector<double> found = gather_rows(table, index).to_doubles(), rows = table.to_doubles();
  for (std::size_t j = 0; j < 8; ++j) {
    EXPECT_EQ(found[j], rows[32 + j]);
    EXPECT_EQ(found[8 + j], 0);
    EXPECT_EQ(found[16 + j], 0);
  }
}

TEST_F(CudaKernels, TransposesOfEveryElementSize) {
  const std::int64_t images = 3, rows = 45, columns = 70;
  std::vector<std::int32_t> values(static_cast<std::size_t>(images * rows * columns));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int32_t>(i * i % 251);
  const Tensor x = Tensor::from(values, {images, rows, columns}, device_);
  const int order[] = {0, 2, 1};
  for (const DType dtype : {DType::u8, DType::bf16, DType::i32, DType::i64}) {
    const std::vector<double> found = convert(permute(convert(x, dtype), order), DType::f32).to_doubles();
    for (std::int64_t n = 0; n < images; ++n) {
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t c = 0; c < columns; ++c) {
          ASSERT_EQ(found[static_cast<std::size_t>((n * columns + c) * rows + r)],
                    values[static_cast<std::size_t>((n * rows + r) * columns + c)])
              << name_of(dtype) << " " << n << " " << r << " " << c;
        }
      }
    }
  }
}

TEST_F(CudaKernels, ArraysNeedNotBeAligned) {
  const std::vector<float> values = numbers(104, "aligned");
  const Tensor x = tensor(values, {104});
  for (const std::int64_t offset : {1, 2, 4}) {
    Tensor y = Tensor::full({104}, -9, DType::f32, device_);
    const ConstView from{x.view().as<float>() + offset, {97}, DType::f32};
    const View to{y.mutable_view().as<float>() + 1, {97}, DType::f32};
    const auto expect = [&](auto function) {
      const std::vector<double> found = y.to_doubles();
      EXPECT_EQ(found[0], -9);
      EXPECT_EQ(found[98], -9);
      for (std::size_t i = 0; i < 97; ++i) {
        EXPECT_EQ(found[i + 1], static_cast<double>(function(values[i + static_cast<std::size_t>(offset)]))) << i;
      }
    };
    device_.backend().unary(UnaryOp::affine, to, from, 2, 1);
    expect([](float v) { return 2 * v + 1; });
    device_.backend().binary(BinaryOp::multiply, to, from, from);
    expect([](float v) { return v * v; });
    device_.backend().axpby(to, 1, from, 1, from);
    expect([](float v) { return v + v; });
    device_.backend().slice(to, from, std::array<std::int64_t, 1>{0});
    expect([](float v) { return v; });
    device_.backend().fill(to, 3);
    expect([](float) { return 3.0f; });
  }
}

TEST_F(CudaKernels, RandomNumbersAreTheReferencesBits) {
  const RandomKey key{.seed = 77, .stream = 5};
  for (const std::uint64_t first : {0u, 1u, 6u}) {
    const Shape shape{2, 30, 7, 5};
    const auto bits = [&](Device& device) {
      std::vector<std::vector<double>> all;
      const Tensor x = random_uniform(shape, key, first, -1, 3, DType::f32, device);
      all.push_back(x.to_doubles());
      all.push_back(random_normal(shape, key, first, 0.3, 1.7, DType::f32, device).to_doubles());
      for (const double probability : {0.0, 0.1, 0.3, 0.5, 0.75}) {
        for (const bool per_channel : {false, true}) {
          Tensor y = x.empty_like();
          device.backend().dropout(y.mutable_view(), x.view(), key, first, probability, per_channel);
          all.push_back(y.to_doubles());
        }
      }
      return all;
    };
    EXPECT_EQ(bits(device_), bits(reference_device())) << first;
  }
}

TEST_F(CudaKernels, DropoutKeepsSignsOfZeroAndInfinities) {
  const std::vector<float> values = {-0.0f, 0.0f, kInfinity, -kInfinity, 1e-45f, 3.4e38f, -1e-30f};
  const auto kept = [&](Device& device) {
    const Tensor x = Tensor::from(values, {7}, device);
    Tensor y = x.empty_like();
    device.backend().dropout(y.mutable_view(), x.view(), {.seed = 1, .stream = 2}, 0, 0.1, false);
    std::vector<std::uint32_t> bits(values.size());
    device.copy_to_host(bits.data(), y.view().data, y.bytes());
    return bits;
  };
  EXPECT_EQ(kept(device_), kept(reference_device()));
}

TEST_F(CudaKernels, OptimisersTakeAnyNumberOfTensors) {
  std::vector<Tensor> parameters, gradients;
  std::vector<View> parameter_views;
  std::vector<ConstView> gradient_views;
  for (std::int64_t i = 0; i < 300; ++i) {
    parameters.push_back(Tensor::full({i % 7}, static_cast<double>(i), DType::f32, device_));
    gradients.push_back(Tensor::full({i % 7}, 2, DType::f32, device_));
  }
  parameters.push_back(Tensor::full({10'001}, 300, DType::f32, device_));
  gradients.push_back(Tensor::full({10'001}, 2, DType::f32, device_));
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    parameter_views.push_back(parameters[i].mutable_view());
    gradient_views.push_back(gradients[i].view());
  }
  device_.backend().sgd(parameter_views, gradient_views, {}, {.learning_rate = 0.5});
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    EXPECT_THAT(parameters[i].to_doubles(), testing::Each(static_cast<double>(i) - 1)) << i;
  }
}

}  // namespace
}  // namespace counterfoil::cuda_test
