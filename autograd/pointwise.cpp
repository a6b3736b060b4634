#include "autograd/pointwise.h"

#include <limits>
#include <utility>
#include <vector>

#include "autograd/reduction.h"
#include "tensor/ops.h"

namespace counterfoil {

namespace {

/// d_y * op'(x) of a piecewise-linear op: linear in d_y, and constant in x wherever it has a derivative at all. Node
/// "piecewise_backward", inputs d_y and the constant x.
Variable piecewise_backward(const UnaryAttribute& a, const Variable& x, const Variable& d_y) {
  return record(
      "piecewise_backward", unary_backward(a.op, x.value(), d_y.value(), a.p0, a.p1), {d_y, x.detach()},
      [](const Node& node, const Variable& d, const Needs&) -> Variables {
        return {piecewise_backward(node.attribute<UnaryAttribute>(), node.input(1), d), {}};
      },
      a);
}

/// d_y * op'(x) in elementary operations.
Variable composed_backward(const UnaryAttribute& a, const Variable& x, const Variable& y, const Variable& d_y) {
  switch (a.op) {
    case UnaryOp::affine:
      return affine(d_y, a.p0, 0);
    case UnaryOp::exp:
      return d_y * y;
    case UnaryOp::log:
      return d_y / x;
    case UnaryOp::sqrt:
      return affine(d_y / y, 0.5, 0);
    case UnaryOp::reciprocal:
      return -(d_y * square(y));
    case UnaryOp::pow:
      return d_y * affine(pow(x, a.p0 - 1), a.p0, 0);
    case UnaryOp::sin:
      return d_y * cos(x);
    case UnaryOp::cos:
      return -(d_y * sin(x));
    case UnaryOp::tanh:
      return d_y * (1 - square(y));
    case UnaryOp::sigmoid:
      return d_y * (y - square(y));
    case UnaryOp::softplus:
      return d_y * sigmoid(x);
    case UnaryOp::elu: {
      // The exponential sees min(x, 0), so that it stays finite where it is not chosen.
      const Variable below = affine(exp(clip(x, -std::numeric_limits<double>::infinity(), 0)), a.p0, 0);
      const Variable above = Tensor::full(x.shape(), 1, x.dtype(), x.device());
      return d_y * select(greater_than(x, 0), above, below);
    }
    case UnaryOp::abs:
    case UnaryOp::relu:
    case UnaryOp::leaky_relu:
    case UnaryOp::clip:
      return piecewise_backward(a, x, d_y);
    case UnaryOp::sign:
    case UnaryOp::greater_than:
    case UnaryOp::inside:
      return {};
  }
  fail("unknown unary operation {}", static_cast<int>(a.op));
}

Variables unary_rule(const Node& node, const Variable& d_y, const Needs&) {
  const auto& a = node.attribute<UnaryAttribute>();
  if (is_recording()) return {composed_backward(a, node.input(0), node.output(), d_y)};
  return {unary_backward(a.op, node.input(0).value(), d_y.value(), a.p0, a.p1)};
}

Variable unary(const char* name, UnaryOp op, const Variable& x, double p0 = 0, double p1 = 0) {
  return record(name, unary(op, x.value(), p0, p1), {x}, unary_rule, UnaryAttribute{op, p0, p1});
}

/// The rule of maximum and minimum: the gradient goes where the mask (a chosen) is 1.
template <BinaryOp chosen>
Variables choice_rule(const Node& node, const Variable& d_y, const Needs& needs) {
  const Tensor& a = node.input(0).value();
  const Tensor& b = node.input(1).value();
  const Variable mask =
      chosen == BinaryOp::maximum ? binary(BinaryOp::greater_equal, a, b) : binary(BinaryOp::greater_equal, b, a);
  const Variable d_a = d_y * mask;
  return {needs[0] ? sum_to(d_a, a.shape()) : Variable(), needs[1] ? sum_to(d_y - d_a, b.shape()) : Variable()};
}

/// Dropout with given random words; its own adjoint.
Variable dropout_from(const Variable& x, RandomKey key, std::uint64_t first, double probability, bool per_channel) {
  return record("dropout", dropout(x.value(), key, first, probability, per_channel), {x},
                [=](const Node&, const Variable& d_y, const Needs&) -> Variables {
                  return {dropout_from(d_y, key, first, probability, per_channel)};
                });
}

}  // namespace

Variable add(const Variable& a, const Variable& b) {
  return record("add", binary(BinaryOp::add, a.value(), b.value()), {a, b},
                [](const Node& node, const Variable& d_y, const Needs& needs) -> Variables {
                  return {needs[0] ? sum_to(d_y, node.input(0).shape()) : Variable(),
                          needs[1] ? sum_to(d_y, node.input(1).shape()) : Variable()};
                });
}

Variable subtract(const Variable& a, const Variable& b) {
  return record("subtract", binary(BinaryOp::subtract, a.value(), b.value()), {a, b},
                [](const Node& node, const Variable& d_y, const Needs& needs) -> Variables {
                  return {needs[0] ? sum_to(d_y, node.input(0).shape()) : Variable(),
                          needs[1] ? -sum_to(d_y, node.input(1).shape()) : Variable()};
                });
}

Variable multiply(const Variable& a, const Variable& b) {
  return record("multiply", binary(BinaryOp::multiply, a.value(), b.value()), {a, b},
                [](const Node& node, const Variable& d_y, const Needs& needs) -> Variables {
                  const Variable& left = node.input(0);
                  const Variable& right = node.input(1);
                  return {needs[0] ? sum_to(d_y * right, left.shape()) : Variable(),
                          needs[1] ? sum_to(d_y * left, right.shape()) : Variable()};
                });
}

Variable divide(const Variable& a, const Variable& b) {
  return record("divide", binary(BinaryOp::divide, a.value(), b.value()), {a, b},
                [](const Node& node, const Variable& d_y, const Needs& needs) -> Variables {
                  const Variable& dividend = node.input(0);
                  const Variable& divisor = node.input(1);
                  const Variable d_dividend = d_y / divisor;  // before the sum over broadcast axes
                  return {needs[0] ? sum_to(d_dividend, dividend.shape()) : Variable(),
                          needs[1] ? -sum_to(d_dividend * node.output(), divisor.shape()) : Variable()};
                });
}

Variable maximum(const Variable& a, const Variable& b) {
  return record("maximum", binary(BinaryOp::maximum, a.value(), b.value()), {a, b}, choice_rule<BinaryOp::maximum>);
}

Variable minimum(const Variable& a, const Variable& b) {
  return record("minimum", binary(BinaryOp::minimum, a.value(), b.value()), {a, b}, choice_rule<BinaryOp::minimum>);
}

Variable affine(const Variable& x, double scale, double shift) {
  return unary("affine", UnaryOp::affine, x, scale, shift);
}

Variable operator+(const Variable& a, const Variable& b) {
  return add(a, b);
}
Variable operator-(const Variable& a, const Variable& b) {
  return subtract(a, b);
}
Variable operator*(const Variable& a, const Variable& b) {
  return multiply(a, b);
}
Variable operator/(const Variable& a, const Variable& b) {
  return divide(a, b);
}
Variable operator-(const Variable& x) {
  return affine(x, -1, 0);
}
Variable operator+(const Variable& x, double shift) {
  return affine(x, 1, shift);
}
Variable operator-(const Variable& x, double shift) {
  return affine(x, 1, -shift);
}
Variable operator*(const Variable& x, double scale) {
  return affine(x, scale, 0);
}
Variable operator/(const Variable& x, double divisor) {
  return affine(x, 1 / divisor, 0);
}
Variable operator+(double shift, const Variable& x) {
  return affine(x, 1, shift);
}
Variable operator-(double minuend, const Variable& x) {
  return affine(x, -1, minuend);
}
Variable operator*(double scale, const Variable& x) {
  return affine(x, scale, 0);
}
Variable operator/(double dividend, const Variable& x) {
  return affine(reciprocal(x), dividend, 0);
}

Variable abs(const Variable& x) {
  return unary("abs", UnaryOp::abs, x);
}

Variable square(const Variable& x) {
  return record("square", binary(BinaryOp::multiply, x.value(), x.value()), {x},
                [](const Node& node, const Variable& d_y, const Needs&) -> Variables {
                  return {affine(d_y * node.input(0), 2, 0)};
                });
}

Variable exp(const Variable& x) {
  return unary("exp", UnaryOp::exp, x);
}
Variable log(const Variable& x) {
  return unary("log", UnaryOp::log, x);
}
Variable sqrt(const Variable& x) {
  return unary("sqrt", UnaryOp::sqrt, x);
}
Variable reciprocal(const Variable& x) {
  return unary("reciprocal", UnaryOp::reciprocal, x);
}
Variable pow(const Variable& x, double exponent) {
  return unary("pow", UnaryOp::pow, x, exponent);
}
Variable sin(const Variable& x) {
  return unary("sin", UnaryOp::sin, x);
}
Variable cos(const Variable& x) {
  return unary("cos", UnaryOp::cos, x);
}
Variable tanh(const Variable& x) {
  return unary("tanh", UnaryOp::tanh, x);
}
Variable sigmoid(const Variable& x) {
  return unary("sigmoid", UnaryOp::sigmoid, x);
}
Variable softplus(const Variable& x) {
  return unary("softplus", UnaryOp::softplus, x);
}
Variable relu(const Variable& x) {
  return unary("relu", UnaryOp::relu, x);
}
Variable leaky_relu(const Variable& x, double slope) {
  return unary("leaky_relu", UnaryOp::leaky_relu, x, slope);
}
Variable elu(const Variable& x, double alpha) {
  return unary("elu", UnaryOp::elu, x, alpha);
}
Variable clip(const Variable& x, double low, double high) {
  return unary("clip", UnaryOp::clip, x, low, high);
}
Variable projected_clip(const Variable& x, double low, double high) {
  return record("projected_clip", unary(UnaryOp::clip, x.value(), low, high), {x},
                [](const Node& node, const Variable& d_y, const Needs&) -> Variables {
                  // d_y [sign(x - y) d_y >= 0]: the sign is 0 inside, 1 above and -1 below.
                  const std::vector<Tensor> inputs{node.input(0).value(), node.output().value(), d_y.value()};
                  std::vector<ChainStep> steps{{BinaryOp::subtract, 1},
                                               {UnaryOp::sign},
                                               {BinaryOp::multiply, 2},
                                               {UnaryOp::inside, 0, std::numeric_limits<double>::infinity()}};
                  if (is_recording()) return {d_y * Variable(pointwise_chain(inputs, steps))};
                  steps.emplace_back(2, BinaryOp::multiply);
                  return {pointwise_chain(inputs, steps)};
                });
}

Variable activate(const Variable& x, Activation activation, double slope) {
  switch (activation) {
    case Activation::identity:
      return x;
    case Activation::relu:
      return relu(x);
    case Activation::leaky_relu:
      return leaky_relu(x, slope);
    case Activation::tanh:
      return tanh(x);
    case Activation::sigmoid:
      return sigmoid(x);
  }
  fail("unknown activation {}", static_cast<int>(activation));
}

Variable activation_backward(Activation activation, const Variable& y, const Variable& d_y, double slope) {
  if (activation == Activation::identity) return d_y;
  if (!is_recording()) return activation_backward(activation, y.value(), d_y.value(), slope);
  switch (activation) {
    case Activation::identity:
      break;
    // The output of relu and leaky_relu has the sign of the input, so their derivatives can be read from either.
    case Activation::relu:
      return piecewise_backward({UnaryOp::relu}, y, d_y);
    case Activation::leaky_relu:
      return piecewise_backward({UnaryOp::leaky_relu, slope}, y, d_y);
    case Activation::tanh:
      return d_y * (1 - square(y));
    case Activation::sigmoid:
      return d_y * (y - square(y));
  }
  fail("unknown activation {}", static_cast<int>(activation));
}

Variable greater_than(const Variable& x, double threshold) {
  return unary(UnaryOp::greater_than, x.value(), threshold);
}

Variable select(const Variable& condition, const Variable& a, const Variable& b) {
  return record("select", select(condition.value(), a.value(), b.value()), {condition.detach(), a, b},
                [](const Node& node, const Variable& d_y, const Needs& needs) -> Variables {
                  const Variable zeros = d_y.value().zeros_like();
                  return {Variable(), needs[1] ? select(node.input(0), d_y, zeros) : Variable(),
                          needs[2] ? select(node.input(0), zeros, d_y) : Variable()};
                });
}

Variable dropout(const Variable& x, double probability, Random& random, bool per_channel) {
  const std::int64_t words = per_channel ? x.shape()[0] * x.shape()[-1] : x.shape().size();
  const std::uint64_t first = random.reserve(static_cast<std::uint64_t>(words));
  return dropout_from(x, random.key(), first, probability, per_channel);
}

}  // namespace counterfoil
