#include "autograd/reduction.h"

#include <utility>

#include "tensor/ops.h"
#include "tests/cases/case.h"

namespace counterfoil::cases {

namespace {

struct Extent {
  const char* name;
  Shape shape;
  Axes axes;
};

const Extent kExtents[] = {
    {"all", {3, 5, 7}, {}},
    {"batch", {3, 5, 7}, {0}},
    {"middle", {3, 5, 7}, {1}},
    {"last", {3, 5, 7}, {-1}},
    {"space", {2, 3, 5, 4}, {1, 2}},
    {"channels_kept", {2, 3, 5, 4}, {0, 1, 2}},
    {"outer_pair", {2, 3, 5, 4}, {0, 3}},
    {"one", {1, 1}, {}},
    {"five_axes", {2, 3, 1, 2, 3}, {1, 3}},
    {"long_row", {2, 1031}, {1}},
    {"long_column", {1031, 2}, {0}},
};

void add_sums(std::vector<Case>& all) {
  using Function = Variable (*)(const Variable&, const Axes&);
  const std::pair<const char*, Function> functions[] = {
      {"sum", sum}, {"sum_abs", sum_abs}, {"sum_squares", sum_squares}, {"mean", mean}};
  for (const auto& [name, function] : functions) {
    const Function f = function;
    for (const Extent& extent : kExtents) {
      all.push_back({.name = std::string("reduce/") + name + "_" + extent.name,
                     .inputs = {uniform(extent.shape)},
                     .apply = [f, axes = extent.axes](const Variables& v) { return Variables{f(v[0], axes)}; },
                     .differentiable = {0},
                     .second_order = true});
    }
  }
  all.push_back({.name = "reduce/sum_of_nothing",
                 .inputs = {uniform({0, 3})},
                 .apply =
                     [](const Variables& v) {
                       return Variables{sum(v[0]), sum(v[0], {0}), sum(v[0], {1})};
                     },
                 .differentiable = {0}});
  all.push_back({.name = "reduce/sum_to",
                 .inputs = {uniform({2, 3, 4})},
                 .apply =
                     [](const Variables& v) {
                       return Variables{sum_to(v[0], {3, 1}), sum_to(v[0], {4})};
                     },
                 .differentiable = {0},
                 .second_order = true});
  all.push_back({.name = "reduce/norm_per_image",
                 .inputs = {uniform({3, 5, 2, 1})},
                 .apply = [](const Variables& v) { return Variables{norm_per_image(v[0], 1e-3)}; },
                 .differentiable = {0},
                 .second_order = true});
  for (const auto& [name, axes] :
       {std::pair<const char*, Axes>{"all", {}}, {"channels", {0, 1, 2}}, {"images", {1, 2, 3}}}) {
    all.push_back({.name = std::string("reduce/large_") + name,
                   .inputs = {uniform({64, 28, 28, 32})},
                   .apply = [axes = axes](const Variables& v) { return Variables{sum(v[0], axes)}; },
                   .large = true});
  }
}

void add_extremes(std::vector<Case>& all) {
  for (const Extent& extent : kExtents) {
    all.push_back({.name = std::string("reduce/max_") + extent.name,
                   .inputs = {distinct(extent.shape)},
                   .apply = [axes = extent.axes](const Variables& v) { return Variables{max(v[0], axes)}; },
                   .differentiable = {0},
                   .second_order = true});
    all.push_back({.name = std::string("reduce/min_") + extent.name,
                   .inputs = {distinct(extent.shape)},
                   .apply = [axes = extent.axes](const Variables& v) {
                     return Variables{reduce(ReduceOp::min, v[0].value(), axes)};
                   }});
  }
  all.push_back({.name = "reduce/max_shared",
                 .inputs = {given({1, 3, 3, 0, 3, 2, 2, 2, 2, 2}, {2, 5})},
                 .apply = [](const Variables& v) {
                   const Variable x = Variable::leaf(v[0].value());
                   return grad({sum(max(x, {1}))}, {x});
                 }});
}

void add_rows(std::vector<Case>& all) {
  const auto largest = [](const Variables& v) { return Variables{argmax(v[0].value())}; };
  all.push_back({.name = "argmax/rows", .inputs = {distinct({7, 13})}, .apply = largest});
  all.push_back({.name = "argmax/ties", .inputs = {mask({9, 5})}, .apply = largest});
  all.push_back({.name = "argmax/one_column", .inputs = {uniform({5, 1})}, .apply = largest});
  all.push_back({.name = "argmax/no_rows", .inputs = {uniform({0, 3})}, .apply = largest});

  for (const bool logarithm : {false, true}) {
    const std::string name = logarithm ? "softmax/log_" : "softmax/";
    const auto apply = [logarithm](const Variables& v) {
      return Variables{logarithm ? log_softmax(v[0]) : softmax(v[0])};
    };
    for (const auto& [what, shape] : {std::pair<const char*, Shape>{"rows", {5, 7}},
                                      {"one_row", {1, 10}},
                                      {"one_column", {3, 1}},
                                      {"no_rows", {0, 3}}}) {
      all.push_back({.name = name + what,
                     .inputs = {uniform(shape, -3, 3)},
                     .apply = apply,
                     .differentiable = {0},
                     .second_order = true});
    }
    all.push_back(
        {.name = name + "far", .inputs = {given({1000, 0, -1000, 1000, 1000, 1000}, {2, 3})}, .apply = apply});
    all.push_back({.name = logarithm ? "softmax_backward/log" : "softmax_backward/plain",
                   .inputs = {uniform({5, 7}, -3, 3), uniform({5, 7})},
                   .apply = [logarithm](const Variables& v) {
                     return Variables{softmax_backward(softmax(v[0].value(), logarithm), v[1].value(), logarithm)};
                   }});
  }
  all.push_back({.name = "softmax/large",
                 .inputs = {uniform({4096, 1000}, -3, 3)},
                 .apply = [](const Variables& v) { return Variables{softmax(v[0])}; },
                 .large = true});

  const auto finite = [](const Variables& v) {
    Tensor flag = v[0].value().empty_like({1});
    flag.backend().all_finite(flag.mutable_view(), v[0].value().view());
    return Variables{flag};
  };
  all.push_back({.name = "all_finite/yes", .inputs = {uniform({3, 5, 7})}, .apply = finite});
  all.push_back({.name = "all_finite/infinity", .inputs = {given({1, 2, -INFINITY, 4}, {4})}, .apply = finite});
  all.push_back({.name = "all_finite/nan", .inputs = {given({NAN, 2, 3}, {3})}, .apply = finite});
  all.push_back({.name = "all_finite/empty", .inputs = {uniform({0})}, .apply = finite});

  const auto ranked = [](std::int64_t k) {
    return [k](const Variables& v) { return Variables{order_statistic(v[0].value(), k)}; };
  };
  all.push_back({.name = "order_statistic/smallest", .inputs = {uniform({5, 9})}, .apply = ranked(0), .tolerance = 0});
  all.push_back({.name = "order_statistic/median", .inputs = {uniform({3, 131})}, .apply = ranked(65), .tolerance = 0});
  all.push_back({.name = "order_statistic/largest", .inputs = {uniform({5, 9})}, .apply = ranked(8), .tolerance = 0});
  all.push_back({.name = "order_statistic/ties", .inputs = {mask({4, 11})}, .apply = ranked(5), .tolerance = 0});
  all.push_back({.name = "order_statistic/large",
                 .inputs = {uniform({64, 784})},
                 .apply = ranked(745),
                 .tolerance = 0,
                 .large = true});
}

}  // namespace

std::vector<Case> reduction_cases() {
  std::vector<Case> all;
  add_sums(all);
  add_extremes(all);
  add_rows(all);
  return all;
}

}  // namespace counterfoil::cases
