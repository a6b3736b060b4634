#include "kernels/work.h"

#include <initializer_list>

namespace counterfoil::work {

namespace {

double count(const ConstView& x) {
  return static_cast<double>(x.size());
}

double bytes(const ConstView& x) {
  return count(x) * static_cast<double>(size_of(x.dtype));
}

double bytes(std::initializer_list<ConstView> arrays) {
  double sum = 0;
  for (const ConstView& array : arrays) sum += bytes(array);
  return sum;
}

double per_element(UnaryOp op) {
  switch (op) {
    case UnaryOp::abs:
    case UnaryOp::exp:
    case UnaryOp::log:
    case UnaryOp::sqrt:
    case UnaryOp::reciprocal:
    case UnaryOp::pow:
    case UnaryOp::sin:
    case UnaryOp::cos:
    case UnaryOp::tanh:
    case UnaryOp::relu:
    case UnaryOp::greater_than:
      return 1;
    case UnaryOp::affine:
    case UnaryOp::sign:
    case UnaryOp::leaky_relu:
    case UnaryOp::clip:
    case UnaryOp::inside:
      return 2;
    case UnaryOp::sigmoid:  // 1 / (1 + exp(-x))
      return 3;
    case UnaryOp::elu:
      return 4;
    case UnaryOp::softplus:  // max(x, 0) + log(1 + exp(-|x|))
      return 6;
  }
  return 0;
}

double per_element(Activation activation) {
  switch (activation) {
    case Activation::identity:
      return 0;
    case Activation::relu:
    case Activation::tanh:
      return 1;
    case Activation::leaky_relu:
      return 2;
    case Activation::sigmoid:
      return 3;
  }
  return 0;
}

/// d_y times the derivative from the output: 1 - y^2, y (1 - y), or a comparison.
double backward_per_element(Activation activation) {
  switch (activation) {
    case Activation::identity:
      return 0;
    case Activation::relu:
    case Activation::leaky_relu:
      return 2;
    case Activation::tanh:
    case Activation::sigmoid:
      return 3;
  }
  return 0;
}

/// 2 R S C / groups for every element of the output.
double convolution_flops(const ConstView& y, const ConstView& weight) {
  return y.size() == 0 ? 0 : 2 * count(y) * count(weight) / static_cast<double>(weight.shape[0]);
}

double window(const PoolGeometry& geometry) {
  return static_cast<double>(geometry.kernel_h) * geometry.kernel_w;
}

/// Pairs of neighbouring pixels.
double pairs(const ConstView& x) {
  const auto extent = [&](int axis) { return static_cast<double>(x.shape[axis]); };
  if (x.size() == 0) return 0;
  return extent(0) * extent(3) * ((extent(1) - 1) * extent(2) + extent(1) * (extent(2) - 1));
}

constexpr double kInterpolation = 9;  // three times a + (b - a) t

}  // namespace

Work fill(const ConstView& out) {
  return {bytes(out), 0};
}

Work convert(const ConstView& out, const ConstView& x, double scale) {
  return {bytes({out, x}), scale == 1 ? 0 : count(x)};
}

Work permute(const ConstView& out) {
  return {2 * bytes(out), 0};
}

Work broadcast(const ConstView& out, const ConstView& x) {
  return {bytes({out, x}), 0};
}

Work slice(const ConstView& out) {
  return {2 * bytes(out), 0};
}

Work pad(const ConstView& out, const ConstView& x) {
  return {bytes({out, x}), 0};
}

Work concat(const ConstView& out) {
  return {2 * bytes(out), 0};
}

Work gather_rows(const ConstView& out, const ConstView& index) {
  return {2 * bytes(out) + bytes(index), 0};
}

Work scatter_add_rows(const ConstView& out, const ConstView& x, const ConstView& index) {
  return {bytes({out, x, index}), count(x)};
}

Work one_hot(const ConstView& out, const ConstView& index) {
  return {bytes({out, index}), 0};
}

Work unary(UnaryOp op, const ConstView& x) {
  return {2 * bytes(x), per_element(op) * count(x)};
}

Work unary_backward(UnaryOp op, const ConstView& x) {
  return {3 * bytes(x), (per_element(op) + 1) * count(x)};
}

Work activation_backward(Activation activation, const ConstView& y) {
  return {3 * bytes(y), backward_per_element(activation) * count(y)};
}

Work binary(const ConstView& out, const ConstView& a, const ConstView& b) {
  return {bytes({out, a, b}), count(out)};
}

Work select(const ConstView& out) {
  return {4 * bytes(out), count(out)};
}

Work axpby(const ConstView& out) {
  return {3 * bytes(out), 3 * count(out)};
}

Work pointwise_chain(const ConstView& out, std::span<const ConstView> inputs, std::span<const ChainStep> steps) {
  double each = 0;
  for (const ChainStep& step : steps) each += step.form == ChainStep::Form::unary ? per_element(step.unary) : 1;
  return {static_cast<double>(inputs.size() + 1) * bytes(out), each * count(out)};
}

Work reduce(ReduceOp op, const ConstView& out, const ConstView& x) {
  const bool two = op == ReduceOp::sum_abs || op == ReduceOp::sum_squares;
  return {bytes({out, x}), (two ? 2 : 1) * count(x)};
}

Work argmax(const ConstView& index, const ConstView& x) {
  return {bytes({index, x}), count(x)};
}

Work softmax(const ConstView& x) {
  return {2 * bytes(x), 5 * count(x)};  // max, subtract, exp, sum, divide (or subtract the logarithm)
}

Work softmax_backward(const ConstView& y) {
  return {3 * bytes(y), 4 * count(y)};  // y (d_y - sum y d_y), or d_y - exp(y) sum d_y
}

Work all_finite(const ConstView& x) {
  return {bytes(x), count(x)};
}

Work order_statistic(const ConstView& out, const ConstView& x) {
  return {bytes({out, x}), 0};
}

Work loss(LossOp op, const ConstView& out, const ConstView& a) {
  double each = 1;  // the sum
  switch (op) {
    case LossOp::bce_with_logits:
      each += 8;
      break;
    case LossOp::l1:
    case LossOp::l2:
      each += 2;
      break;
    case LossOp::hinge:
      each += 3;
      break;
  }
  return {2 * bytes(a) + bytes(out), each * count(a)};
}

Work loss_backward(LossOp op, const ConstView& a, const ConstView& d_out) {
  const double each = op == LossOp::bce_with_logits ? 5 : 3;
  return {3 * bytes(a) + bytes(d_out), each * count(a)};
}

Work cross_entropy(const ConstView& logits, const ConstView& labels) {
  const double rows_bytes = count(labels) * static_cast<double>(size_of(logits.dtype));
  return {bytes({logits, labels}) + rows_bytes, 4 * count(logits)};
}

Work cross_entropy_backward(const ConstView& logits, const ConstView& labels) {
  const double rows_bytes = count(labels) * static_cast<double>(size_of(logits.dtype));
  return {2 * bytes(logits) + bytes(labels) + rows_bytes, 6 * count(logits)};
}

Work total_variation(const ConstView& x) {
  const double images = x.size() == 0 ? 0 : static_cast<double>(x.shape[0]);
  return {bytes(x) + images * static_cast<double>(size_of(x.dtype)), 4 * pairs(x)};  // subtract, abs, pow, add
}

Work total_variation_backward(const ConstView& x) {
  const double images = x.size() == 0 ? 0 : static_cast<double>(x.shape[0]);
  return {2 * bytes(x) + images * static_cast<double>(size_of(x.dtype)), 6 * pairs(x)};
}

Work matmul(const ConstView& y, const ConstView& a, const ConstView& b, bool transpose_a, const ConstView& bias,
            Activation activation) {
  const auto depth = static_cast<double>(a.shape[transpose_a ? -2 : -1]);
  const bool biased = bias.data != nullptr;
  return {bytes({y, a, b}) + (biased ? bytes(bias) : 0),
          count(y) * (2 * depth + (biased ? 1 : 0) + per_element(activation))};
}

Work conv2d(const ConstView& y, const ConstView& x, const ConstView& weight, const ConstView& bias,
            Activation activation) {
  const bool biased = bias.data != nullptr;
  return {bytes({y, x, weight}) + (biased ? bytes(bias) : 0),
          convolution_flops(y, weight) + count(y) * ((biased ? 1 : 0) + per_element(activation))};
}

Work conv2d_gradient(const ConstView& x, const ConstView& y, const ConstView& weight) {
  return {bytes({x, y, weight}), convolution_flops(y, weight)};
}

Work max_pool(const ConstView& y, const ConstView& x, const PoolGeometry& geometry) {
  return {bytes({x, y}) + count(y) * 4, window(geometry) * count(y)};
}

Work pool_scatter(const ConstView& d_x, const ConstView& d_y) {
  return {bytes({d_x, d_y}) + count(d_y) * 4, count(d_y)};
}

Work pool_gather(const ConstView& y) {
  return {2 * bytes(y) + count(y) * 4, 0};
}

Work avg_pool(const ConstView& y, const ConstView& x, const PoolGeometry& geometry) {
  return {bytes({x, y}), (window(geometry) + 1) * count(y)};
}

Work resize(const ConstView& y, const ConstView& x, ResizeMode mode) {
  return {bytes({x, y}), (mode == ResizeMode::bilinear ? kInterpolation : 0) * count(y)};
}

Work resize_backward(const ConstView& d_x, const ConstView& d_y, ResizeMode mode) {
  return {bytes({d_x, d_y}), (mode == ResizeMode::bilinear ? kInterpolation : 1) * count(d_y)};
}

Work upsample_concat(const ConstView& y, const ConstView& low, const ConstView& skip) {
  return {bytes({y, low, skip}), 0};
}

Work upsample_concat_backward(const ConstView& d_low, const ConstView& d_skip, const ConstView& d_y) {
  return {bytes({d_low, d_skip, d_y}), 3 * count(d_low)};
}

Work norm_statistics(const ConstView& mean, const ConstView& x) {
  return {bytes(x) + 2 * bytes(mean), 4 * count(x)};  // the sum, then the sum of (x - mean)^2
}

Work norm_apply(const ConstView& x, const ConstView& mean, const ConstView& gamma, Activation activation) {
  return {2 * bytes(x) + 2 * bytes(mean) + 2 * bytes(gamma), (2 + per_element(activation)) * count(x)};
}

Work norm_backward(const ConstView& x, const ConstView& mean, const ConstView& gamma, Activation activation,
                   bool differentiate_statistics) {
  // x and d_y in, d_x out, y too where the activation's derivative needs it; normalised x (2), its product with d_y and
  // both sums (3), and d_x: a product, or a combination of d_y, normalised x and their means (4).
  const bool reads_y = activation != Activation::identity;
  const double each = 5 + backward_per_element(activation) + (differentiate_statistics ? 4 : 1);
  return {(reads_y ? 4 : 3) * bytes(x) + 2 * bytes(mean) + 3 * bytes(gamma), each * count(x)};
}

Work power_iteration(const ConstView& u, const ConstView& v, const ConstView& weight, int iterations) {
  // Two products with the matrix, two norms and divisions; the matrix is read once at least.
  return {bytes(weight) + 2 * bytes(u) + bytes(v), iterations * (4 * count(weight) + 3 * (count(u) + count(v)))};
}

Work random_uniform(const ConstView& out) {
  return {bytes(out), 3 * count(out)};
}

Work random_normal(const ConstView& out) {
  return {bytes(out), 36 * count(out)};  // two polynomials of degree 7, a division, and what surrounds them
}

Work dropout(const ConstView& x) {
  return {2 * bytes(x), count(x)};
}

namespace {
Work update(std::span<const View> parameters, double arrays, double each) {
  Work sum;
  for (const View& parameter : parameters) {
    sum.bytes += arrays * bytes(parameter);
    sum.flops += each * count(parameter);
  }
  return sum;
}
}  // namespace

// The parameter and each moment are read and written, the gradient is read.

Work adam(std::span<const View> parameters) {
  return update(parameters, 7, 15);
}

Work sgd(std::span<const View> parameters, const SgdStep& step) {
  if (step.momentum == 0) return update(parameters, 3, 4);
  return update(parameters, 5, step.nesterov ? 8 : 6);
}

Work rmsprop(std::span<const View> parameters) {
  return update(parameters, 5, 11);
}

Work separable_filter(const ConstView& x, const ConstView& row_taps, const ConstView& column_taps) {
  return {2 * bytes(x) + bytes({row_taps, column_taps}), 2 * (count(row_taps) + count(column_taps)) * count(x)};
}

Work affine_warp(const ConstView& y, const ConstView& x, const ConstView& theta) {
  return {bytes({y, x, theta}), kInterpolation * count(y)};
}

Work pairwise_distance(const ConstView& out, const ConstView& a, const ConstView& b) {
  return {bytes({out, a, b}), 3 * count(out) * static_cast<double>(a.shape[1])};
}

Work nearest_row(const ConstView& distance, const ConstView& index, const ConstView& queries, const ConstView& base) {
  const double products = count(queries) * static_cast<double>(base.shape[0]),
               pairs = count(distance) * static_cast<double>(base.shape[0]);
  return {bytes({distance, index, queries, base}), 3 * products + pairs};
}

Work connected_components(const ConstView& labels, const ConstView& mask) {
  return {bytes({labels, mask}), 0};
}

}  // namespace counterfoil::work
