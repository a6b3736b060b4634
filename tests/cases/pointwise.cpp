#include "autograd/pointwise.h"

#include <utility>

#include "tensor/ops.h"
#include "tests/cases/case.h"

namespace counterfoil::cases {

namespace {

/// One unary operation over a domain on which it is smooth but for isolated kinks, which random inputs miss.
struct UnaryCase {
  const char* name;
  UnaryOp op;
  double p0, p1, low, high;
  Variable (*function)(const Variable&);  // null: not differentiable
};

const UnaryCase kUnaryCases[] = {
    {"affine", UnaryOp::affine, -1.5, 0.25, -2, 2, [](const Variable& x) { return affine(x, -1.5, 0.25); }},
    {"abs", UnaryOp::abs, 0, 0, -2, 2, [](const Variable& x) { return abs(x); }},
    {"sign", UnaryOp::sign, 0, 0, -2, 2, nullptr},
    {"exp", UnaryOp::exp, 0, 0, -3, 3, [](const Variable& x) { return exp(x); }},
    {"log", UnaryOp::log, 0, 0, 0.3, 4, [](const Variable& x) { return log(x); }},
    {"sqrt", UnaryOp::sqrt, 0, 0, 0.3, 4, [](const Variable& x) { return sqrt(x); }},
    {"reciprocal", UnaryOp::reciprocal, 0, 0, 0.4, 3, [](const Variable& x) { return reciprocal(x); }},
    {"pow_half", UnaryOp::pow, 2.5, 0, 0.3, 2, [](const Variable& x) { return pow(x, 2.5); }},
    {"pow_cube", UnaryOp::pow, 3, 0, -2, 2, [](const Variable& x) { return pow(x, 3); }},
    {"pow_negative", UnaryOp::pow, -0.5, 0, 0.4, 2, [](const Variable& x) { return pow(x, -0.5); }},
    {"sin", UnaryOp::sin, 0, 0, -4, 4, [](const Variable& x) { return sin(x); }},
    {"cos", UnaryOp::cos, 0, 0, -4, 4, [](const Variable& x) { return cos(x); }},
    {"tanh", UnaryOp::tanh, 0, 0, -3, 3, [](const Variable& x) { return tanh(x); }},
    {"sigmoid", UnaryOp::sigmoid, 0, 0, -4, 4, [](const Variable& x) { return sigmoid(x); }},
    {"softplus", UnaryOp::softplus, 0, 0, -4, 4, [](const Variable& x) { return softplus(x); }},
    {"relu", UnaryOp::relu, 0, 0, -2, 2, [](const Variable& x) { return relu(x); }},
    {"leaky_relu", UnaryOp::leaky_relu, 0.2, 0, -2, 2, [](const Variable& x) { return leaky_relu(x, 0.2); }},
    {"elu", UnaryOp::elu, 0.7, 0, -2, 2, [](const Variable& x) { return elu(x, 0.7); }},
    {"clip", UnaryOp::clip, -0.5, 0.75, -2, 2, [](const Variable& x) { return clip(x, -0.5, 0.75); }},
    {"greater_than", UnaryOp::greater_than, 0.3, 0, -2, 2, nullptr},
    {"inside", UnaryOp::inside, -0.4, 0.9, -2, 2, nullptr},
};

void add_unary(std::vector<Case>& all) {
  for (const UnaryCase& one : kUnaryCases) {
    const std::string name = one.name;
    const auto plain = [one](const Variables& v) { return Variables{unary(one.op, v[0].value(), one.p0, one.p1)}; };
    const auto function = one.function;
    const auto recorded = [function](const Variables& v) { return Variables{function(v[0])}; };
    for (const auto& [what, shape] :
         {std::pair<const char*, Shape>{"odd", {3, 5, 7, 1}}, {"one", {1}}, {"empty", {0, 3}}}) {
      Case made{.name = "unary/" + name + "_" + what, .inputs = {uniform(shape, one.low, one.high)}, .apply = plain};
      if (function != nullptr) {
        made.apply = recorded;
        made.differentiable = {0};
        made.second_order = true;
      }
      all.push_back(std::move(made));
    }
    all.push_back({.name = "unary_backward/" + name,
                   .inputs = {uniform({3, 5, 7}, one.low, one.high), uniform({3, 5, 7})},
                   .apply = [one](const Variables& v) {
                     return Variables{unary_backward(one.op, v[0].value(), v[1].value(), one.p0, one.p1)};
                   }});
  }
  // Where a formula without care overflows, and the kinks themselves. Far out the derivatives vanish: added to 1 they
  // are compared for what they are worth.
  const Input far = given({-1000, -100, -30, 0, 30, 100, 1000}, {7});
  const Input kinks = given({-1, -0.5, -0.0, 0, 0.5, 0.75, 1}, {7});
  for (const auto& [name, op] : {std::pair{"sigmoid", UnaryOp::sigmoid},
                                 {"softplus", UnaryOp::softplus},
                                 {"tanh", UnaryOp::tanh},
                                 {"elu", UnaryOp::elu}}) {
    all.push_back(
        {.name = std::string("unary/") + name + "_far", .inputs = {far}, .apply = [op = op](const Variables& v) {
           const Tensor& x = v[0].value();
           const Tensor ones = Tensor::full(x.shape(), 1, x.dtype(), x.device());
           return Variables{unary(op, x, 0.7, 0), axpby(1, ones, 1, unary_backward(op, x, ones, 0.7, 0))};
         }});
  }
  for (const UnaryCase& one : kUnaryCases) {
    if (one.low > 0) continue;
    all.push_back(
        {.name = std::string("unary/") + one.name + "_kinks", .inputs = {kinks}, .apply = [one](const Variables& v) {
           const Tensor& x = v[0].value();
           const Tensor ones = Tensor::full(x.shape(), 1, x.dtype(), x.device());
           return Variables{unary(one.op, x, one.p0, one.p1), unary_backward(one.op, x, ones, one.p0, one.p1)};
         }});
  }
  const Shape feature_maps = {64, 28, 28, 32};
  all.push_back({.name = "unary/relu_large",
                 .inputs = {uniform(feature_maps)},
                 .apply = [](const Variables& v) { return Variables{relu(v[0])}; },
                 .large = true});
  all.push_back({.name = "unary/tanh_large",
                 .inputs = {uniform(feature_maps)},
                 .apply = [](const Variables& v) { return Variables{tanh(v[0])}; },
                 .large = true});
  all.push_back({.name = "unary_backward/leaky_relu_large",
                 .inputs = {uniform(feature_maps), uniform(feature_maps)},
                 .apply =
                     [](const Variables& v) {
                       return Variables{unary_backward(UnaryOp::leaky_relu, v[0].value(), v[1].value(), 0.2, 0)};
                     },
                 .large = true});
}

void add_activation_backward(std::vector<Case>& all) {
  for (const auto& [name, activation] : {std::pair{"identity", Activation::identity},
                                         {"relu", Activation::relu},
                                         {"leaky_relu", Activation::leaky_relu},
                                         {"tanh", Activation::tanh},
                                         {"sigmoid", Activation::sigmoid}}) {
    const Activation kind = activation;
    const bool curved = kind == Activation::tanh || kind == Activation::sigmoid;
    all.push_back({.name = std::string("activation_backward/") + name,
                   .inputs = {uniform({3, 5, 7}, kind == Activation::sigmoid ? 0.1 : -0.9, 0.9), uniform({3, 5, 7})},
                   .apply = [kind](const Variables& v) {
                     return Variables{activation_backward(kind, v[0].value(), v[1].value(), 0.2)};
                   }});
    if (curved) continue;
    all.push_back(
        {.name = std::string("activation_backward/") + name + "_recorded",
         .inputs = {uniform({3, 5, 7}, -0.9, 0.9), uniform({3, 5, 7})},
         .apply = [kind](const Variables& v) { return Variables{activation_backward(kind, v[0].detach(), v[1], 0.2)}; },
         .differentiable = {1}});
  }
}

void add_binary(std::vector<Case>& all) {
  using Function = Variable (*)(const Variable&, const Variable&);
  const std::tuple<const char*, Function, double> smooth[] = {
      {"add", add, -2},        {"subtract", subtract, -2}, {"multiply", multiply, -2},
      {"divide", divide, 0.4}, {"maximum", maximum, -2},   {"minimum", minimum, -2},
  };
  const std::tuple<const char*, Shape, Shape> shapes[] = {
      {"same", {3, 5, 7}, {3, 5, 7}},
      {"channels", {2, 3, 3, 5}, {1, 1, 1, 5}},
      {"planes", {2, 3, 3, 2}, {2, 1, 1, 2}},
      {"outer", {4, 1, 3}, {1, 5, 3}},
      {"inner", {3, 4, 1}, {3, 4, 5}},
      {"fewer_axes", {5}, {2, 3, 5}},
      {"scalar", {3, 5}, {1, 1}},
      {"empty", {0, 3}, {1, 3}},
  };
  for (const auto& [name, function, low] : smooth) {
    const Function f = function;
    for (const auto& [what, a, b] : shapes) {
      all.push_back({.name = std::string("binary/") + name + "_" + what,
                     .inputs = {uniform(a, -2, 2), uniform(b, low, 2)},
                     .apply = [f](const Variables& v) { return Variables{f(v[0], v[1])}; },
                     .differentiable = {0, 1},
                     .second_order = true});
    }
  }
  const std::pair<const char*, BinaryOp> comparisons[] = {
      {"greater", BinaryOp::greater}, {"greater_equal", BinaryOp::greater_equal}, {"equal", BinaryOp::equal}};
  for (const auto& [name, comparison] : comparisons) {
    const BinaryOp op = comparison;
    const auto apply = [op](const Variables& v) { return Variables{binary(op, v[0].value(), v[1].value())}; };
    all.push_back(
        {.name = std::string("binary/") + name, .inputs = {mask({3, 5, 7}), mask({3, 5, 7})}, .apply = apply});
    all.push_back({.name = std::string("binary/") + name + "_broadcast",
                   .inputs = {uniform({3, 5, 1}), uniform({1, 5, 4})},
                   .apply = apply});
  }
  all.push_back({.name = "binary/multiply_itself",
                 .inputs = {uniform({3, 5})},
                 .apply =
                     [](const Variables& v) {
                       return Variables{v[0] * v[0], square(v[0])};
                     },
                 .differentiable = {0},
                 .second_order = true});
  all.push_back(
      {.name = "binary/operators",
       .inputs = {uniform({3, 5}, 0.5, 2), uniform({3, 5}, 0.5, 2)},
       .apply =
           [](const Variables& v) {
             return Variables{2 - v[0] / v[1] + 3 / v[0] * 0.5 - (v[1] - 1) / 4, -(1.5 * v[0]) + (0.5 + v[1])};
           },
       .differentiable = {0, 1},
       .second_order = true});
  all.push_back({.name = "binary/add_large",
                 .inputs = {uniform({64, 28, 28, 32}), uniform({64, 28, 28, 32})},
                 .apply = [](const Variables& v) { return Variables{v[0] + v[1]}; },
                 .large = true});
  all.push_back({.name = "binary/multiply_channels_large",
                 .inputs = {uniform({64, 28, 28, 32}), uniform({1, 1, 1, 32})},
                 .apply = [](const Variables& v) { return Variables{v[0] * v[1]}; },
                 .large = true});
}

void add_mixtures(std::vector<Case>& all) {
  for (const auto& [what, shape] : {std::pair<const char*, Shape>{"odd", {3, 5, 7}}, {"empty", {0}}}) {
    all.push_back({.name = std::string("select/") + what,
                   .inputs = {mask(shape), uniform(shape), uniform(shape)},
                   .apply = [](const Variables& v) { return Variables{select(v[0], v[1], v[2])}; },
                   .differentiable = {1, 2},
                   .second_order = true});
    all.push_back({.name = std::string("axpby/") + what,
                   .inputs = {uniform(shape), uniform(shape)},
                   .apply = [](const Variables& v) { return Variables{axpby(0.75, v[0].value(), -2, v[1].value())}; }});
  }
  all.push_back({.name = "axpby/large",
                 .inputs = {uniform({64, 28, 28, 32}), uniform({64, 28, 28, 32})},
                 .apply = [](const Variables& v) { return Variables{axpby(1, v[0].value(), 1, v[1].value())}; },
                 .large = true});
}

void add_chains(std::vector<Case>& all) {
  using Steps = std::vector<ChainStep>;
  const std::tuple<const char*, Shape, std::size_t, Steps> chains[] = {
      {"one_input", {3, 5, 7}, 1, {{UnaryOp::affine, 2, 1}, {0, BinaryOp::multiply}, {UnaryOp::tanh}}},
      {"product_where_signs_agree",
       {3, 5, 7},
       2,
       {{UnaryOp::sign}, {BinaryOp::multiply, 1}, {UnaryOp::greater_than}, {BinaryOp::multiply, 1}}},
      {"blend", {2, 3, 3, 5}, 3, {{UnaryOp::affine, -1, 1}, {BinaryOp::multiply, 1}, {BinaryOp::add, 2}}},
      {"quotient_of_differences",
       {4, 8},
       4,
       {{1, BinaryOp::subtract}, {UnaryOp::exp}, {2, BinaryOp::divide}, {BinaryOp::maximum, 3}}},
      {"longest", {65}, 2, Steps(kMaxChainSteps, {1, BinaryOp::subtract})},
      {"empty", {0, 3}, 2, {{BinaryOp::add, 1}}},
      {"large", {64, 28, 28, 32}, 3, {{BinaryOp::subtract, 1}, {UnaryOp::abs}, {BinaryOp::multiply, 2}}},
  };
  for (const auto& [what, shape, inputs, program] : chains) {
    const Steps steps = program;
    all.push_back({.name = std::string("pointwise_chain/") + what,
                   .inputs = std::vector<Input>(inputs, uniform(shape, -2, 2)),
                   .apply =
                       [steps](const Variables& v) {
                         std::vector<Tensor> x;
                         for (const Variable& one : v) x.push_back(one.value());
                         return Variables{pointwise_chain(x, steps)};
                       },
                   .large = shape.size() > 10000});
  }
}

}  // namespace

std::vector<Case> pointwise_cases() {
  std::vector<Case> all;
  add_unary(all);
  add_activation_backward(all);
  add_binary(all);
  add_mixtures(all);
  add_chains(all);
  return all;
}

}  // namespace counterfoil::cases
