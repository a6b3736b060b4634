#include "autograd/convolution.h"

#include <utility>

#include "autograd/reduction.h"
#include "tests/cases/case.h"

namespace counterfoil::cases {

namespace {

struct Convolution {
  const char* name;
  Shape x, weight;
  Conv2dGeometry geometry;
};

Conv2dGeometry uneven() {
  return {.stride_h = 2,
          .stride_w = 3,
          .pad_top = 0,
          .pad_bottom = 2,
          .pad_left = 1,
          .pad_right = 0,
          .dilation_h = 1,
          .dilation_w = 2};
}

const std::vector<Convolution>& convolutions() {
  static const std::vector<Convolution> list = {
      {"3x3", {2, 5, 7, 3}, {4, 3, 3, 3}, Conv2dGeometry::square(1, 1)},
      {"1x1", {3, 3, 5, 5}, {2, 1, 1, 5}, Conv2dGeometry::square(1, 0)},
      {"1x1_stride2", {1, 5, 4, 3}, {2, 1, 1, 3}, Conv2dGeometry::square(2, 0)},
      {"stem", {1, 7, 6, 1}, {5, 3, 3, 1}, Conv2dGeometry::square(1, 1)},
      {"one_filter", {2, 5, 5, 4}, {1, 3, 3, 4}, Conv2dGeometry::square(1, 1)},
      {"no_padding", {2, 6, 5, 2}, {3, 3, 2, 2}, Conv2dGeometry::square(1, 0)},
      {"whole_image", {2, 4, 3, 2}, {3, 4, 3, 2}, Conv2dGeometry::square(1, 0)},
      {"stride2_even", {2, 6, 8, 2}, {3, 4, 4, 2}, Conv2dGeometry::square(2, 1)},
      {"stride2_rest", {2, 7, 6, 2}, {3, 3, 3, 2}, Conv2dGeometry::square(2, 0)},
      {"stride3_skips", {1, 8, 7, 2}, {2, 2, 2, 2}, Conv2dGeometry::square(3, 0)},
      {"dilated", {1, 7, 8, 2}, {2, 3, 3, 2}, Conv2dGeometry::square(1, 2, 2)},
      {"wide_padding", {1, 3, 3, 1}, {2, 3, 3, 1}, Conv2dGeometry::square(1, 3)},
      {"uneven", {2, 7, 9, 2}, {3, 3, 2, 2}, uneven()},
      {"groups", {2, 5, 4, 6}, {4, 3, 3, 3}, Conv2dGeometry::square(1, 1, 1, 2)},
      {"depthwise", {2, 5, 5, 4}, {4, 3, 3, 1}, Conv2dGeometry::square(2, 1, 1, 4)},
      {"depthwise_multiplied", {1, 5, 5, 3}, {6, 3, 3, 1}, Conv2dGeometry::square(1, 1, 1, 3)},
      {"no_images", {0, 5, 5, 2}, {3, 3, 3, 2}, Conv2dGeometry::square(1, 1)},
  };
  return list;
}

double flops_of(const Convolution& c) {
  const Shape y = conv2d_output_shape(c.x, c.weight, c.geometry);
  return 2.0 * static_cast<double>(y.size()) * static_cast<double>(c.weight.size() / c.weight[0]);
}

void add_small(std::vector<Case>& all) {
  for (const Convolution& c : convolutions()) {
    const Conv2dGeometry geometry = c.geometry;
    const Shape y = conv2d_output_shape(c.x, c.weight, geometry);
    all.push_back({.name = std::string("conv2d/") + c.name,
                   .inputs = {uniform(c.x), uniform(c.weight), uniform({c.weight[0]})},
                   .apply = [geometry](const Variables& v) { return Variables{conv2d(v[0], v[1], v[2], geometry)}; },
                   .differentiable = {0, 1, 2},
                   .second_order = true});
    all.push_back(
        {.name = std::string("conv2d_input_grad/") + c.name,
         .inputs = {uniform(y), uniform(c.weight)},
         .apply = [geometry, shape = c.x](
                      const Variables& v) { return Variables{conv2d_input_grad(v[0], v[1], shape, geometry)}; },
         .differentiable = {0, 1},
         .second_order = true});
    all.push_back(
        {.name = std::string("conv2d_weight_grad/") + c.name,
         .inputs = {uniform(c.x), uniform(y)},
         .apply = [geometry, shape = c.weight](
                      const Variables& v) { return Variables{conv2d_weight_grad(v[0], v[1], shape, geometry)}; },
         .differentiable = {0, 1},
         .second_order = true});
  }
  all.push_back(
      {.name = "conv2d/no_bias",
       .inputs = {uniform({2, 5, 5, 2}), uniform({3, 3, 3, 2})},
       .apply = [](const Variables& v) { return Variables{conv2d(v[0], v[1], {}, Conv2dGeometry::square(1, 1))}; },
       .differentiable = {0, 1},
       .second_order = true});
  for (const auto& [name, activation] : {std::pair{"relu", Activation::relu},
                                         {"leaky_relu", Activation::leaky_relu},
                                         {"tanh", Activation::tanh},
                                         {"sigmoid", Activation::sigmoid}}) {
    const Activation kind = activation;
    all.push_back({.name = std::string("conv2d/epilogue_") + name,
                   .inputs = {uniform({2, 5, 5, 2}), uniform({3, 3, 3, 2}), uniform({3})},
                   .apply =
                       [kind](const Variables& v) {
                         return Variables{conv2d(v[0], v[1], v[2], Conv2dGeometry::square(2, 1), kind, 0.2)};
                       },
                   .differentiable = {0, 1, 2},
                   .second_order = true});
  }
  // Transposed convolutions to every extent that the stride leaves open.
  for (const std::int64_t height : {7, 8}) {
    all.push_back({.name = "conv2d_input_grad/transposed_to_" + std::to_string(height),
                   .inputs = {uniform({2, 4, 3, 3}), uniform({3, 3, 3, 2}), uniform({2})},
                   .apply =
                       [height](const Variables& v) {
                         return Variables{conv_transpose2d(v[0], v[1], v[2], Conv2dGeometry::square(2, 1), height, 6)};
                       },
                   .differentiable = {0, 1, 2},
                   .second_order = true});
  }
  Conv2dGeometry rounded = Conv2dGeometry::square(1, 1);
  rounded.compute = Compute::bf16;
  all.push_back({.name = "conv2d/bf16",
                 .inputs = {uniform({2, 7, 7, 16}), uniform({16, 3, 3, 16})},
                 .apply = [rounded](const Variables& v) { return Variables{conv2d(v[0], v[1], {}, rounded)}; },
                 .differentiable = {},
                 .tolerance = 1e-2});
}

/// The convolutions of the digit networks, batch 64, in each of the three directions.
void add_large(std::vector<Case>& all) {
  const Convolution layers[] = {
      {"stem_large", {64, 28, 28, 1}, {16, 3, 3, 1}, Conv2dGeometry::square(1, 1)},
      {"16_16_large", {64, 28, 28, 16}, {16, 3, 3, 16}, Conv2dGeometry::square(1, 1)},
      {"32_32_large", {64, 14, 14, 32}, {32, 3, 3, 32}, Conv2dGeometry::square(1, 1)},
      {"64_64_large", {64, 7, 7, 64}, {64, 3, 3, 64}, Conv2dGeometry::square(1, 1)},
      {"48_16_large", {64, 28, 28, 48}, {16, 3, 3, 48}, Conv2dGeometry::square(1, 1)},
      {"stride2_large", {64, 28, 28, 32}, {32, 3, 3, 32}, Conv2dGeometry::square(2, 1)},
      {"head_large", {64, 28, 28, 16}, {1, 1, 1, 16}, Conv2dGeometry::square(1, 0)},
  };
  for (const Convolution& c : layers) {
    const Conv2dGeometry geometry = c.geometry;
    const Shape y = conv2d_output_shape(c.x, c.weight, geometry);
    all.push_back({.name = std::string("conv2d/") + c.name,
                   .inputs = {uniform(c.x), uniform(c.weight), uniform({c.weight[0]})},
                   .apply = [geometry](const Variables& v) { return Variables{conv2d(v[0], v[1], v[2], geometry)}; },
                   .flops = flops_of(c),
                   .large = true});
    all.push_back(
        {.name = std::string("conv2d_input_grad/") + c.name,
         .inputs = {uniform(y), uniform(c.weight)},
         .apply = [geometry, shape = c.x](
                      const Variables& v) { return Variables{conv2d_input_grad(v[0], v[1], shape, geometry)}; },
         .flops = flops_of(c),
         .large = true});
    all.push_back(
        {.name = std::string("conv2d_weight_grad/") + c.name,
         .inputs = {uniform(c.x), uniform(y)},
         .apply = [geometry, shape = c.weight](
                      const Variables& v) { return Variables{conv2d_weight_grad(v[0], v[1], shape, geometry)}; },
         .tolerance = 1e-4,  // sums over 64 images of 784 products
         .flops = flops_of(c),
         .large = true});
  }
}

}  // namespace

std::vector<Case> convolution_cases() {
  std::vector<Case> all;
  add_small(all);
  add_large(all);
  return all;
}

}  // namespace counterfoil::cases
