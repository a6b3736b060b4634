#include <cmath>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kernels/backend.h"
#include "kernels/device.h"
#include "kernels/error.h"
#include "tests/kernels/arrays.h"

namespace counterfoil::test {
namespace {

struct Case {
  std::int64_t n, h, w, c, k, r, s;
  Conv2dGeometry geometry;

  Shape x() const { return {n, h, w, c}; }
  Shape weight() const { return {k, r, s, c / geometry.groups}; }
  Shape y() const { return {n, geometry.output_height(h, r), geometry.output_width(w, s), k}; }
  std::string name() const {
    const Conv2dGeometry& g = geometry;
    return fmt::format("x {} weight {} stride {},{} pad {},{},{},{} dilation {},{} groups {}", x().to_string(),
                       weight().to_string(), g.stride_h, g.stride_w, g.pad_top, g.pad_bottom, g.pad_left, g.pad_right,
                       g.dilation_h, g.dilation_w, g.groups);
  }
};

// Calls visit(y index, x index, weight index) for every product of the convolution.
template <typename Visit>
void for_products(const Case& at, Visit&& visit) {
  const Conv2dGeometry& g = at.geometry;
  const std::int64_t p = at.y()[1], q = at.y()[2], group_c = at.c / g.groups, group_k = at.k / g.groups;
  for (std::int64_t n = 0; n < at.n; ++n)
    for (std::int64_t i = 0; i < p; ++i)
      for (std::int64_t j = 0; j < q; ++j)
        for (std::int64_t r = 0; r < at.r; ++r)
          for (std::int64_t s = 0; s < at.s; ++s) {
            const std::int64_t row = i * g.stride_h - g.pad_top + r * g.dilation_h;
            const std::int64_t column = j * g.stride_w - g.pad_left + s * g.dilation_w;
            if (row < 0 || row >= at.h || column < 0 || column >= at.w) continue;
            for (std::int64_t k = 0; k < at.k; ++k)
              for (std::int64_t c = 0; c < group_c; ++c)
                visit(((n * p + i) * q + j) * at.k + k,
                      ((n * at.h + row) * at.w + column) * at.c + k / group_k * group_c + c,
                      ((k * at.r + r) * at.s + s) * group_c + c);
          }
}

std::vector<Case> cases() {
  const auto square = [](int stride, int padding, int dilation = 1, int groups = 1) {
    return Conv2dGeometry::square(stride, padding, dilation, groups);
  };
  std::vector<Case> list;
  // The layers of the digits networks.
  for (const auto& [size, c, k, stride] : std::vector<std::array<std::int64_t, 4>>{{28, 1, 16, 1},
                                                                                   {28, 16, 16, 1},
                                                                                   {14, 32, 64, 1},
                                                                                   {7, 64, 64, 1},
                                                                                   {14, 64, 16, 1},
                                                                                   {28, 32, 32, 2},
                                                                                   {7, 96, 96, 2},
                                                                                   {7, 64, 96, 1}})
    list.push_back({5, size, size, c, k, 3, 3, square(static_cast<int>(stride), 1)});
  list.push_back({6, 28, 28, 32, 1, 1, 1, {}});
  list.push_back({3, 28, 28, 1, 32, 3, 3, {}});
  // 3x3 with stride 1 in other sizes than those of whole tiles, vectors and blocks; many channels for few pixels.
  list.push_back({3, 9, 10, 80, 100, 3, 3, square(1, 1)});
  list.push_back({33, 8, 8, 20, 33, 3, 3, square(1, 1)});
  list.push_back({2, 4, 4, 130, 260, 3, 3, square(1, 1)});
  list.push_back({2, 13, 12, 16, 24, 3, 3, {}});
  list.push_back({1, 8, 7, 16, 16, 3, 3, square(1, 3)});
  list.push_back({2, 12, 9, 24, 16, 3, 3, {.pad_top = 2, .pad_left = 0, .pad_right = 1}});
  // 4x4 with stride 2 likewise.
  list.push_back({3, 14, 15, 40, 70, 4, 4, square(2, 1)});
  list.push_back({33, 16, 16, 20, 17, 4, 4, square(2, 1)});
  list.push_back({2, 8, 8, 70, 260, 4, 4, square(2, 1)});
  list.push_back({1, 9, 11, 16, 16, 4, 4, square(2, 0)});
  list.push_back({2, 12, 9, 24, 16, 4, 4, {.stride_h = 2, .stride_w = 2, .pad_top = 2, .pad_right = 3}});
  // One image, one channel, one pixel, odd sizes.
  list.push_back({1, 64, 48, 8, 24, 3, 3, square(1, 1)});
  list.push_back({1, 61, 37, 16, 16, 5, 3, square(2, 2)});
  list.push_back({1, 1, 1, 1, 1, 1, 1, {}});
  list.push_back({2, 1, 1, 17, 33, 3, 3, square(1, 1)});
  list.push_back({3, 11, 13, 5, 7, 3, 3, square(1, 1)});
  list.push_back({19, 5, 5, 20, 10, 3, 3, square(1, 1)});
  list.push_back({2, 9, 9, 3, 64, 7, 7, square(1, 3)});
  list.push_back({2, 9, 10, 64, 3, 7, 7, square(1, 3)});
  list.push_back({3, 12, 12, 1, 1, 3, 3, square(1, 1)});
  list.push_back({3, 12, 12, 2, 3, 3, 3, square(2, 1)});
  // 4x4 stride 2 of the GAN discriminators and generators, few channels on either side.
  list.push_back({4, 16, 16, 3, 32, 4, 4, square(2, 1)});
  list.push_back({4, 16, 16, 32, 4, 4, 4, square(2, 1)});
  list.push_back({2, 8, 8, 48, 32, 4, 4, square(2, 1)});
  list.push_back({3, 28, 28, 1, 10, 5, 5, {}});
  list.push_back({3, 6, 6, 4, 20, 6, 6, square(2, 2)});
  // Strides that do not divide, strides past the kernel, asymmetric padding, dilation.
  list.push_back({2, 10, 8, 6, 9, 3, 2, {.stride_h = 3, .stride_w = 2, .pad_top = 1, .pad_right = 1}});
  list.push_back({2, 10, 11, 1, 8, 2, 2, {.stride_h = 3, .stride_w = 4}});
  list.push_back({2, 11, 10, 8, 2, 1, 1, {.stride_h = 2, .stride_w = 3}});
  list.push_back({1, 33, 9, 4, 8, 3, 3, {.stride_h = 2, .pad_top = 2, .pad_bottom = 1, .pad_left = 0, .pad_right = 2}});
  list.push_back({2, 12, 12, 16, 16, 3, 3, square(1, 2, 2)});
  list.push_back({2, 13, 12, 2, 5, 3, 3, square(2, 3, 3)});
  list.push_back({2, 13, 12, 5, 1, 3, 3, square(2, 3, 3)});
  list.push_back({1, 40, 40, 24, 8, 3, 3, square(1, 2, 2)});
  // Padding past the kernel.
  list.push_back({2, 4, 4, 8, 8, 2, 2, square(1, 3)});
  list.push_back({2, 4, 4, 1, 8, 1, 1, square(1, 2)});
  // Groups and depthwise.
  list.push_back({2, 9, 9, 8, 12, 3, 3, square(1, 1, 1, 4)});
  list.push_back({2, 9, 9, 32, 64, 3, 3, square(2, 1, 1, 2)});
  list.push_back({3, 14, 14, 32, 32, 3, 3, square(1, 1, 1, 32)});
  list.push_back({3, 15, 14, 19, 19, 3, 3, square(2, 1, 1, 19)});
  list.push_back({2, 10, 10, 6, 12, 5, 5, square(1, 2, 1, 6)});
  return list;
}

Backend& cpu() {
  return cpu_device().backend();
}

// The rounding of a sum of `products` products of values below 1, in any order of addition: each partial sum is about
// sqrt(products) / 3 and is rounded by 2^-24 of that, `products` times.
double rounding(std::int64_t products) {
  return 1e-6 + 3e-8 * static_cast<double>(products);
}

// Winograd's form of a convolution rounds what its transforms make of the operands, values up to several times as
// large.
double rounding(const Case& at, std::int64_t products) {
  const Conv2dGeometry& g = at.geometry;
  const bool transformed = at.r == at.s && at.r == g.stride_h + 2 && g.stride_h == g.stride_w && g.stride_h <= 2 &&
                           g.groups == 1 && at.c >= 16 && at.k >= 16;
  return (transformed ? 3 : 1) * rounding(products);
}

TEST(CpuConvolution, ForwardIsTheSumOfProducts) {
  for (const Case& at : cases()) {
    const Floats x = noise(at.x(), 1), weight = noise(at.weight(), 2), bias = noise({at.k}, 3);
    Doubles expected(at.y());
    for (std::int64_t i = 0; i < expected.size(); ++i) expected[i] = static_cast<double>(bias[i % at.k]);
    for_products(at, [&](std::int64_t y, std::int64_t in, std::int64_t w) {
      expected[y] += static_cast<double>(x[in]) * static_cast<double>(weight[w]);
    });
    const Floats y = compute_stably(
        at.y(),
        [&](View out) {
          cpu().conv2d(out, x.view(), weight.view(), bias.view(), at.geometry, Activation::identity, 0);
        },
        at.name());
    expect_close(y, expected, rounding(at, at.weight().size() / at.k), at.name());
  }
}

TEST(CpuConvolution, InputGradientIsTheAdjoint) {
  for (const Case& at : cases()) {
    const Floats d_y = noise(at.y(), 4), weight = noise(at.weight(), 5);
    Doubles expected(at.x());
    for_products(at, [&](std::int64_t y, std::int64_t in, std::int64_t w) {
      expected[in] += static_cast<double>(d_y[y]) * static_cast<double>(weight[w]);
    });
    const Floats d_x = compute_stably(
        at.x(), [&](View out) { cpu().conv2d_input_grad(out, d_y.view(), weight.view(), at.geometry); }, at.name());
    expect_close(d_x, expected, rounding(at, at.r * at.s * at.k / at.geometry.groups), at.name());
  }
}

TEST(CpuConvolution, WeightGradientSumsOverTheBatch) {
  for (const Case& at : cases()) {
    const Floats x = noise(at.x(), 6), d_y = noise(at.y(), 7);
    Doubles expected(at.weight());
    for_products(at, [&](std::int64_t y, std::int64_t in, std::int64_t w) {
      expected[w] += static_cast<double>(d_y[y]) * static_cast<double>(x[in]);
    });
    const Floats d_weight = compute_stably(
        at.weight(), [&](View out) { cpu().conv2d_weight_grad(out, x.view(), d_y.view(), at.geometry); }, at.name());
    expect_close(d_weight, expected, rounding(at, at.y().size() / at.k), at.name());
  }
}

TEST(CpuConvolution, EveryOutputExtentOfATransposedConvolution) {
  for (const std::int64_t channels : {1, 16}) {
    for (std::int64_t extra = 0; extra < 3; ++extra) {
      const Case at{.n = 2,
                    .h = 13 + extra,
                    .w = 15 - extra,
                    .c = channels,
                    .k = 8,
                    .r = 3,
                    .s = 3,
                    .geometry = Conv2dGeometry::square(3, 1)};
      const Floats d_y = noise(at.y(), 4), weight = noise(at.weight(), 5);
      Doubles expected(at.x());
      for_products(at, [&](std::int64_t y, std::int64_t in, std::int64_t w) {
        expected[in] += static_cast<double>(d_y[y]) * static_cast<double>(weight[w]);
      });
      Floats d_x(at.x(), 9.0F);
      cpu().conv2d_input_grad(d_x.view(), d_y.view(), weight.view(), at.geometry);
      expect_close(d_x, expected, rounding(1000), at.name());
    }
  }
}

TEST(CpuConvolution, EpilogueAddsBiasThenActivates) {
  for (const Case& at : {Case{3, 8, 8, 16, 32, 3, 3, Conv2dGeometry::square(1, 1)},
                         Case{3, 8, 8, 1, 20, 3, 3, Conv2dGeometry::square(1, 1)},
                         Case{3, 8, 8, 24, 2, 3, 3, Conv2dGeometry::square(1, 1)}}) {
    const Floats x = noise(at.x(), 1), weight = noise(at.weight(), 2), bias = noise({at.k}, 3), none({0});
    for (const bool has_bias : {true, false}) {
      Doubles sum(at.y());
      for (std::int64_t i = 0; i < sum.size(); ++i) sum[i] = has_bias ? static_cast<double>(bias[i % at.k]) : 0;
      for_products(at, [&](std::int64_t y, std::int64_t in, std::int64_t w) {
        sum[y] += static_cast<double>(x[in]) * static_cast<double>(weight[w]);
      });
      for (const Activation activation :
           {Activation::identity, Activation::relu, Activation::leaky_relu, Activation::tanh, Activation::sigmoid}) {
        Doubles expected = sum;
        for (double& v : expected.data) {
          if (activation == Activation::relu) v = std::max(v, 0.0);
          if (activation == Activation::leaky_relu) v = v > 0 ? v : 0.3 * v;
          if (activation == Activation::tanh) v = std::tanh(v);
          if (activation == Activation::sigmoid) v = 1 / (1 + std::exp(-v));
        }
        Floats y(at.y());
        cpu().conv2d(y.view(), x.view(), weight.view(), has_bias ? bias.view() : ConstView{}, at.geometry, activation,
                     0.3);
        expect_close(y, expected, rounding(1000),
                     at.name() + " activation " + std::to_string(static_cast<int>(activation)));
      }
    }
  }
}

double rounded(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, 4);
  bits = (bits + 0x7fffU + ((bits >> 16U) & 1U)) & 0xffff0000U;
  std::memcpy(&value, &bits, 4);
  return static_cast<double>(value);
}

TEST(CpuConvolution, Bf16RoundsTheOperandsAndNothingElse) {
  for (Case at : {Case{5, 9, 9, 32, 48, 3, 3, Conv2dGeometry::square(1, 1)},
                  Case{5, 9, 9, 1, 16, 3, 3, Conv2dGeometry::square(2, 1)},
                  Case{5, 9, 9, 32, 1, 3, 3, Conv2dGeometry::square(1, 1)},
                  Case{1, 30, 30, 64, 64, 3, 3, Conv2dGeometry::square(1, 1)}}) {
    at.geometry.compute = Compute::bf16;
    const Floats x = noise(at.x(), 1), weight = noise(at.weight(), 2), d_y = noise(at.y(), 3);
    Doubles y(at.y()), d_x(at.x()), d_weight(at.weight());
    for_products(at, [&](std::int64_t out, std::int64_t in, std::int64_t w) {
      y[out] += rounded(x[in]) * rounded(weight[w]);
      d_x[in] += rounded(d_y[out]) * rounded(weight[w]);
      d_weight[w] += rounded(d_y[out]) * rounded(x[in]);
    });
    const auto g = at.geometry;
    const auto forward = [&](View out) { cpu().conv2d(out, x.view(), weight.view(), {}, g, Activation::identity, 0); };
    expect_close(compute_stably(at.y(), forward, "forward"), y, rounding(1000), at.name());
    const auto input_grad = [&](View out) { cpu().conv2d_input_grad(out, d_y.view(), weight.view(), g); };
    expect_close(compute_stably(at.x(), input_grad, "input"), d_x, rounding(1000), at.name());
    const auto weight_grad = [&](View out) { cpu().conv2d_weight_grad(out, x.view(), d_y.view(), g); };
    expect_close(compute_stably(at.weight(), weight_grad, "weight"), d_weight, rounding(1000), at.name());
  }
}

TEST(CpuConvolution, EmptyBatch) {
  for (const std::int64_t channels : {1, 16}) {
    const Case at{0, 8, 8, channels, 16, 3, 3, Conv2dGeometry::square(1, 1)};
    Floats x(at.x()), y(at.y()), weight = noise(at.weight(), 1), d_weight(at.weight(), 5.0F), bias({16});
    cpu().conv2d(y.view(), x.view(), weight.view(), bias.view(), at.geometry, Activation::relu, 0);
    cpu().conv2d_input_grad(x.view(), y.view(), weight.view(), at.geometry);
    cpu().conv2d_weight_grad(d_weight.view(), x.view(), y.view(), at.geometry);
    for (const float value : d_weight.data) EXPECT_EQ(value, 0.0F);
  }
}

TEST(CpuConvolution, ShapesThatDisagreeAreNamed) {
  Floats x({2, 8, 8, 3}), y({2, 8, 8, 4}), weight({4, 3, 3, 2});
  try {
    cpu().conv2d(y.view(), x.view(), weight.view(), {}, Conv2dGeometry::square(1, 1), Activation::identity, 0);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("conv2d"), std::string::npos) << error.what();
  }
}

TEST(CpuConvolution, NothingIsAllocatedInTheSteadyState) {
  const Case at{8, 14, 14, 32, 32, 3, 3, Conv2dGeometry::square(1, 1)};
  const Floats x = noise(at.x(), 1), weight = noise(at.weight(), 2), d_y = noise(at.y(), 3);
  Floats y(at.y()), d_x(at.x()), d_weight(at.weight());
  const auto step = [&] {
    cpu().conv2d(y.view(), x.view(), weight.view(), {}, at.geometry, Activation::relu, 0);
    cpu().conv2d_input_grad(d_x.view(), d_y.view(), weight.view(), at.geometry);
    cpu().conv2d_weight_grad(d_weight.view(), x.view(), d_y.view(), at.geometry);
  };
  step();
  const std::size_t before = cpu_device().memory_use().system_calls;
  for (int i = 0; i < 3; ++i) step();
  EXPECT_EQ(cpu_device().memory_use().system_calls, before);
}

}  // namespace
}  // namespace counterfoil::test
