#include "autograd/pooling.h"

#include <utility>

#include "tensor/ops.h"
#include "tests/cases/case.h"

namespace counterfoil::cases {

namespace {

struct Pooling {
  const char* name;
  Shape x;
  PoolGeometry geometry;
};

const std::vector<Pooling>& poolings() {
  static const std::vector<Pooling> list = {
      {"2x2", {2, 6, 4, 3}, PoolGeometry::square(2, 2)},
      {"2x2_rest", {2, 7, 5, 3}, PoolGeometry::square(2, 2)},
      {"overlapping", {1, 7, 6, 2}, PoolGeometry::square(3, 2)},
      {"padded", {2, 5, 7, 1}, PoolGeometry::square(3, 2, 1)},
      {"stride1", {1, 4, 4, 1}, PoolGeometry::square(3, 1, 1)},
      {"skipping", {1, 7, 8, 2}, PoolGeometry::square(2, 3)},
      {"whole_image", {3, 5, 4, 2}, {.kernel_h = 5, .kernel_w = 4, .stride_h = 5, .stride_w = 4}},
      {"uneven",
       {1, 5, 9, 2},
       {.kernel_h = 2,
        .kernel_w = 3,
        .stride_h = 1,
        .stride_w = 2,
        .pad_top = 1,
        .pad_bottom = 0,
        .pad_left = 0,
        .pad_right = 2}},
      {"no_images", {0, 4, 4, 2}, PoolGeometry::square(2, 2)},
  };
  return list;
}

void add_poolings(std::vector<Case>& all) {
  for (const Pooling& p : poolings()) {
    const PoolGeometry geometry = p.geometry;
    const Shape y = pool_output_shape(p.x, geometry);
    all.push_back({.name = std::string("max_pool/") + p.name,
                   .inputs = {distinct(p.x)},
                   .apply = [geometry](const Variables& v) { return Variables{max_pool(v[0], geometry)}; },
                   .differentiable = {0},
                   .second_order = true});
    for (const bool counted : {false, true}) {
      PoolGeometry average = geometry;
      average.count_padding = counted;
      const std::string name = std::string(p.name) + (counted ? "_padding_counts" : "");
      all.push_back({.name = "avg_pool/" + name,
                     .inputs = {uniform(p.x)},
                     .apply = [average](const Variables& v) { return Variables{avg_pool(v[0], average)}; },
                     .differentiable = {0},
                     .second_order = true});
      all.push_back({.name = "avg_pool_backward/" + name,
                     .inputs = {uniform(y)},
                     .apply = [average, shape = p.x](
                                  const Variables& v) { return Variables{avg_pool_backward(v[0], shape, average)}; },
                     .differentiable = {0},
                     .second_order = true});
    }
    all.push_back({.name = std::string("pool_scatter/") + p.name,
                   .inputs = {uniform(y), distinct(p.x)},
                   .apply =
                       [geometry](const Variables& v) {
                         return Variables{pool_scatter(v[0], max_pool(v[1].value(), geometry).second, v[1].shape())};
                       },
                   .differentiable = {0},
                   .second_order = true});
    all.push_back({.name = std::string("pool_gather/") + p.name,
                   .inputs = {uniform(p.x), distinct(p.x)},
                   .apply =
                       [geometry](const Variables& v) {
                         return Variables{pool_gather(v[0], max_pool(v[1].value(), geometry).second)};
                       },
                   .differentiable = {0},
                   .second_order = true});
  }
  const auto winners = [](const Variables& v) {
    auto [y, index] = max_pool(v[0].value(), PoolGeometry::square(3, 2, 1));
    return Variables{y, index};
  };
  all.push_back({.name = "max_pool/winners", .inputs = {distinct({2, 7, 6, 3})}, .apply = winners});
  all.push_back({.name = "max_pool/ties", .inputs = {mask({2, 7, 6, 3})}, .apply = winners});
  all.push_back({.name = "max_pool/all_negative", .inputs = {distinct({1, 5, 5, 1}, -3, -1)}, .apply = winners});
  all.push_back(
      {.name = "max_pool/nan", .inputs = {given({1, NAN, 3, 4, 5, 6, 7, NAN, 9}, {1, 3, 3, 1})}, .apply = winners});
  for (const auto& [name, function] :
       {std::pair<const char*, Variable (*)(const Variable&)>{"average", global_avg_pool}, {"sum", global_sum_pool}}) {
    const auto f = function;
    all.push_back({.name = std::string("global_pool/") + name,
                   .inputs = {uniform({2, 3, 5, 4})},
                   .apply = [f](const Variables& v) { return Variables{f(v[0])}; },
                   .differentiable = {0},
                   .second_order = true});
  }
  all.push_back({.name = "max_pool/large",
                 .inputs = {uniform({64, 28, 28, 32})},
                 .apply = [](const Variables& v) { return Variables{max_pool(v[0], PoolGeometry::square(2, 2))}; },
                 .large = true});
  all.push_back({.name = "avg_pool/large",
                 .inputs = {uniform({64, 28, 28, 32})},
                 .apply = [](const Variables& v) { return Variables{avg_pool(v[0], PoolGeometry::square(2, 2))}; },
                 .large = true});
}

void add_resizes(std::vector<Case>& all) {
  const std::tuple<const char*, Shape, std::int64_t, std::int64_t> sizes[] = {
      {"double", {2, 3, 5, 2}, 6, 10},   {"up_uneven", {1, 3, 4, 1}, 7, 5},  {"down", {2, 7, 6, 1}, 3, 3},
      {"same", {1, 3, 3, 2}, 3, 3},      {"from_pixel", {2, 1, 1, 3}, 4, 3}, {"to_pixel", {1, 5, 4, 2}, 1, 1},
      {"no_images", {0, 3, 3, 1}, 6, 6},
  };
  for (const auto& [mode_name, resize_mode] :
       {std::pair{"nearest", ResizeMode::nearest}, {"bilinear", ResizeMode::bilinear}}) {
    const ResizeMode mode = resize_mode;
    for (const auto& [name, shape, height, width] : sizes) {
      const std::string full_name = std::string(mode_name) + "_" + name;
      all.push_back(
          {.name = "resize/" + full_name,
           .inputs = {uniform(shape)},
           .apply = [mode, h = height, w = width](const Variables& v) { return Variables{resize(v[0], h, w, mode)}; },
           .differentiable = {0},
           .second_order = true});
      all.push_back(
          {.name = "resize_backward/" + full_name,
           .inputs = {uniform(shape.with(1, height).with(2, width))},
           .apply = [mode, x = shape](const Variables& v) { return Variables{resize_backward(v[0], x, mode)}; },
           .differentiable = {0},
           .second_order = true});
    }
    all.push_back({.name = std::string("resize/") + mode_name + "_large",
                   .inputs = {uniform({64, 14, 14, 32})},
                   .apply = [mode](const Variables& v) { return Variables{upsample2x(v[0], mode)}; },
                   .large = true});
  }
  const auto joined = [](const Variables& v) { return Variables{upsample_concat(v[0], v[1])}; };
  all.push_back({.name = "upsample_concat/odd",
                 .inputs = {uniform({2, 3, 5, 3}), uniform({2, 6, 10, 2})},
                 .apply = joined,
                 .differentiable = {0, 1},
                 .second_order = true});
  all.push_back({.name = "upsample_concat/pixel",
                 .inputs = {uniform({1, 1, 1, 1}), uniform({1, 2, 2, 1})},
                 .apply = joined,
                 .differentiable = {0, 1},
                 .second_order = true});
  all.push_back({.name = "upsample_concat/low_alone",
                 .inputs = {uniform({2, 2, 3, 2}), uniform({2, 4, 6, 3})},
                 .apply = joined,
                 .differentiable = {0},
                 .second_order = true});
  all.push_back(
      {.name = "upsample_concat_backward/odd", .inputs = {uniform({2, 6, 10, 5})}, .apply = [](const Variables& v) {
         auto [d_low, d_skip] = upsample_concat_backward(v[0].value(), {2, 3, 5, 3}, {2, 6, 10, 2});
         return Variables{d_low, d_skip};
       }});
  all.push_back({.name = "upsample_concat/large",
                 .inputs = {uniform({64, 14, 14, 32}), uniform({64, 28, 28, 16})},
                 .apply = joined,
                 .large = true});
}

}  // namespace

std::vector<Case> pooling_cases() {
  std::vector<Case> all;
  add_poolings(all);
  add_resizes(all);
  return all;
}

}  // namespace counterfoil::cases
