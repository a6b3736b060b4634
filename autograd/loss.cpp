#include "autograd/loss.h"

#include <algorithm>
#include <utility>

#include "autograd/pointwise.h"
#include "autograd/reduction.h"
#include "autograd/shaping.h"

namespace counterfoil {

namespace {

/// What multiplies d_loss * scale in the derivative of op(a, b) with respect to a.
Variable loss_slope(LossOp op, const Variable& a, const Variable& b) {
  switch (op) {
    case LossOp::bce_with_logits:
      return sigmoid(a) - b;
    case LossOp::l1:
      return unary(UnaryOp::sign, (a - b).value());
    case LossOp::l2:
      return affine(a - b, 2, 0);
    case LossOp::hinge:
      return -(b * greater_than(affine(a * b, -1, 1), 0));
  }
  fail("unknown loss {}", static_cast<int>(op));
}

/// Mean of op(a, b) over all elements, shape [1]. For l1 and l2 the gradient to b is minus that to a; the others give
/// none to b.
Variable mean_loss(const char* name, LossOp op, const Variable& a, const Variable& b) {
  if (a.shape() != b.shape()) fail("{}: shapes {} and {} differ", name, a.shape().to_string(), b.shape().to_string());
  if (a.shape().size() == 0) fail("{}: the mean over no elements, shape {}", name, a.shape().to_string());
  const double scale = 1.0 / static_cast<double>(a.shape().size());
  const bool symmetric = op == LossOp::l1 || op == LossOp::l2;
  return record(
      name, loss(op, a.value(), b.value(), scale).reshape(Shape{1}), {a, symmetric ? b : b.detach()},
      [](const Node& node, const Variable& d_y, const Needs& needs) -> Variables {
        const Variable& left = node.input(0);
        const Variable& right = node.input(1);
        const LossOp kind = node.attribute<LossOp>();
        const double weight = 1.0 / static_cast<double>(left.shape().size());
        const Variable d_left = is_recording()
                                    ? affine(d_y, weight, 0) * loss_slope(kind, left, right)
                                    : loss_backward(kind, left.value(), right.value(),
                                                    d_y.value().reshape(reduced_shape(left.shape(), {})), weight);
        return {d_left, needs[1] ? -d_left : Variable()};
      },
      op);
}

Tensor full_like(const Variable& x, double value) {
  return Tensor::full(x.shape(), value, x.dtype(), x.device());
}

/// Adds the gradient of sum over one axis of |x[i + 1] - x[i]|^beta, weighted per image by d [N,1,1,1], to d_x.
Variable difference_penalty_gradient(const Variable& x, const Variable& d, int axis, double beta) {
  const std::int64_t extent = x.shape()[axis];
  const Variable step = slice(x, axis, 1, extent) - slice(x, axis, 0, extent - 1);
  Variable slope;
  if (beta == 1) {
    slope = unary(UnaryOp::sign, step.value());
  } else if (beta == 2) {
    slope = affine(step, 2, 0);
  } else {
    slope = affine(pow(abs(step), beta - 1) * unary(UnaryOp::sign, step.value()), beta, 0);
  }
  const Variable d_step = d * slope;
  std::vector<std::int64_t> after(4, 0);
  after[static_cast<std::size_t>(axis)] = 1;
  return pad(d_step, x.shape(), after) - pad(d_step, x.shape(), std::vector<std::int64_t>(4, 0));
}

/// [N] total variations of x [N,H,W,C].
Variable total_variation_per_image(const Variable& x, double beta) {
  return record("total_variation", total_variation(x.value(), beta), {x},
                [beta](const Node& node, const Variable& d_y, const Needs&) -> Variables {
                  const Variable& image = node.input(0);
                  if (!is_recording()) return {total_variation_backward(image.value(), d_y.value(), beta)};
                  const Variable d = reshape(d_y, Shape{image.shape()[0], 1, 1, 1});
                  Variable d_x = full_like(image, 0);
                  for (const int axis : {1, 2}) {
                    if (image.shape()[axis] > 1) d_x = d_x + difference_penalty_gradient(image, d, axis, beta);
                  }
                  return {d_x};
                });
}

}  // namespace

Variable bce_with_logits(const Variable& logits, const Variable& targets) {
  return mean_loss("bce_with_logits", LossOp::bce_with_logits, logits, targets);
}

Variable bce_with_logits(const Variable& logits, double target) {
  return bce_with_logits(logits, full_like(logits, target));
}

Variable l1_loss(const Variable& a, const Variable& b) {
  return mean_loss("l1_loss", LossOp::l1, a, b);
}
Variable l2_loss(const Variable& a, const Variable& b) {
  return mean_loss("l2_loss", LossOp::l2, a, b);
}

Variable cross_entropy(const Variable& logits, const Tensor& labels) {
  return mean(cross_entropy_per_row(logits, labels));
}

Variable cross_entropy_per_row(const Variable& logits, const Tensor& labels) {
  return record("cross_entropy", cross_entropy(logits.value(), labels), {logits, labels},
                [](const Node& node, const Variable& d_y, const Needs&) -> Variables {
                  const Variable& rows = node.input(0);
                  const Tensor& truth = node.input(1).value();
                  if (!is_recording()) return {cross_entropy_backward(rows.value(), truth, d_y.value()), {}};
                  const Tensor target = one_hot(truth, rows.shape()[1], rows.dtype());
                  return {(softmax(rows) - target) * reshape(d_y, Shape{rows.shape()[0], 1}), {}};
                });
}

Variable hinge_discriminator(const Variable& real_logits, const Variable& fake_logits) {
  return mean_loss("hinge", LossOp::hinge, real_logits, full_like(real_logits, 1)) +
         mean_loss("hinge", LossOp::hinge, fake_logits, full_like(fake_logits, -1));
}

Variable hinge_generator(const Variable& fake_logits) {
  return -reshape(mean(fake_logits), Shape{1});
}

Variable gaussian_kl(const Variable& mean, const Variable& log_variance) {
  // 1/2 sum(exp(log_variance) + mean^2 - 1 - log_variance)
  const Variable total = sum(exp(log_variance) + square(mean) - log_variance - 1);
  return reshape(affine(total, 0.5 / static_cast<double>(std::max<std::int64_t>(mean.shape()[0], 1)), 0), Shape{1});
}

Variable categorical_kl(const Variable& p, const Variable& q, double epsilon) {
  const Variable total = sum(p * (log(p + epsilon) - log(q + epsilon)));
  return reshape(affine(total, 1 / static_cast<double>(std::max<std::int64_t>(p.shape()[0], 1)), 0), Shape{1});
}

Variable total_variation(const Variable& x, double beta) {
  return mean(total_variation_per_image(x, beta));
}

}  // namespace counterfoil
