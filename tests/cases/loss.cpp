#include "autograd/loss.h"

#include <utility>

#include "autograd/pointwise.h"
#include "tensor/ops.h"
#include "tests/cases/case.h"

namespace counterfoil::cases {

namespace {

void add_elementwise(std::vector<Case>& all) {
  using Function = Variable (*)(const Variable&, const Variable&);
  const Function bce = bce_with_logits;
  const std::tuple<const char*, LossOp, Function, bool> losses[] = {
      {"bce_with_logits", LossOp::bce_with_logits, bce, false},
      {"l1", LossOp::l1, l1_loss, true},
      {"l2", LossOp::l2, l2_loss, true}};
  for (const auto& [name, op, function, symmetric] : losses) {
    const Function f = function;
    for (const auto& [what, shape] :
         {std::pair<const char*, Shape>{"images", {3, 5, 7, 1}}, {"logits", {5, 1}}, {"one", {1}}}) {
      all.push_back({.name = std::string("loss/") + name + "_" + what,
                     .inputs = {uniform(shape, -3, 3), uniform(shape, 0.05, 0.95)},
                     .apply = [f](const Variables& v) { return Variables{f(v[0], v[1])}; },
                     .differentiable = symmetric ? std::vector<std::size_t>{0, 1} : std::vector<std::size_t>{0},
                     .second_order = true});
    }
  }
  all.push_back({.name = "loss/bce_with_logits_constant",
                 .inputs = {uniform({7, 1}, -3, 3)},
                 .apply =
                     [](const Variables& v) {
                       return Variables{bce_with_logits(v[0], 1.0), bce_with_logits(v[0], 0.0)};
                     },
                 .differentiable = {0},
                 .second_order = true});
  all.push_back({.name = "loss/bce_with_logits_far",
                 .inputs = {given({-1000, 1000, -1000, 1000, 0}, {5}), given({0, 1, 1, 0, 0.5}, {5})},
                 .apply = [bce](const Variables& v) { return Variables{bce(v[0], v[1])}; },
                 .differentiable = {}});
  all.push_back({.name = "loss/hinge",
                 .inputs = {uniform({9, 1}, -2.5, 2.5), uniform({9, 1}, -2.5, 2.5)},
                 .apply =
                     [](const Variables& v) {
                       return Variables{hinge_discriminator(v[0], v[1]), hinge_generator(v[1])};
                     },
                 .differentiable = {0, 1},
                 .second_order = true});
  // The primitives with other reductions than the mean over everything.
  for (const auto& [name, op] : {std::pair{"bce_with_logits", LossOp::bce_with_logits},
                                 {"l1", LossOp::l1},
                                 {"l2", LossOp::l2},
                                 {"hinge", LossOp::hinge}}) {
    const LossOp kind = op;
    const Input b = kind == LossOp::hinge ? sign({3, 5, 2}) : uniform({3, 5, 2}, 0.05, 0.95);
    for (const auto& [what, axes] :
         {std::pair<const char*, Axes>{"per_image", {1, 2}}, {"per_channel", {0, 1}}, {"last", {2}}}) {
      all.push_back({.name = std::string("loss/") + name + "_" + what,
                     .inputs = {uniform({3, 5, 2}, -3, 3), b},
                     .apply = [kind, axes = axes](const Variables& v) {
                       return Variables{loss(kind, v[0].value(), v[1].value(), 0.3, axes)};
                     }});
    }
    all.push_back({.name = std::string("loss_backward/") + name,
                   .inputs = {uniform({3, 5, 2}, -3, 3), b, uniform({3, 1, 1})},
                   .apply = [kind](const Variables& v) {
                     return Variables{loss_backward(kind, v[0].value(), v[1].value(), v[2].value(), 0.3)};
                   }});
  }
  all.push_back({.name = "loss/l1_large",
                 .inputs = {uniform({64, 28, 28, 1}), uniform({64, 28, 28, 1})},
                 .apply = [](const Variables& v) { return Variables{l1_loss(v[0], v[1])}; },
                 .large = true});
}

void add_of_distributions(std::vector<Case>& all) {
  const auto per_row = [](const Variables& v) { return Variables{cross_entropy_per_row(v[0], v[1].value())}; };
  for (const auto& [what, rows, classes] :
       {std::tuple{"rows", 5, 7}, {"one_row", 1, 10}, {"one_class", 3, 1}, {"no_rows", 0, 4}}) {
    all.push_back({.name = std::string("cross_entropy/") + what,
                   .inputs = {uniform({rows, classes}, -3, 3), index({rows}, classes)},
                   .apply = per_row,
                   .differentiable = {0},
                   .second_order = true});
  }
  all.push_back({.name = "cross_entropy/mean",
                 .inputs = {uniform({5, 3}, -3, 3), index({5}, 3)},
                 .apply = [](const Variables& v) { return Variables{cross_entropy(v[0], v[1].value())}; },
                 .differentiable = {0},
                 .second_order = true});
  all.push_back({.name = "cross_entropy/far",
                 .inputs = {given({1000, 0, -1000, 1000, 0, -1000}, {2, 3}), index({2}, 3)},
                 .apply = per_row});
  all.push_back({.name = "cross_entropy_backward/rows",
                 .inputs = {uniform({5, 7}, -3, 3), index({5}, 7), uniform({5})},
                 .apply = [](const Variables& v) {
                   return Variables{cross_entropy_backward(v[0].value(), v[1].value(), v[2].value())};
                 }});
  all.push_back({.name = "gaussian_kl/codes",
                 .inputs = {uniform({3, 5}), uniform({3, 5})},
                 .apply = [](const Variables& v) { return Variables{gaussian_kl(v[0], v[1])}; },
                 .differentiable = {0, 1},
                 .second_order = true});
  all.push_back({.name = "categorical_kl/rows",
                 .inputs = {uniform({3, 5}, 0.1, 0.9), uniform({3, 5}, 0.1, 0.9)},
                 .apply = [](const Variables& v) { return Variables{categorical_kl(v[0], v[1])}; },
                 .differentiable = {0, 1},
                 .second_order = true});
}

void add_total_variation(std::vector<Case>& all) {
  for (const auto& [name, beta, smooth] :
       {std::tuple{"beta1", 1.0, true}, {"beta2", 2.0, true}, {"beta3", 3.0, true}, {"beta1_5", 1.5, false}}) {
    const double exponent = beta;
    for (const auto& [what, shape] : {std::pair<const char*, Shape>{"images", {2, 5, 7, 3}},
                                      {"row", {1, 1, 6, 1}},
                                      {"column", {2, 5, 1, 1}},
                                      {"pixel", {2, 1, 1, 1}}}) {
      all.push_back({.name = std::string("total_variation/") + name + "_" + what,
                     .inputs = {distinct(shape)},
                     .apply = [exponent](const Variables& v) { return Variables{total_variation(v[0], exponent)}; },
                     .differentiable = {0},
                     .second_order = smooth});
    }
    all.push_back({.name = std::string("total_variation_backward/") + name,
                   .inputs = {uniform({2, 5, 7, 3}), uniform({2})},
                   .apply = [exponent](const Variables& v) {
                     return Variables{total_variation_backward(v[0].value(), v[1].value(), exponent)};
                   }});
  }
}

}  // namespace

std::vector<Case> loss_cases() {
  std::vector<Case> all;
  add_elementwise(all);
  add_of_distributions(all);
  add_total_variation(all);
  return all;
}

}  // namespace counterfoil::cases
