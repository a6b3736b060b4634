#include "methods/attributions/deeplift.h"

#include <algorithm>
#include <utility>

#include "autograd/matmul.h"
#include "autograd/normalisation.h"
#include "autograd/pooling.h"
#include "methods/attributions/graph.h"
#include "tensor/ops.h"

namespace counterfoil::methods {
namespace {

constexpr std::int64_t kImagesAtOnce = 64;  // two of each pair

Tensor operator+(const Tensor& a, const Tensor& b) {
  return binary(BinaryOp::add, a, b);
}
Tensor operator-(const Tensor& a, const Tensor& b) {
  return binary(BinaryOp::subtract, a, b);
}
Tensor operator*(const Tensor& a, const Tensor& b) {
  return binary(BinaryOp::multiply, a, b);
}
Tensor operator/(const Tensor& a, const Tensor& b) {
  return binary(BinaryOp::divide, a, b);
}

Tensor magnitude(const Tensor& x) {
  return unary(UnaryOp::abs, x);
}
Tensor ones_like(const Tensor& x) {
  return Tensor::full(x.shape(), 1, x.dtype(), x.device());
}

/// What an operation has for the images and for their baselines: the halves of its leading axis.
struct Pair {
  Tensor x, x0;

  Tensor mean() const { return axpby(0.5, x, 0.5, x0); }
  Tensor difference() const { return x - x0; }
};

/// The rules for one batch of images and baselines. Every derivative is 0 at the baselines: multipliers live in the
/// first half.
class Rules {
 public:
  Rules(std::int64_t images, double threshold) : images_(images), threshold_(threshold) {}

  BackwardRules table() const;

 private:
  using Rule = Variables (Rules::*)(const Node&, const Variable&, const Needs&) const;

  Pair pair(const Tensor& value, const Node& node) const;
  Tensor first_half(const Variable& d_y, const Node& node) const { return pair(d_y.value(), node).x; }
  /// D(out) / D(in), `otherwise` where D(in) is within the threshold.
  Tensor slope(const Pair& in, const Pair& out, const Tensor& otherwise) const;
  /// A multiplier with zeros for the baselines.
  static Variable with_baselines(const Tensor& multiplier);

  Variables curve(const Node& node, const Variable& d_y, const Needs& needs) const;
  /// The multiplier of z from that of y = activation(z).
  Tensor through_activation(const LinearLayer& linear, const Node& node, const Variable& d_y) const;
  Variables layer(const Node& node, const Variable& d_y, const Needs& needs) const;
  Variables product_of_matrices(const Node& node, const Variable& d_y, const Needs& needs) const;
  Variables norm(const Node& node, const Variable& d_y, const Needs& needs) const;
  Variables multiply(const Node& node, const Variable& d_y, const Needs& needs) const;
  Variables divide(const Node& node, const Variable& d_y, const Needs& needs) const;
  Variables sum_abs(const Node& node, const Variable& d_y, const Needs& needs) const;
  Variables sum_squares(const Node& node, const Variable& d_y, const Needs& needs) const;
  Variables max_pool(const Node& node, const Variable& d_y, const Needs& needs) const;
  Variables max(const Node& node, const Variable& d_y, const Needs& needs) const;
  template <bool largest>
  Variables choice(const Node& node, const Variable& d_y, const Needs& needs) const;
  Variables log_softmax(const Node& node, const Variable& d_y, const Needs& needs) const;
  Variables softmax(const Node& node, const Variable& d_y, const Needs& needs) const;
  Tensor through_log_softmax(const Pair& z, const Pair& log_p, const Tensor& d) const;

  std::int64_t images_;
  double threshold_;
};

Pair Rules::pair(const Tensor& value, const Node& node) const {
  const std::int64_t rows = value.shape().rank() == 0 ? 0 : value.shape()[0];
  if (rows == 0 || rows % (2 * images_) != 0) {
    fail("DeepLIFT: {} has {} where the leading axis should be that of the {} images and baselines", node.op(),
         value.shape().to_string(), 2 * images_);
  }
  return {slice(value, 0, 0, rows / 2), slice(value, 0, rows / 2, rows)};
}

Tensor Rules::slope(const Pair& in, const Pair& out, const Tensor& otherwise) const {
  const Tensor d_in = in.difference();
  const Tensor limit = axpby(threshold_, magnitude(in.x), threshold_, magnitude(in.x0));
  return select(binary(BinaryOp::greater, magnitude(d_in), limit), out.difference() / d_in, otherwise);
}

Variable Rules::with_baselines(const Tensor& multiplier) {
  return concat(std::vector<Tensor>{multiplier, multiplier.zeros_like()}, 0);
}

Variables Rules::curve(const Node& node, const Variable& d_y, const Needs& needs) const {
  const Tensor m = first_half(d_y, node);
  const Tensor derivative = first_half(node.rule()(node, ones_like(d_y.value()), needs)[0], node);
  return {with_baselines(m * slope(pair(node.input(0).value(), node), pair(node.output().value(), node), derivative))};
}

Tensor Rules::through_activation(const LinearLayer& linear, const Node& node, const Variable& d_y) const {
  if (linear.activation == Activation::identity) return d_y.value();
  const Tensor y = node.output().value();
  const Tensor derivative = activation_backward(linear.activation, y, ones_like(y), linear.slope);
  const Tensor rescaled = slope(pair(linear.before_activation(), node), pair(y, node), pair(derivative, node).x);
  return with_baselines(first_half(d_y, node) * rescaled).value();
}

Variables Rules::layer(const Node& node, const Variable& d_y, const Needs& needs) const {
  const LinearLayer linear(node, needs, "DeepLIFT");
  return linear.at_input(linear.transposed(through_activation(linear, node, d_y), linear.weight));
}

Variables Rules::product_of_matrices(const Node& node, const Variable& d_y, const Needs& needs) const {
  if (needs[0] != needs[1]) return layer(node, d_y, needs);
  const auto& options = node.attribute<MatmulOptions>();
  if (node.output().shape().rank() != 3 || options.activation != Activation::identity)
    fail("DeepLIFT: a product of two matrices from the images, expected one for each image and no activation");
  // Each operand as a layer whose weight is the mean of the other.
  const auto averaged = [&](std::size_t i) {
    const Tensor mean = pair(node.input(i).value(), node).mean();
    return concat(std::vector<Tensor>{mean, mean}, 0);
  };
  const LinearLayer left(node, {true, false}, "DeepLIFT"), right(node, {false, true}, "DeepLIFT");
  Variables d_inputs(needs.size());
  d_inputs[0] = left.transposed(d_y.value(), averaged(1));
  d_inputs[1] = right.transposed(d_y.value(), averaged(0));
  return d_inputs;
}

// By an image's own statistics, over P pixels: z = gamma c r + beta with c = x - mean(x), v = mean(c^2) and
// r = (v + epsilon)^(-1/2), of which the product is split by both orders and r is a curve:
//   m_v = sum(gamma m (c + c_0) / 2) D(r) / D(v),   m_c = gamma m (r + r_0) / 2 + m_v (c + c_0) / P,
//   m_x = m_c - mean(m_c)
Variables Rules::norm(const Node& node, const Variable& d_y, const Needs& needs) const {
  const auto& a = node.attribute<NormAttribute>();
  if (!a.statistics_of_input) return layer(node, d_y, needs);
  if (!a.per_image) fail("DeepLIFT: a norm by the statistics of the batch, expected a classifier in eval mode");
  const LinearLayer linear(node, needs, "DeepLIFT");
  const auto planes = [](const Tensor& t) { return t.reshape({t.shape()[0], 1, 1, t.shape()[1]}); };
  const Tensor gamma = broadcast_to(planes(node.input(1).value()), planes(a.mean).shape());
  const Tensor m = first_half(through_activation(linear, node, d_y), node) * pair(gamma, node).x;
  const Pair c = pair(node.input(0).value() - planes(a.mean), node), v = pair(planes(a.variance), node);
  const auto inverse_deviation = [&](const Tensor& variance) {
    return unary(UnaryOp::reciprocal, unary(UnaryOp::sqrt, unary(UnaryOp::affine, variance, 1, a.epsilon)));
  };
  const Pair r{inverse_deviation(v.x), inverse_deviation(v.x0)};
  const Tensor derivative = unary(UnaryOp::affine, unary(UnaryOp::pow, r.x, 3), -0.5, 0);
  const Tensor m_v = reduce(ReduceOp::sum, m * c.mean(), {1, 2}) * slope(v, r, derivative);
  const double pixels = static_cast<double>(m.shape()[1] * m.shape()[2]);
  const Tensor m_c = axpby(1, m * r.mean(), 2 / pixels, m_v * c.mean());
  return linear.at_input(
      with_baselines(axpby(1, m_c, -1 / pixels, broadcast_to(reduce(ReduceOp::sum, m_c, {1, 2}), m.shape()))).value());
}

Variables Rules::multiply(const Node& node, const Variable& d_y, const Needs& needs) const {
  if (needs[0] != needs[1]) return node.rule()(node, d_y, needs);
  const Tensor m = first_half(d_y, node);
  const Pair a = pair(node.input(0).value(), node), b = pair(node.input(1).value(), node);
  return {with_baselines(sum_to(m * b.mean(), a.x.shape())), with_baselines(sum_to(m * a.mean(), b.x.shape()))};
}

// a / b as a times r = 1 / b: D(r) = -r r_0 D(b)
Variables Rules::divide(const Node& node, const Variable& d_y, const Needs& needs) const {
  if (!needs[1]) return node.rule()(node, d_y, needs);
  const Tensor m = first_half(d_y, node);
  const Pair b = pair(node.input(1).value(), node);
  const Pair r{unary(UnaryOp::reciprocal, b.x), unary(UnaryOp::reciprocal, b.x0)};
  const Tensor& dividend = node.input(0).value();
  const Tensor a = needs[0] ? pair(dividend, node).mean() : dividend;
  const Tensor of_b = unary(UnaryOp::affine, sum_to(m * a * r.x * r.x0, b.x.shape()), -1, 0);
  return {needs[0] ? with_baselines(sum_to(m * r.mean(), a.shape())) : Variable(), with_baselines(of_b)};
}

Variables Rules::sum_abs(const Node& node, const Variable& d_y, const Needs&) const {
  const Pair x = pair(node.input(0).value(), node);
  const Tensor rescaled = slope(x, {magnitude(x.x), magnitude(x.x0)}, unary(UnaryOp::sign, x.x));
  return {with_baselines(first_half(d_y, node) * rescaled)};
}

Variables Rules::sum_squares(const Node& node, const Variable& d_y, const Needs&) const {
  const Pair x = pair(node.input(0).value(), node);
  return {with_baselines(first_half(d_y, node) * (x.x + x.x0))};
}

Variables Rules::max_pool(const Node& node, const Variable& d_y, const Needs&) const {
  const Tensor m = first_half(d_y, node);
  const Pair x = pair(node.input(0).value(), node), y = pair(node.output().value(), node);
  const Pair winner = pair(node.attribute<MaxPoolAttribute>().index, node);
  const Tensor rises = binary(BinaryOp::greater_equal, y.x, y.x0), falls = unary(UnaryOp::affine, rises, -1, 1);
  const auto to = [&](const Tensor& index, const Tensor& chosen, const Pair& at_winner) {
    return pool_scatter(m * chosen * slope(at_winner, y, ones_like(m)), index, x.x.shape());
  };
  return {with_baselines(to(winner.x, rises, {y.x, pool_gather(x.x0, winner.x)}) +
                         to(winner.x0, falls, {pool_gather(x.x, winner.x0), y.x0}))};
}

Variables Rules::max(const Node& node, const Variable& d_y, const Needs&) const {
  const Tensor m = first_half(d_y, node);
  const Pair x = pair(node.input(0).value(), node), y = pair(node.output().value(), node);
  const Tensor rises = binary(BinaryOp::greater_equal, y.x, y.x0), falls = unary(UnaryOp::affine, rises, -1, 1);
  // 1 / n at each of n equal winners
  const auto share = [&](const Tensor& values, const Tensor& largest) {
    const Tensor winners = binary(BinaryOp::equal, values, largest);
    return winners / sum_to(winners, largest.shape());
  };
  const Pair whole{broadcast_to(y.x, x.x.shape()), broadcast_to(y.x0, x.x.shape())};
  const Tensor chosen = rises * share(x.x, y.x) + falls * share(x.x0, y.x0);
  return {with_baselines(m * chosen * slope(x, whole, ones_like(chosen)))};
}

template <bool largest>
Variables Rules::choice(const Node& node, const Variable& d_y, const Needs& needs) const {
  const Tensor m = first_half(d_y, node);
  const Pair y = pair(node.output().value(), node);
  const Pair a = pair(broadcast_to(node.input(0).value(), d_y.shape()), node);
  const Pair b = pair(broadcast_to(node.input(1).value(), d_y.shape()), node);
  const auto beats = [](const Tensor& left, const Tensor& right) {
    return largest ? binary(BinaryOp::greater_equal, left, right) : binary(BinaryOp::greater_equal, right, left);
  };
  const Tensor takes_a = select(beats(y.x, y.x0), beats(a.x, b.x), beats(a.x0, b.x0));
  const auto multiplier = [&](std::size_t i, const Pair& in, const Tensor& taken) -> Variable {
    if (!needs[i]) return {};
    Shape shape = node.input(i).shape();
    return with_baselines(sum_to(m * taken * slope(in, y, ones_like(m)), shape.with(0, shape[0] / 2)));
  };
  return {multiplier(0, a, takes_a), multiplier(1, b, unary(UnaryOp::affine, takes_a, -1, 1))};
}

// With e = exp(z) of image and baseline divided by the same number, and L = log(sum e):
//   m_j = d_j - sum(d) (D(e_j) / D(z_j)) / (D(sum e) / D(L))
Tensor Rules::through_log_softmax(const Pair& z, const Pair& log_p, const Tensor& d) const {
  const Tensor highest = binary(BinaryOp::maximum, reduce(ReduceOp::max, z.x, {1}), reduce(ReduceOp::max, z.x0, {1}));
  const auto exponential = [&](const Tensor& values) { return unary(UnaryOp::exp, values - highest); };
  const Pair e{exponential(z.x), exponential(z.x0)};
  const Pair total{reduce(ReduceOp::sum, e.x, {1}), reduce(ReduceOp::sum, e.x0, {1})};
  const auto first_column = [](const Tensor& t) { return slice(t, 1, 0, 1); };
  const Pair log_total{first_column(z.x - log_p.x), first_column(z.x0 - log_p.x0)};
  const Tensor share = slope(z, e, e.x) / slope(log_total, total, total.x);
  return d - reduce(ReduceOp::sum, d, {1}) * share;
}

Variables Rules::log_softmax(const Node& node, const Variable& d_y, const Needs&) const {
  const Pair z = pair(node.input(0).value(), node), y = pair(node.output().value(), node);
  return {with_baselines(through_log_softmax(z, y, first_half(d_y, node)))};
}

Variables Rules::softmax(const Node& node, const Variable& d_y, const Needs&) const {
  const Pair z = pair(node.input(0).value(), node), p = pair(node.output().value(), node);
  const Pair log_p{counterfoil::softmax(z.x, true), counterfoil::softmax(z.x0, true)};
  return {with_baselines(through_log_softmax(z, log_p, first_half(d_y, node) * slope(log_p, p, p.x)))};
}

BackwardRules Rules::table() const {
  BackwardRules rules;
  const auto add = [&](std::string_view op, Rule rule) {
    rules.emplace(op, [self = *this, rule](const Node& node, const Variable& d_y, const Needs& needs) {
      return (self.*rule)(node, d_y, needs);
    });
  };
  for (const std::string_view op : curved_operations()) add(op, &Rules::curve);
  const std::initializer_list<std::pair<std::string_view, Rule>> others = {
      {"conv2d", &Rules::layer},
      {"matmul", &Rules::product_of_matrices},
      {"norm", &Rules::norm},
      {"multiply", &Rules::multiply},
      {"divide", &Rules::divide},
      {"sum_abs", &Rules::sum_abs},
      {"sum_squares", &Rules::sum_squares},
      {"max_pool", &Rules::max_pool},
      {"max", &Rules::max},
      {"maximum", &Rules::choice<true>},
      {"minimum", &Rules::choice<false>},
      {"log_softmax", &Rules::log_softmax},
      {"softmax", &Rules::softmax},
  };
  for (const auto& [op, rule] : others) add(op, rule);
  return rules;
}

/// The sum of an image's attributions against each of some baselines, [1,H,W,C], all on one tape. x [P,H,W,C] is the
/// image for each of them.
Tensor sum_against(nn::Classifier& classifier, const Tensor& x, const Tensor& baselines, const nn::Question& question,
                   double threshold) {
  const std::int64_t pairs = x.shape()[0];
  const Variable both = Variable::leaf(concat(std::vector<Tensor>{x, baselines}, 0));
  const Variable score = nn::score(classifier, both, question);
  operations_between(both, score, "DeepLIFT");
  const Tensor one = Tensor::full({pairs}, 1, score.dtype(), score.device());
  const Variable seed = concat(std::vector<Tensor>{one, one.zeros_like()}, 0);
  const BackwardRules rules = Rules(pairs, threshold).table();
  const Tensor multipliers = grad({score}, {both}, {.rules = &rules, .d_outputs = {seed}}).front().value();
  return reduce(ReduceOp::sum, slice(multipliers, 0, 0, pairs) * (x - baselines), {0});
}

}  // namespace

void DeepLift::declare(nn::Keys& keys) {
  keys.add("threshold", threshold, 0, 1, "of |x - x_0| / (|x| + |x_0|): up to it a derivative is taken");
}

Attribution DeepLift::compute(const AttributionCall& call) const {
  const double limit = call.x.dtype() == DType::f32 ? std::max(threshold, 0x1p-20) : threshold;
  const Shape& shape = call.x.shape();
  const std::int64_t count = call.baselines.shape().rank() == 5 ? call.baselines.shape()[1] : 1;
  const std::int64_t at_once = std::max<std::int64_t>(nn::images_at_once(shape, kImagesAtOnce) / 2, 1);
  const Tensor sets = call.baselines.reshape({shape[0], count, shape[1], shape[2], shape[3]});
  const Tensor values = of_each(shape[0], [&](std::int64_t n) {
    const Tensor image = slice(call.x, 0, n, n + 1), its = slice(sets, 0, n, n + 1);
    Tensor total = image.zeros_like();
    for (std::int64_t begin = 0; begin < count; begin += at_once) {
      const std::int64_t pairs = std::min(at_once, count - begin);
      const Shape together = shape.with(0, pairs);
      const Tensor part = slice(its, 1, begin, begin + pairs).reshape(together);
      total = total + sum_against(call.classifier, broadcast_to(image, together), part,
                                  call.question.copies(n, 2 * pairs), limit);
    }
    return unary(UnaryOp::affine, total, 1.0 / static_cast<double>(count), 0);
  });
  return {values, completeness_gap(call.classifier, call.x, call.question, call.baselines, values)};
}

}  // namespace counterfoil::methods
