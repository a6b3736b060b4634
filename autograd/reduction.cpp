#include "autograd/reduction.h"

#include "autograd/pointwise.h"
#include "autograd/shaping.h"

namespace counterfoil {

Variable sum(const Variable& x, const Axes& axes) {
  return record("sum", reduce(ReduceOp::sum, x.value(), axes), {x},
                [](const Node& node, const Variable& d_y, const Needs&) -> Variables {
                  return {broadcast_to(d_y, node.input(0).shape())};
                });
}

Variable sum_abs(const Variable& x, const Axes& axes) {
  return record("sum_abs", reduce(ReduceOp::sum_abs, x.value(), axes), {x},
                [](const Node& node, const Variable& d_y, const Needs&) -> Variables {
                  return {d_y * unary(UnaryOp::sign, node.input(0).value())};
                });
}

Variable sum_squares(const Variable& x, const Axes& axes) {
  return record("sum_squares", reduce(ReduceOp::sum_squares, x.value(), axes), {x},
                [](const Node& node, const Variable& d_y, const Needs&) -> Variables {
                  return {affine(d_y, 2, 0) * node.input(0)};
                });
}

Variable mean(const Variable& x, const Axes& axes) {
  const Variable total = sum(x, axes);
  const std::int64_t count = total.shape().size() == 0 ? 1 : x.shape().size() / total.shape().size();
  if (count == 0) fail("mean: over no elements of {}", x.shape().to_string());
  return affine(total, 1.0 / static_cast<double>(count), 0);
}

Variable sum_to(const Variable& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  return record("sum_to", sum_to(x.value(), shape), {x},
                [](const Node& node, const Variable& d_y, const Needs&) -> Variables {
                  return {broadcast_to(d_y, node.input(0).shape())};
                });
}

Variable max(const Variable& x, const Axes& axes) {
  return record("max", reduce(ReduceOp::max, x.value(), axes), {x},
                [axes](const Node& node, const Variable& d_y, const Needs&) -> Variables {
                  const Tensor winners = binary(BinaryOp::equal, node.input(0).value(), node.output().value());
                  return {d_y * binary(BinaryOp::divide, winners, reduce(ReduceOp::sum, winners, axes))};
                });
}

Variable norm_per_image(const Variable& x, double epsilon) {
  Axes axes;
  for (int axis = 1; axis < x.shape().rank(); ++axis) axes.push_back(axis);
  // A batch of scalars has nothing to sum: no axes would mean all of them.
  return sqrt(affine(axes.empty() ? square(x) : sum_squares(x, axes), 1, epsilon));
}

Variable softmax(const Variable& x) {
  // d_x = y (d_y - sum(d_y y))
  return record("softmax", softmax(x.value(), false), {x},
                [](const Node& node, const Variable& d_y, const Needs&) -> Variables {
                  const Variable y = node.output();
                  if (!is_recording()) return {softmax_backward(y.value(), d_y.value(), false)};
                  const Variable product = d_y * y;
                  return {product - y * sum(product, {1})};
                });
}

Variable log_softmax(const Variable& x) {
  // d_x = d_y - softmax(x) sum(d_y)
  return record("log_softmax", softmax(x.value(), true), {x},
                [](const Node& node, const Variable& d_y, const Needs&) -> Variables {
                  const Variable y = node.output();
                  if (!is_recording()) return {softmax_backward(y.value(), d_y.value(), true)};
                  return {d_y - exp(y) * sum(d_y, {1})};
                });
}

}  // namespace counterfoil
