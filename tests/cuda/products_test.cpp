#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "kernels/cuda/cuda_device.h"
#include "tests/cuda/both.h"

// Products and convolutions of sizes that reach every tile, every cut of the depth, and addresses that forbid vectors.

namespace counterfoil::cuda_test {
namespace {

struct Product {
  const char* what;
  std::int64_t rows, depth, columns;
};

// 6e-8 times the square root of the 3000 products of the longest sum.
constexpr double kTolerance = 4e-6;

class CudaProducts : public testing::TestWithParam<Product> {};

TEST_P(CudaProducts, EveryTransposeAgreesWithTheReference) {
  const auto [what, rows, depth, columns] = GetParam();
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      const Floats a = scattered(ta ? Shape{depth, rows} : Shape{rows, depth}, 1);
      const Floats b = scattered(tb ? Shape{columns, depth} : Shape{depth, columns}, 2);
      const Floats bias = scattered({columns}, 3);
      expect_agreement({Shape{rows, columns}}, {a, b, bias}, kTolerance, [&](Backend& backend, const Views& v) {
        backend.matmul(v.out[0], v.in[0], v.in[1], ta, tb, v.in[2], Activation::leaky_relu, 0.2, Compute::f32);
      });
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Tiles, CudaProducts,
                         testing::Values(Product{"v1", 9, 70, 37}, Product{"narrow", 150, 45, 20},
                                         Product{"narrow_vector", 132, 64, 24}, Product{"medium", 100, 37, 70},
                                         Product{"medium_vector", 68, 40, 132}, Product{"cut", 20, 3000, 70},
                                         Product{"large", 1390, 9, 1250}, Product{"large_vector", 1400, 12, 1260}),
                         [](const auto& one) { return std::string(one.param.what); });

TEST(CudaProduct, SmoothEpilogueAfterACutBatch) {
  const Floats a = scattered({2, 20, 2100}, 1), b = scattered({2, 2100, 40}, 2), bias = scattered({40}, 3);
  expect_agreement({Shape{2, 20, 40}}, {a, b, bias}, 1e-5, [](Backend& backend, const Views& v) {
    backend.matmul(v.out[0], v.in[0], v.in[1], false, false, v.in[2], Activation::sigmoid, 0, Compute::f32);
  });
}

TEST(CudaProduct, ArraysThatAreNotAligned) {
  const Floats a = scattered({100 * 64 + 1}, 1), b = scattered({64 * 80 + 3}, 2);
  expect_agreement({Shape{100 * 80 + 1}}, {a, b}, kTolerance, [](Backend& backend, const Views& v) {
    const auto at = [](const ConstView& view, std::int64_t first, const Shape& shape) {
      const std::size_t bytes = static_cast<std::size_t>(first) * size_of(view.dtype);
      return ConstView{static_cast<const std::byte*>(view.data) + bytes, shape, view.dtype};
    };
    backend.fill(v.out[0], 0);
    const ConstView out = at(v.out[0], 1, {100, 80});
    backend.matmul({const_cast<void*>(out.data), out.shape, out.dtype}, at(v.in[0], 1, {100, 64}),
                   at(v.in[1], 3, {64, 80}), false, false, {}, Activation::identity, 0, Compute::f32);
  });
}

// The reference in f32 rounds the operands too, so what is left is the rounding of sums.
TEST(CudaProduct, TensorCoresMultiplyWhatTheReferenceRounds) {
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      const Floats a = scattered(ta ? Shape{70, 150} : Shape{150, 70}, 1);
      const Floats b = scattered(tb ? Shape{90, 70} : Shape{70, 90}, 2);
      expect_agreement(
          {Shape{150, 90}}, {a, b}, kTolerance,
          [&](Backend& backend, const Views& v) {
            backend.matmul(v.out[0], v.in[0], v.in[1], ta, tb, {}, Activation::relu, 0, Compute::bf16);
          },
          DType::f32);
    }
  }
}

struct Convolution {
  const char* what;
  Shape x, weight;
  Conv2dGeometry geometry;
};

Conv2dGeometry rounded(Conv2dGeometry geometry) {
  geometry.compute = Compute::bf16;
  return geometry;
}

class CudaConvolutions : public testing::TestWithParam<Convolution> {};

TEST_P(CudaConvolutions, AllThreeAgreeWithTheReference) {
  const Convolution& c = GetParam();
  const Shape y = conv2d_output_shape(c.x, c.weight, c.geometry);
  const Floats x = scattered(c.x, 1), weight = scattered(c.weight, 2), d_y = scattered(y, 3);
  const Floats bias = scattered({c.weight[0]}, 4);
  const DType dtype = c.geometry.compute == Compute::bf16 ? DType::f32 : DType::f64;
  const auto run = [&](const Shape& out, const std::vector<Floats>& in, const Call& call) {
    expect_agreement({out}, in, kTolerance, call, dtype);
  };
  run(y, {x, weight, bias}, [&](Backend& backend, const Views& v) {
    backend.conv2d(v.out[0], v.in[0], v.in[1], v.in[2], c.geometry, Activation::leaky_relu, 0.1);
  });
  run(c.x, {d_y, weight},
      [&](Backend& backend, const Views& v) { backend.conv2d_input_grad(v.out[0], v.in[0], v.in[1], c.geometry); });
  run(c.weight, {x, d_y},
      [&](Backend& backend, const Views& v) { backend.conv2d_weight_grad(v.out[0], v.in[0], v.in[1], c.geometry); });
}

INSTANTIATE_TEST_SUITE_P(
    Tiles, CudaConvolutions,
    testing::Values(Convolution{"slim", {3, 13, 11, 12}, {16, 3, 3, 12}, Conv2dGeometry::square(1, 1)},
                    Convolution{"narrow", {2, 12, 13, 20}, {24, 3, 3, 20}, Conv2dGeometry::square(2, 1)},
                    Convolution{"medium", {2, 9, 10, 40}, {68, 3, 3, 40}, Conv2dGeometry::square(1, 1)},
                    Convolution{"medium_odd", {2, 9, 10, 35}, {51, 2, 3, 35}, Conv2dGeometry::square(1, 1, 2)},
                    Convolution{"large_forward", {1, 118, 118, 4}, {72, 3, 3, 4}, Conv2dGeometry::square(1, 1)},
                    Convolution{"large_input_grad", {1, 118, 118, 72}, {4, 3, 3, 72}, Conv2dGeometry::square(1, 1)},
                    Convolution{"large_weight_grad", {5, 16, 15, 12}, {72, 3, 3, 12}, Conv2dGeometry::square(1, 1)},
                    Convolution{"stride3_dilated", {2, 17, 19, 8}, {12, 3, 4, 8}, Conv2dGeometry::square(3, 3, 2)},
                    Convolution{"groups", {2, 11, 9, 24}, {36, 3, 3, 8}, Conv2dGeometry::square(2, 1, 1, 3)},
                    Convolution{"depthwise", {5, 23, 21, 40}, {80, 3, 3, 1}, Conv2dGeometry::square(2, 1, 1, 40)},
                    Convolution{
                        "depthwise_bf16", {2, 9, 8, 6}, {6, 3, 3, 1}, rounded(Conv2dGeometry::square(1, 1, 1, 6))},
                    Convolution{"bf16", {2, 13, 12, 20}, {70, 3, 3, 20}, rounded(Conv2dGeometry::square(1, 1))},
                    Convolution{"bf16_stride2", {2, 13, 12, 9}, {10, 3, 3, 9}, rounded(Conv2dGeometry::square(2, 1))},
                    Convolution{"cut_stem", {8, 28, 28, 1}, {16, 3, 3, 1}, Conv2dGeometry::square(1, 1)}),
    [](const auto& one) { return std::string(one.param.what); });

}  // namespace
}  // namespace counterfoil::cuda_test
