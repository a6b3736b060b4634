#include "autograd/normalisation.h"

#include <utility>

#include "tensor/ops.h"
#include "tests/cases/case.h"

namespace counterfoil::cases {

namespace {

constexpr std::pair<const char*, Activation> kActivations[] = {{"identity", Activation::identity},
                                                               {"relu", Activation::relu},
                                                               {"leaky_relu", Activation::leaky_relu},
                                                               {"tanh", Activation::tanh},
                                                               {"sigmoid", Activation::sigmoid}};

void add_with_own_statistics(std::vector<Case>& all) {
  const std::tuple<const char*, Shape, Shape, bool> forms[] = {
      {"batch", {3, 4, 5, 3}, {3}, false},       {"conditional", {3, 4, 3, 2}, {3, 2}, false},
      {"instance", {2, 4, 5, 3}, {1, 3}, true},  {"conditional_instance", {2, 3, 4, 2}, {2, 2}, true},
      {"one_channel", {3, 4, 4, 1}, {1}, false}, {"one_image", {1, 5, 4, 2}, {2}, false},
      {"vectors", {7, 1, 1, 4}, {4}, false},
  };
  for (const auto& [name, shape, table, per_image] : forms) {
    for (const auto& [activation_name, activation] : kActivations) {
      const NormAttribute options{.epsilon = 1e-3, .activation = activation, .slope = 0.2, .per_image = per_image};
      all.push_back({.name = std::string("norm_apply/") + name + "_" + activation_name,
                     .inputs = {uniform(shape, -1, 2), uniform(table, 0.5, 1.5), uniform(table)},
                     .apply = [options](const Variables& v) { return Variables{normalise(v[0], v[1], v[2], options)}; },
                     .differentiable = {0, 1, 2},
                     .second_order = true});
    }
  }
  const NormAttribute leaky{.epsilon = 1e-3, .activation = Activation::leaky_relu, .slope = 0.2};
  all.push_back(
      {.name = "norm_apply/composed",
       .inputs = {uniform({3, 4, 5, 3}), uniform({3}, 0.5, 1.5), uniform({3})},
       .apply = [leaky](const Variables& v) { return Variables{normalise_composed(v[0], v[1], v[2], leaky)}; },
       .differentiable = {0, 1, 2},
       .second_order = true});
}

void add_with_given_statistics(std::vector<Case>& all) {
  for (const auto& [name, rows, affine_rows] : {std::tuple{"batch", 1, 1}, {"conditional", 1, 3}, {"instance", 3, 1}}) {
    for (const auto& [activation_name, activation] : kActivations) {
      const Activation kind = activation;
      all.push_back({.name = std::string("norm_apply/given_") + name + "_" + activation_name,
                     .inputs = {uniform({3, 4, 3, 2}), uniform({affine_rows, 2}, 0.5, 1.5), uniform({affine_rows, 2}),
                                uniform({rows, 2}), uniform({rows, 2}, 0.5, 2)},
                     .apply =
                         [kind](const Variables& v) {
                           return Variables{
                               normalise_with(v[0], v[1], v[2], v[3].value(), v[4].value(), 1e-3, kind, 0.2)};
                         },
                     .differentiable = {0, 1, 2},
                     .second_order = true});
    }
  }
}

void add_primitives(std::vector<Case>& all) {
  const auto statistics = [](bool per_image) {
    return [per_image](const Variables& v) {
      auto [mean, variance] = norm_statistics(v[0].value(), per_image);
      return Variables{mean, variance};
    };
  };
  all.push_back({.name = "norm_statistics/batch", .inputs = {uniform({3, 5, 7, 3})}, .apply = statistics(false)});
  all.push_back({.name = "norm_statistics/instance", .inputs = {uniform({3, 5, 7, 3})}, .apply = statistics(true)});
  all.push_back({.name = "norm_statistics/pixel", .inputs = {uniform({3, 1, 1, 5})}, .apply = statistics(true)});
  // A mean a thousand deviations away: the variance must not come from a difference of squares.
  all.push_back({.name = "norm_statistics/far_mean",
                 .inputs = {uniform({2, 9, 9, 2}, 1000, 1001)},
                 .apply = statistics(false),
                 .tolerance = 1e-4});
  all.push_back({.name = "norm_statistics/large",
                 .inputs = {uniform({64, 28, 28, 32})},
                 .apply = statistics(false),
                 .large = true});

  const auto backward = [](bool own_statistics, Activation activation) {
    return [=](const Variables& v) {
      const Tensor& x = v[0].value();
      const auto [mean, variance] = norm_statistics(x, false);
      const Tensor y = norm_apply(x, mean, variance, v[1].value(), v[2].value(), 1e-3, activation, 0.2);
      const NormGradients d =
          norm_backward(v[3].value(), x, y, mean, variance, v[1].value(), 1e-3, activation, 0.2, own_statistics);
      return Variables{d.d_x, d.d_gamma, d.d_beta};
    };
  };
  for (const bool own_statistics : {false, true}) {
    all.push_back({.name = std::string("norm_backward/") + (own_statistics ? "own" : "given"),
                   .inputs = {uniform({3, 5, 7, 3}), uniform({1, 3}, 0.5, 1.5), uniform({1, 3}), uniform({3, 5, 7, 3})},
                   .apply = backward(own_statistics, Activation::leaky_relu)});
  }
  const Shape maps = {64, 28, 28, 32};
  all.push_back(
      {.name = "norm_apply/large",
       .inputs = {uniform(maps), uniform({1, 32}, 0.5, 1.5), uniform({1, 32})},
       .apply =
           [](const Variables& v) { return Variables{normalise(v[0], v[1], v[2], {.activation = Activation::relu})}; },
       .large = true});
  all.push_back({.name = "norm_backward/large",
                 .inputs = {uniform(maps), uniform({1, 32}, 0.5, 1.5), uniform({1, 32}), uniform(maps)},
                 .apply = backward(true, Activation::relu),
                 .tolerance = 1e-4,
                 .large = true});

  const auto iterate = [](int iterations) {
    return [iterations](const Variables& v) {
      Tensor u = v[1].value().clone();
      Tensor right = v[2].value().clone();
      power_iteration(u, right, v[0].value(), iterations, 1e-12);
      return Variables{u, right};
    };
  };
  all.push_back(
      {.name = "power_iteration/once", .inputs = {uniform({5, 9}), uniform({5}), uniform({9})}, .apply = iterate(1)});
  all.push_back(
      {.name = "power_iteration/thrice", .inputs = {uniform({7, 3}), uniform({7}), uniform({3})}, .apply = iterate(3)});
  all.push_back({.name = "power_iteration/zero_weight",
                 .inputs = {given(std::vector<double>(6, 0), {2, 3}), uniform({2}), uniform({3})},
                 .apply = iterate(1)});
  all.push_back({.name = "power_iteration/large",
                 .inputs = {uniform({256, 2304}), uniform({256}), uniform({2304})},
                 .apply = iterate(1),
                 .large = true});
}

}  // namespace

std::vector<Case> normalisation_cases() {
  std::vector<Case> all;
  add_with_own_statistics(all);
  add_with_given_statistics(all);
  add_primitives(all);
  return all;
}

}  // namespace counterfoil::cases
