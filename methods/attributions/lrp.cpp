#include "methods/attributions/lrp.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "autograd/matmul.h"
#include "autograd/pointwise.h"
#include "methods/attributions/graph.h"
#include "tensor/ops.h"

namespace counterfoil::methods {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Sums of what they are given, each term of which is an input times something.
constexpr std::array<std::string_view, 13> kSums = {"add",
                                                    "subtract",
                                                    "sum",
                                                    "sum_to",
                                                    "avg_pool",
                                                    "avg_pool_backward",
                                                    "resize",
                                                    "resize_backward",
                                                    "separable_filter",
                                                    "dropout",
                                                    "separable_filter_backward",
                                                    "affine_warp",
                                                    "affine_warp_backward"};

Tensor times(const Tensor& a, const Tensor& b) {
  return binary(BinaryOp::multiply, a, b);
}
Tensor plus(const Tensor& a, const Tensor& b) {
  return binary(BinaryOp::add, a, b);
}
Tensor positive(const Tensor& x) {
  return unary(UnaryOp::relu, x);
}
Tensor negative(const Tensor& x) {
  return unary(UnaryOp::clip, x, -kInfinity, 0);
}
Tensor shifted(const Tensor& x, double shift) {
  return unary(UnaryOp::affine, x, 1, shift);
}

/// +1 where z >= 0, else -1
Tensor sign(const Tensor& z) {
  return unary(UnaryOp::affine, unary(UnaryOp::inside, z, 0, kInfinity), 2, -1);
}

/// Whether a variable is the images as they are, cut, reshaped or resized.
bool is_image(Variable variable, const Variable& x) {
  while (!(variable == x)) {
    const std::shared_ptr<const Node> node = variable.node();
    if (!node || (node->op() != "reshape" && node->op() != "slice" && node->op() != "resize")) return false;
    variable = node->input(0);
  }
  return true;
}

/// A layer that takes the images, of which an input rule speaks.
bool takes_images(const Node& node, const Needs& needs, const Variable& x) {
  const bool layer = node.op() == "conv2d" || node.op() == "conv2d_input_grad" || node.op() == "matmul";
  return layer && needs[0] != needs[1] && is_image(node.input(needs[0] ? 0 : 1), x);
}

class Rules {
 public:
  Rules(const Lrp& method, const Variable& x)
      : rule_(method.rule), input_rule_(method.input_rule), epsilon_(method.epsilon), x_(x) {
    alpha_ = rule_ == "z_plus" ? 1 : method.alpha;
  }

  BackwardRules table() const;

 private:
  using Rule = Variables (Rules::*)(const Node&, const Variable&, const Needs&) const;

  /// R / (z + epsilon sign(z))
  Tensor share(const Tensor& relevance, const Tensor& z) const {
    return binary(BinaryOp::divide, relevance, axpby(1, z, epsilon_, sign(z)));
  }
  Tensor by_signs(const LinearLayer& layer, const Tensor& relevance) const;
  Tensor by_squares(const LinearLayer& layer, const Tensor& relevance) const;
  Tensor in_box(const LinearLayer& layer, const Tensor& relevance) const;

  Variables layer(const Node& node, const Variable& relevance, const Needs& needs) const;
  Variables sum(const Node& node, const Variable& relevance, const Needs& needs) const;
  Variables affine(const Node& node, const Variable& relevance, const Needs& needs) const;
  Variables product_of_matrices(const Node& node, const Variable& relevance, const Needs& needs) const;
  Variables multiply(const Node& node, const Variable& relevance, const Needs& needs) const;
  Variables divide(const Node& node, const Variable& relevance, const Needs& needs) const;
  template <UnaryOp op>
  Variables sum_of(const Node& node, const Variable& relevance, const Needs& needs) const;
  Variables unchanged(const Node&, const Variable& relevance, const Needs&) const { return {relevance}; }

  std::string rule_, input_rule_;
  double epsilon_, alpha_;
  Variable x_;
};

Tensor Rules::by_signs(const LinearLayer& layer, const Tensor& relevance) const {
  const Tensor x_up = positive(layer.input), x_down = negative(layer.input);
  const Tensor w_up = positive(layer.weight), w_down = negative(layer.weight);
  // The parts of one sign: those of x_up with `a` and those of x_down with `b`.
  const auto part = [&](const Tensor& a, const Tensor& b, const Tensor& bias, double epsilon) {
    Tensor z = plus(layer.apply(x_up, a), layer.apply(x_down, b));
    if (bias.defined()) z = plus(z, bias);
    const Tensor s = binary(BinaryOp::divide, relevance, shifted(z, epsilon));
    return plus(times(x_up, layer.transposed(s, a)), times(x_down, layer.transposed(s, b)));
  };
  const Tensor bias_up = layer.bias.defined() ? positive(layer.bias) : Tensor();
  const Tensor up = part(w_up, w_down, bias_up, epsilon_);
  if (alpha_ == 1) return up;
  const Tensor bias_down = layer.bias.defined() ? negative(layer.bias) : Tensor();
  return axpby(alpha_, up, 1 - alpha_, part(w_down, w_up, bias_down, -epsilon_));
}

Tensor Rules::by_squares(const LinearLayer& layer, const Tensor& relevance) const {
  const Tensor squares = times(layer.weight, layer.weight);
  const Tensor ones = Tensor::full(layer.input.shape(), 1, layer.input.dtype(), layer.input.device());
  const Tensor s = binary(BinaryOp::divide, relevance, shifted(layer.apply(ones, squares), epsilon_));
  return times(ones, layer.transposed(s, squares));
}

Tensor Rules::in_box(const LinearLayer& layer, const Tensor& relevance) const {
  const Tensor down = negative(layer.weight);
  const Tensor ones = Tensor::full(layer.input.shape(), 1, layer.input.dtype(), layer.input.device());
  const Tensor z = axpby(1, layer.apply(layer.input, layer.weight), -1, layer.apply(ones, down));
  const Tensor s = share(relevance, z);
  return axpby(1, times(layer.input, layer.transposed(s, layer.weight)), -1, layer.transposed(s, down));
}

Variables Rules::layer(const Node& node, const Variable& relevance, const Needs& needs) const {
  const LinearLayer linear(node, needs, "LRP");
  const Tensor& r = relevance.value();
  if (input_rule_ != "same" && takes_images(node, needs, x_))
    return linear.at_input(input_rule_ == "w_squared" ? by_squares(linear, r) : in_box(linear, r));
  if (rule_ != "epsilon") return linear.at_input(by_signs(linear, r));
  const Tensor s = share(r, linear.before_activation());
  return linear.at_input(times(linear.input, linear.transposed(s, linear.weight)));
}

Variables Rules::sum(const Node& node, const Variable& relevance, const Needs& needs) const {
  const Variable s = share(relevance.value(), node.output().value());
  Variables d_inputs = node.rule()(node, s, needs);
  for (std::size_t i = 0; i < d_inputs.size(); ++i)
    if (needs[i]) d_inputs[i] = times(node.input(i).value(), d_inputs[i].value());
  return d_inputs;
}

Variables Rules::affine(const Node& node, const Variable& relevance, const Needs& needs) const {
  return node.attribute<UnaryAttribute>().p1 == 0 ? Variables{relevance} : sum(node, relevance, needs);
}

Variables Rules::product_of_matrices(const Node& node, const Variable& relevance, const Needs& needs) const {
  if (needs[0] != needs[1]) return layer(node, relevance, needs);
  if (node.attribute<MatmulOptions>().activation != Activation::identity)
    fail("LRP: a product of two matrices from the images, expected one without an activation");
  return sum(node, unary(UnaryOp::affine, relevance.value(), 0.5, 0), needs);
}

Variables Rules::multiply(const Node& node, const Variable& relevance, const Needs& needs) const {
  const Tensor r = needs[0] && needs[1] ? unary(UnaryOp::affine, relevance.value(), 0.5, 0) : relevance.value();
  const auto of = [&](std::size_t i) { return needs[i] ? Variable(sum_to(r, node.input(i).shape())) : Variable(); };
  return {of(0), of(1)};
}

Variables Rules::divide(const Node& node, const Variable& relevance, const Needs& needs) const {
  if (needs[0]) return {sum_to(relevance.value(), node.input(0).shape()), {}};
  return {{}, sum_to(relevance.value(), node.input(1).shape())};
}

template <UnaryOp op>
Variables Rules::sum_of(const Node& node, const Variable& relevance, const Needs&) const {
  const Tensor s = share(relevance.value(), node.output().value());
  return {times(unary(op, node.input(0).value(), 2), s)};
}

BackwardRules Rules::table() const {
  BackwardRules rules;
  const auto add = [&](std::string_view op, Rule rule) {
    rules.emplace(op, [self = *this, rule](const Node& node, const Variable& relevance, const Needs& needs) {
      return (self.*rule)(node, relevance, needs);
    });
  };
  for (const std::string_view op : curved_operations()) add(op, &Rules::unchanged);
  for (const std::string_view op : kSums) add(op, &Rules::sum);
  const std::initializer_list<std::pair<std::string_view, Rule>> others = {
      {"softmax", &Rules::unchanged},
      {"log_softmax", &Rules::unchanged},
      {"conv2d", &Rules::layer},
      {"conv2d_input_grad", &Rules::layer},
      {"norm", &Rules::layer},
      {"matmul", &Rules::product_of_matrices},
      {"affine", &Rules::affine},
      {"multiply", &Rules::multiply},
      {"divide", &Rules::divide},
      {"sum_abs", &Rules::sum_of<UnaryOp::abs>},
      {"sum_squares", &Rules::sum_of<UnaryOp::pow>},
  };
  for (const auto& [op, rule] : others) add(op, rule);
  return rules;
}

/// The relevance of the score: itself. Where the score is a sum over classes, which is no layer, epsilon is made up for
/// there, so that the classes' parts are the logits.
Tensor relevance_of(const Variable& score, double epsilon) {
  const bool over_classes = score.node()->op() == "reshape";
  return over_classes ? axpby(1, score.value(), epsilon, sign(score.value())) : score.value();
}

}  // namespace

void Lrp::declare(nn::Keys& keys) {
  keys.add("rule", rule, {"epsilon", "alpha_beta", "z_plus"}, "how layers share relevance");
  keys.add("input_rule", input_rule, {"same", "w_squared", "z_box"}, "how layers share it that take the images");
  keys.add("epsilon", epsilon, 1e-12, 1e6, "added to what is shared by, with its sign");
  keys.add("alpha", alpha, 1, 1e3, "weight of positive parts with alpha_beta, where negative ones have alpha - 1");
}

Attribution Lrp::compute(const AttributionCall& call) const {
  const Tensor values = of_each(call.x.shape()[0], [&](std::int64_t n) {
    const Variable image = Variable::leaf(slice(call.x, 0, n, n + 1));
    const Variable score = nn::score(call.classifier, image, call.question.rows(n, n + 1));
    const std::vector<Operation> operations = operations_between(image, score, "LRP");
    const auto takes = [&](const Operation& o) { return takes_images(*o.node, o.needs, image); };
    if (input_rule != "same" && std::ranges::none_of(operations, takes))
      fail("LRP: input_rule {}, but no convolution or linear layer takes the images themselves", input_rule);
    const BackwardRules rules = Rules(*this, image).table();
    return grad({score}, {image}, {.rules = &rules, .d_outputs = {relevance_of(score, epsilon)}}).front().value();
  });
  return {values, axpby(1, reduce(ReduceOp::sum, values, {1, 2, 3}).reshape({-1}), -1,
                        nn::scores(call.classifier, call.x, call.question))};
}

}  // namespace counterfoil::methods
