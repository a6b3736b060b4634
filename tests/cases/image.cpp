#include "autograd/image.h"

#include <utility>

#include "tensor/ops.h"
#include "tests/cases/case.h"

namespace counterfoil::cases {

namespace {

Variable blurred(const Variable& x, double sigma, Border border) {
  return gaussian_blur(x, gaussian_taps(sigma, x.dtype(), x.device()), border);
}

void add_filters(std::vector<Case>& all) {
  for (const auto& [name, border] : {std::pair{"zero", Border::zero}, {"replicate", Border::replicate}}) {
    const Border kind = border;
    const std::string suffix = std::string("_") + name;
    const std::tuple<const char*, Shape, std::int64_t, std::int64_t> sizes[] = {
        {"odd", {2, 5, 7, 3}, 3, 5},
        {"wider_than_image", {1, 3, 2, 1}, 7, 5},
        {"one_tap", {2, 3, 3, 1}, 1, 1},
        {"no_images", {0, 4, 4, 1}, 3, 3}};
    for (const auto& [what, shape, rows, columns] : sizes) {
      all.push_back({.name = std::string("separable_filter/") + what + suffix,
                     .inputs = {uniform(shape), uniform({rows}), uniform({columns})},
                     .apply =
                         [kind](const Variables& v) {
                           return Variables{separable_filter(v[0], v[1].value(), v[2].value(), kind)};
                         },
                     .differentiable = {0},
                     .second_order = true});
      all.push_back({.name = std::string("separable_filter_backward/") + what + suffix,
                     .inputs = {uniform(shape), uniform({rows}), uniform({columns})},
                     .apply =
                         [kind](const Variables& v) {
                           return Variables{separable_filter_backward(v[0], v[1].value(), v[2].value(), kind)};
                         },
                     .differentiable = {0},
                     .second_order = true});
    }
    all.push_back({.name = "separable_filter/gaussian" + suffix,
                   .inputs = {uniform({2, 5, 6, 1})},
                   .apply = [kind](const Variables& v) { return Variables{blurred(v[0], 0.8, kind)}; },
                   .differentiable = {0},
                   .second_order = true});
  }
  all.push_back({.name = "separable_filter/large",
                 .inputs = {uniform({16, 64, 64, 3})},
                 .apply = [](const Variables& v) { return Variables{blurred(v[0], 3, Border::replicate)}; },
                 .large = true});
}

void add_warps(std::vector<Case>& all) {
  // Identity; half a pixel and more; rotation with zoom; a mirror; far outside.
  const std::vector<double> thetas = {1,   0,    0,   0,  1, 0,    1, 0, 0.3, 0, 1, -0.2, 0.8, -0.5, 0.1,
                                      0.6, 0.75, 0.2, -1, 0, 0.05, 0, 1, 0.1, 1, 0, 5,    0,   1,    5};
  const Input theta = given(thetas, {5, 2, 3});
  for (const auto& [name, shape, height, width] :
       {std::tuple<const char*, Shape, std::int64_t, std::int64_t>{"same_size", {5, 5, 7, 2}, 5, 7},
        {"other_size", {5, 6, 4, 1}, 3, 8},
        {"pixel", {5, 1, 1, 1}, 2, 3}}) {
    all.push_back({.name = std::string("affine_warp/") + name,
                   .inputs = {uniform(shape), theta},
                   .apply = [h = height, w = width](
                                const Variables& v) { return Variables{affine_warp(v[0], v[1].value(), h, w)}; },
                   .differentiable = {0},
                   .second_order = true});
    all.push_back(
        {.name = std::string("affine_warp_backward/") + name,
         .inputs = {uniform(shape.with(1, height).with(2, width)), theta},
         .apply = [x = shape](const Variables& v) { return Variables{affine_warp_backward(v[0], v[1].value(), x)}; },
         .differentiable = {0},
         .second_order = true});
  }
  all.push_back({.name = "affine_warp/large",
                 .inputs = {uniform({64, 28, 28, 1}), uniform({64, 2, 3})},
                 .apply = [](const Variables& v) { return Variables{affine_warp(v[0], v[1].value(), 28, 28)}; },
                 .tolerance = 1e-3,  // a sampling point's error in f32 times the local contrast of noise
                 .large = true});
}

void add_distances_and_regions(std::vector<Case>& all) {
  const auto distances = [](const Variables& v) { return Variables{pairwise_distance(v[0].value(), v[1].value())}; };
  const auto nearest = [](const Variables& v) {
    auto [distance, index] = nearest_row(v[0].value(), v[1].value());
    return Variables{distance, index};
  };
  all.push_back({.name = "pairwise_distance/odd", .inputs = {uniform({5, 7}), uniform({3, 7})}, .apply = distances});
  all.push_back({.name = "pairwise_distance/far_from_zero",
                 .inputs = {uniform({4, 9}, 1000, 1001), uniform({6, 9}, 1000, 1001)},
                 .apply = distances,
                 .tolerance = 1e-4});
  all.push_back(
      {.name = "pairwise_distance/no_rows", .inputs = {uniform({0, 3}), uniform({2, 3})}, .apply = distances});
  all.push_back({.name = "pairwise_distance/large",
                 .inputs = {uniform({256, 784}), uniform({256, 784})},
                 .apply = distances,
                 .flops = 3.0 * 256 * 256 * 784,
                 .large = true});
  all.push_back({.name = "nearest_row/odd", .inputs = {uniform({9, 5}), uniform({13, 5})}, .apply = nearest});
  all.push_back({.name = "nearest_row/ties", .inputs = {mask({9, 2}), mask({13, 2})}, .apply = nearest});
  all.push_back({.name = "nearest_row/one", .inputs = {uniform({3, 4}), uniform({1, 4})}, .apply = nearest});
  all.push_back({.name = "nearest_row/no_queries", .inputs = {uniform({0, 4}), uniform({2, 4})}, .apply = nearest});
  all.push_back({.name = "nearest_row/large",
                 .inputs = {uniform({64, 784}), uniform({2048, 784})},
                 .apply = nearest,
                 .flops = 3.0 * 64 * 2048 * 784,
                 .large = true});

  for (const int neighbours : {4, 8}) {
    const auto regions = [neighbours](const Variables& v) {
      return Variables{connected_components(v[0].value(), neighbours)};
    };
    const std::string name = "connected_components/" + std::to_string(neighbours);
    all.push_back({.name = name + "_noise", .inputs = {mask({3, 9, 13})}, .apply = regions});
    all.push_back({.name = name + "_row", .inputs = {mask({2, 1, 17})}, .apply = regions});
    all.push_back(
        {.name = name + "_nothing", .inputs = {given(std::vector<double>(12, 0), {1, 3, 4})}, .apply = regions});
    // Arms that meet only at the bottom: the labels given at the top have to be joined.
    all.push_back({.name = name + "_comb",
                   .inputs = {given({1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 0}, {1, 4, 5})},
                   .apply = regions});
  }
}

}  // namespace

std::vector<Case> image_cases() {
  std::vector<Case> all;
  add_filters(all);
  add_warps(all);
  add_distances_and_regions(all);
  return all;
}

}  // namespace counterfoil::cases
