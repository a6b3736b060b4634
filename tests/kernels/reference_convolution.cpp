#include "tests/kernels/reference.h"

namespace counterfoil::test {
namespace {

const ConstView kNoBias;

TEST(ReferenceMatmul, MultipliesInEveryOrientation) {
  const Doubles a({2, 3}, {1, 2, 3, 4, 5, 6}), a_turned({3, 2}, {1, 4, 2, 5, 3, 6});
  const Doubles b({3, 2}, {1, 0, 2, -1, 0, 3}), b_turned({2, 3}, {1, 2, 0, 0, -1, 3});
  const std::vector<double> product = {5, 7, 14, 13};
  Doubles y({2, 2});
  for (const bool turn_a : {false, true}) {
    for (const bool turn_b : {false, true}) {
      reference().matmul(y, turn_a ? a_turned : a, turn_b ? b_turned : b, turn_a, turn_b, kNoBias, Activation::identity,
                         0, Compute::f32);
      EXPECT_EQ(y.data, product) << turn_a << turn_b;
    }
  }
  reference().matmul(y, a, b, false, false, Doubles({2}, {-6, 1}), Activation::leaky_relu, 0.5, Compute::f32);
  EXPECT_EQ(y.data, (std::vector<double>{-0.5, 8, 8, 14}));
}

TEST(ReferenceMatmul, MultipliesBatchesOneByOne) {
  const Doubles a = scattered({3, 2, 4}, 1), b = scattered({3, 5, 4}, 2);
  Doubles y({3, 2, 5});
  reference().matmul(y, a, b, false, true, kNoBias, Activation::identity, 0, Compute::f32);
  for (std::int64_t n = 0; n < 3; ++n) {
    for (std::int64_t i = 0; i < 2; ++i) {
      for (std::int64_t j = 0; j < 5; ++j) {
        double sum = 0;
        for (std::int64_t k = 0; k < 4; ++k) sum += a[(n * 2 + i) * 4 + k] * b[(n * 5 + j) * 4 + k];
        EXPECT_NEAR(y[(n * 2 + i) * 5 + j], sum, 1e-14);
      }
    }
  }
}

TEST(ReferenceMatmul, EmptyInnerExtentGivesTheBias) {
  Doubles y({2, 2});
  reference().matmul(y, Doubles({2, 0}), Doubles({0, 2}), false, false, Doubles({2}, {3, 4}), Activation::identity, 0,
                     Compute::f32);
  EXPECT_EQ(y.data, (std::vector<double>{3, 4, 3, 4}));
}

TEST(ReferenceMatmul, Bf16RoundsTheOperandsOfF32Alone) {
  const float fine = 1.0F + 0x1p-9F;  // rounds to 1 in bf16
  Array<float> y({1, 1});
  reference().matmul(y, Array<float>({1, 1}, {fine}), Array<float>({1, 1}, {3}), false, false, kNoBias,
                     Activation::identity, 0, Compute::bf16);
  EXPECT_EQ(y[0], 3.0F);
  Doubles wide({1, 1});
  reference().matmul(wide, Doubles({1, 1}, {fine}), Doubles({1, 1}, {3}), false, false, kNoBias, Activation::identity,
                     0, Compute::bf16);
  EXPECT_EQ(wide[0], 3.0 * fine);
}

struct Case {
  Shape x, weight;
  Conv2dGeometry geometry;
};

std::vector<Case> convolutions() {
  return {
      {{2, 5, 6, 3}, {4, 3, 3, 3}, Conv2dGeometry::square(1, 1)},
      {{1, 7, 7, 1}, {2, 5, 5, 1}, Conv2dGeometry::square(1, 0)},
      {{2, 7, 6, 2}, {3, 4, 4, 2}, Conv2dGeometry::square(2, 1)},
      {{1, 9, 8, 4}, {6, 3, 2, 2}, Conv2dGeometry::square(1, 2, 2, 2)},
      {{2, 6, 5, 3}, {6, 3, 3, 1}, Conv2dGeometry::square(2, 1, 1, 3)},
      {{1, 6, 9, 2},
       {3, 2, 3, 2},
       {.stride_h = 3, .stride_w = 2, .pad_top = 0, .pad_bottom = 2, .pad_left = 2, .pad_right = 1, .dilation_w = 3}},
      {{1, 1, 1, 1}, {1, 1, 1, 1}, {}},
  };
}

Shape output_shape(const Case& c) {
  return conv2d_output_shape(c.x, c.weight, c.geometry);
}

/// The definition, one output element at a time.
double element(const Case& c, const Doubles& x, const Doubles& weight, std::int64_t n, std::int64_t p, std::int64_t q,
               std::int64_t k) {
  const Conv2dGeometry& g = c.geometry;
  const std::int64_t per_group = c.weight[3], group = k / (c.weight[0] / g.groups);
  double sum = 0;
  for (std::int64_t ch = 0; ch < per_group; ++ch) {
    for (std::int64_t r = 0; r < c.weight[1]; ++r) {
      for (std::int64_t s = 0; s < c.weight[2]; ++s) {
        const std::int64_t h = p * g.stride_h + r * g.dilation_h - g.pad_top;
        const std::int64_t w = q * g.stride_w + s * g.dilation_w - g.pad_left;
        if (h < 0 || w < 0 || h >= c.x[1] || w >= c.x[2]) continue;
        sum += x[((n * c.x[1] + h) * c.x[2] + w) * c.x[3] + group * per_group + ch] *
               weight[((k * c.weight[1] + r) * c.weight[2] + s) * per_group + ch];
      }
    }
  }
  return sum;
}

TEST(ReferenceConv2d, IsItsDefinition) {
  for (const Case& c : convolutions()) {
    const Shape shape = output_shape(c);
    const Doubles x = scattered(c.x, 1), weight = scattered(c.weight, 2), bias = scattered({c.weight[0]}, 3);
    Doubles expected(shape), y(shape), activated(shape);
    std::int64_t i = 0;
    for (std::int64_t n = 0; n < shape[0]; ++n) {
      for (std::int64_t p = 0; p < shape[1]; ++p) {
        for (std::int64_t q = 0; q < shape[2]; ++q) {
          for (std::int64_t k = 0; k < shape[3]; ++k) expected[i++] = element(c, x, weight, n, p, q, k);
        }
      }
    }
    reference().conv2d(y, x, weight, kNoBias, c.geometry, Activation::identity, 0);
    expect_near(y, expected, 1e-13);
    reference().conv2d(activated, x, weight, bias, c.geometry, Activation::tanh, 0);
    for (std::int64_t j = 0; j < y.size(); ++j) {
      EXPECT_NEAR(activated[j], std::tanh(expected[j] + bias[j % shape[3]]), 1e-13);
    }
  }
}

TEST(ReferenceConv2d, GradientsAreItsAdjoints) {
  for (const Case& c : convolutions()) {
    const Shape shape = output_shape(c);
    const Doubles x = scattered(c.x, 4), weight = scattered(c.weight, 5);
    SCOPED_TRACE(c.x.to_string() + c.weight.to_string());
    expect_adjoint(
        c.x, shape,
        [&](View y, ConstView at) { reference().conv2d(y, at, weight, kNoBias, c.geometry, Activation::identity, 0); },
        [&](View d_x, ConstView d_y) { reference().conv2d_input_grad(d_x, d_y, weight, c.geometry); });
    expect_adjoint(
        c.weight, shape,
        [&](View y, ConstView at) { reference().conv2d(y, x, at, kNoBias, c.geometry, Activation::identity, 0); },
        [&](View d_weight, ConstView d_y) { reference().conv2d_weight_grad(d_weight, x, d_y, c.geometry); });
  }
}

TEST(ReferenceConv2d, InputGradIsATransposedConvolutionOfEveryLegalExtent) {
  // Stride 2, kernel 3: extents 5 and 6 both convolve to 2.
  const Conv2dGeometry geometry = Conv2dGeometry::square(2, 0);
  const Doubles weight({1, 3, 1, 1}, {1, 10, 100}), d_y({1, 2, 1, 1}, {1, 2});
  Doubles five({1, 5, 1, 1}), six({1, 6, 1, 1});
  reference().conv2d_input_grad(five, d_y, weight, geometry);
  EXPECT_EQ(five.data, (std::vector<double>{1, 10, 102, 20, 200}));
  reference().conv2d_input_grad(six, d_y, weight, geometry);
  EXPECT_EQ(six.data, (std::vector<double>{1, 10, 102, 20, 200, 0}));
}

}  // namespace
}  // namespace counterfoil::test
