#include "tensor/ops.h"

#include <algorithm>
#include <array>

#include "kernels/error.h"

namespace counterfoil {

namespace {

/// The common device of all arguments; Error when they differ. Undefined tensors (an absent bias) count nowhere.
template <typename... Tensors>
Backend& backend_of(const Tensor& first, const Tensors&... rest) {
  Device& device = first.device();
  [[maybe_unused]] const auto check = [&](const Tensor& other) {
    if (other.defined() && &other.device() != &device) {
      fail("arguments live on different devices: {} and {}", device.name(), other.device().name());
    }
  };
  (check(rest), ...);
  return device.backend();
}

Shape with_leading_ones(const Shape& shape, int rank) {
  std::array<std::int64_t, kMaxRank> extents{};
  const int added = rank - shape.rank();
  std::fill_n(extents.begin(), added, 1);
  std::ranges::copy(shape.extents(), extents.begin() + added);
  return Shape(std::span<const std::int64_t>(extents.data(), static_cast<std::size_t>(rank)));
}

int positive_axis(const char* name, const Shape& shape, int axis) {
  const int index = axis < 0 ? axis + shape.rank() : axis;
  if (index < 0 || index >= shape.rank()) fail("{}: shape {} has no axis {}", name, shape.to_string(), axis);
  return index;
}

ConstView view_or_none(const Tensor& tensor) {
  return tensor.defined() ? tensor.view() : ConstView{};
}

}  // namespace

void fill(Tensor& out, double value) {
  backend_of(out).fill(out.mutable_view(), value);
}

Tensor convert(const Tensor& x, DType dtype, double scale) {
  Tensor out = Tensor::empty(x.shape(), dtype, x.device());
  backend_of(x).convert(out.mutable_view(), x.view(), scale);
  return out;
}

Tensor permute(const Tensor& x, std::span<const int> order) {
  if (order.size() != static_cast<std::size_t>(x.shape().rank())) {
    fail("permute: shape {} needs {} axes, got {}", x.shape().to_string(), x.shape().rank(), order.size());
  }
  std::array<std::int64_t, kMaxRank> extents{};
  std::ranges::transform(order, extents.begin(), [&](int axis) { return x.shape()[axis]; });
  Tensor out = x.empty_like(Shape(std::span<const std::int64_t>(extents.data(), order.size())));
  backend_of(x).permute(out.mutable_view(), x.view(), order);
  return out;
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  if (x.shape().rank() > shape.rank()) {
    fail("broadcast_to: {} has more dimensions than {}", x.shape().to_string(), shape.to_string());
  }
  Tensor out = x.empty_like(shape);
  backend_of(x).broadcast(out.mutable_view(), x.reshape(with_leading_ones(x.shape(), shape.rank())).view());
  return out;
}

Tensor slice(const Tensor& x, const Shape& shape, std::span<const std::int64_t> begin) {
  Tensor out = x.empty_like(shape);
  backend_of(x).slice(out.mutable_view(), x.view(), begin);
  return out;
}

Tensor slice(const Tensor& x, int axis, std::int64_t begin, std::int64_t end) {
  const int index = positive_axis("slice", x.shape(), axis);
  if (begin < 0 || begin > end || end > x.shape()[index]) {
    fail("slice: [{}, {}) is outside axis {} of {}", begin, end, index, x.shape().to_string());
  }
  std::array<std::int64_t, kMaxRank> starts{};
  starts[static_cast<std::size_t>(index)] = begin;
  return slice(x, x.shape().with(index, end - begin),
               std::span<const std::int64_t>(starts.data(), static_cast<std::size_t>(x.shape().rank())));
}

Tensor pad(const Tensor& x, const Shape& shape, std::span<const std::int64_t> begin) {
  Tensor out = x.empty_like(shape);
  backend_of(x).pad(out.mutable_view(), x.view(), begin);
  return out;
}

Tensor concat(std::span<const Tensor> parts, int axis) {
  if (parts.empty()) fail("concat: no parts");
  const int index = positive_axis("concat", parts.front().shape(), axis);
  std::vector<ConstView> views;
  std::int64_t extent = 0;
  for (const Tensor& part : parts) {
    backend_of(parts.front(), part);
    if (part.shape().rank() != parts.front().shape().rank()) {
      fail("concat: {} and {} have different ranks", parts.front().shape().to_string(), part.shape().to_string());
    }
    views.push_back(part.view());
    extent += part.shape()[index];
  }
  Tensor out = parts.front().empty_like(parts.front().shape().with(index, extent));
  backend_of(out).concat(out.mutable_view(), views, index);
  return out;
}

Tensor gather_rows(const Tensor& table, const Tensor& index) {
  Tensor out = table.empty_like(table.shape().with(0, index.size()));
  backend_of(table, index).gather_rows(out.mutable_view(), table.view(), index.view());
  return out;
}

Tensor scatter_add_rows(const Tensor& x, const Tensor& index, std::int64_t rows) {
  Tensor out = x.empty_like(x.shape().with(0, rows));
  backend_of(x, index).scatter_add_rows(out.mutable_view(), x.view(), index.view());
  return out;
}

Tensor one_hot(const Tensor& index, std::int64_t classes, DType dtype) {
  Tensor out = Tensor::empty({index.size(), classes}, dtype, index.device());
  backend_of(index).one_hot(out.mutable_view(), index.view());
  return out;
}

Tensor unary(UnaryOp op, const Tensor& x, double p0, double p1) {
  Tensor out = x.empty_like();
  backend_of(x).unary(op, out.mutable_view(), x.view(), p0, p1);
  return out;
}

Tensor unary_backward(UnaryOp op, const Tensor& x, const Tensor& d_y, double p0, double p1) {
  Tensor d_x = x.empty_like();
  backend_of(x, d_y).unary_backward(op, d_x.mutable_view(), x.view(), d_y.view(), p0, p1);
  return d_x;
}

Tensor activation_backward(Activation activation, const Tensor& y, const Tensor& d_y, double slope) {
  Tensor d_x = y.empty_like();
  backend_of(y, d_y).activation_backward(activation, d_x.mutable_view(), y.view(), d_y.view(), slope);
  return d_x;
}

Tensor pointwise_chain(const std::vector<Tensor>& inputs, const std::vector<ChainStep>& steps) {
  if (inputs.empty()) fail("pointwise_chain: no inputs");
  std::vector<ConstView> views;
  for (const Tensor& input : inputs) {
    backend_of(inputs.front(), input);
    views.push_back(input.view());
  }
  Tensor out = inputs.front().empty_like();
  backend_of(out).pointwise_chain(out.mutable_view(), views, steps);
  return out;
}

Shape broadcast_shape(const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  const Shape left = with_leading_ones(a, rank), right = with_leading_ones(b, rank);
  std::array<std::int64_t, kMaxRank> extents{};
  for (int i = 0; i < rank; ++i) {
    if (left[i] != right[i] && left[i] != 1 && right[i] != 1) {
      fail("shapes {} and {} do not broadcast", a.to_string(), b.to_string());
    }
    extents[static_cast<std::size_t>(i)] = left[i] == 1 ? right[i] : left[i];
  }
  return Shape(std::span<const std::int64_t>(extents.data(), static_cast<std::size_t>(rank)));
}

Tensor binary(BinaryOp op, const Tensor& a, const Tensor& b) {
  const Shape shape = broadcast_shape(a.shape(), b.shape());
  const Tensor left = a.reshape(with_leading_ones(a.shape(), shape.rank()));
  const Tensor right = b.reshape(with_leading_ones(b.shape(), shape.rank()));
  Tensor out = a.empty_like(shape);
  backend_of(a, b).binary(op, out.mutable_view(), left.view(), right.view());
  return out;
}

Tensor select(const Tensor& condition, const Tensor& a, const Tensor& b) {
  Tensor out = a.empty_like();
  backend_of(condition, a, b).select(out.mutable_view(), condition.view(), a.view(), b.view());
  return out;
}

Tensor axpby(double alpha, const Tensor& x, double beta, const Tensor& y) {
  Tensor out = x.empty_like();
  backend_of(x, y).axpby(out.mutable_view(), alpha, x.view(), beta, y.view());
  return out;
}

Shape reduced_shape(const Shape& shape, const Axes& axes) {
  Shape reduced = shape;
  if (axes.empty()) {
    for (int i = 0; i < shape.rank(); ++i) reduced = reduced.with(i, 1);
  }
  for (const int axis : axes) reduced = reduced.with(positive_axis("reduce", shape, axis), 1);
  return reduced;
}

Tensor reduce(ReduceOp op, const Tensor& x, const Axes& axes) {
  Tensor out = x.empty_like(reduced_shape(x.shape(), axes));
  backend_of(x).reduce(op, out.mutable_view(), x.view());
  return out;
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (shape == x.shape()) return x;
  Tensor out = x.empty_like(with_leading_ones(shape, x.shape().rank()));
  backend_of(x).reduce(ReduceOp::sum, out.mutable_view(), x.view());
  return out.reshape(shape);
}

Tensor argmax(const Tensor& x) {
  Tensor index = Tensor::empty({x.shape()[0]}, DType::i32, x.device());
  backend_of(x).argmax(index.mutable_view(), x.view());
  return index;
}

Tensor softmax(const Tensor& x, bool log) {
  Tensor out = x.empty_like();
  backend_of(x).softmax(out.mutable_view(), x.view(), log);
  return out;
}

Tensor softmax_backward(const Tensor& y, const Tensor& d_y, bool log) {
  Tensor d_x = y.empty_like();
  backend_of(y, d_y).softmax_backward(d_x.mutable_view(), y.view(), d_y.view(), log);
  return d_x;
}

bool all_finite(const Tensor& x) {
  Tensor flag = x.empty_like({1});
  backend_of(x).all_finite(flag.mutable_view(), x.view());
  return flag.item() != 0;
}

Tensor order_statistic(const Tensor& x, std::int64_t k) {
  Tensor out = x.empty_like({x.shape()[0]});
  backend_of(x).order_statistic(out.mutable_view(), x.view(), k);
  return out;
}

Tensor loss(LossOp op, const Tensor& a, const Tensor& b, double scale, const Axes& axes) {
  Tensor out = a.empty_like(reduced_shape(a.shape(), axes));
  backend_of(a, b).loss(op, out.mutable_view(), a.view(), b.view(), scale);
  return out;
}

Tensor loss_backward(LossOp op, const Tensor& a, const Tensor& b, const Tensor& d_out, double scale) {
  Tensor d_a = a.empty_like();
  backend_of(a, b, d_out).loss_backward(op, d_a.mutable_view(), a.view(), b.view(), d_out.view(), scale);
  return d_a;
}

Tensor cross_entropy(const Tensor& logits, const Tensor& labels) {
  Tensor out = logits.empty_like({logits.shape()[0]});
  backend_of(logits, labels).cross_entropy(out.mutable_view(), logits.view(), labels.view());
  return out;
}

Tensor cross_entropy_backward(const Tensor& logits, const Tensor& labels, const Tensor& d_out) {
  Tensor d_logits = logits.empty_like();
  backend_of(logits, labels, d_out)
      .cross_entropy_backward(d_logits.mutable_view(), logits.view(), labels.view(), d_out.view());
  return d_logits;
}

Tensor total_variation(const Tensor& x, double beta) {
  Tensor out = x.empty_like({x.shape()[0]});
  backend_of(x).total_variation(out.mutable_view(), x.view(), beta);
  return out;
}

Tensor total_variation_backward(const Tensor& x, const Tensor& d_out, double beta) {
  Tensor d_x = x.empty_like();
  backend_of(x, d_out).total_variation_backward(d_x.mutable_view(), x.view(), d_out.view(), beta);
  return d_x;
}

Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b, const Tensor& bias,
              Activation activation, double slope, Compute compute) {
  const int rank = a.shape().rank();
  if ((rank != 2 && rank != 3) || b.shape().rank() != rank) {
    fail("matmul: expected two matrices or two batches; found {} and {}", a.shape().to_string(), b.shape().to_string());
  }
  const Shape shape = a.shape().with(-2, a.shape()[transpose_a ? -1 : -2]).with(-1, b.shape()[transpose_b ? -2 : -1]);
  Tensor y = a.empty_like(shape);
  backend_of(a, b, bias)
      .matmul(y.mutable_view(), a.view(), b.view(), transpose_a, transpose_b, view_or_none(bias), activation, slope,
              compute);
  return y;
}

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dGeometry& geometry,
              Activation activation, double slope) {
  Tensor y = x.empty_like(conv2d_output_shape(x.shape(), weight.shape(), geometry));
  backend_of(x, weight, bias)
      .conv2d(y.mutable_view(), x.view(), weight.view(), view_or_none(bias), geometry, activation, slope);
  return y;
}

Tensor conv2d_input_grad(const Tensor& d_y, const Tensor& weight, const Shape& x_shape,
                         const Conv2dGeometry& geometry) {
  Tensor d_x = d_y.empty_like(x_shape);
  backend_of(d_y, weight).conv2d_input_grad(d_x.mutable_view(), d_y.view(), weight.view(), geometry);
  return d_x;
}

Tensor conv2d_weight_grad(const Tensor& x, const Tensor& d_y, const Shape& weight_shape,
                          const Conv2dGeometry& geometry) {
  Tensor d_weight = d_y.empty_like(weight_shape);
  backend_of(x, d_y).conv2d_weight_grad(d_weight.mutable_view(), x.view(), d_y.view(), geometry);
  return d_weight;
}

std::pair<Tensor, Tensor> max_pool(const Tensor& x, const PoolGeometry& geometry) {
  Tensor y = x.empty_like(pool_output_shape(x.shape(), geometry));
  Tensor index = Tensor::empty(y.shape(), DType::i32, x.device());
  backend_of(x).max_pool(y.mutable_view(), index.mutable_view(), x.view(), geometry);
  return {y, index};
}

Tensor pool_scatter(const Tensor& d_y, const Tensor& index, const Shape& x_shape) {
  Tensor d_x = d_y.empty_like(x_shape);
  backend_of(d_y, index).pool_scatter(d_x.mutable_view(), d_y.view(), index.view());
  return d_x;
}

Tensor pool_gather(const Tensor& x, const Tensor& index) {
  Tensor y = x.empty_like(index.shape());
  backend_of(x, index).pool_gather(y.mutable_view(), x.view(), index.view());
  return y;
}

Tensor avg_pool(const Tensor& x, const PoolGeometry& geometry) {
  Tensor y = x.empty_like(pool_output_shape(x.shape(), geometry));
  backend_of(x).avg_pool(y.mutable_view(), x.view(), geometry);
  return y;
}

Tensor avg_pool_backward(const Tensor& d_y, const Shape& x_shape, const PoolGeometry& geometry) {
  Tensor d_x = d_y.empty_like(x_shape);
  backend_of(d_y).avg_pool_backward(d_x.mutable_view(), d_y.view(), geometry);
  return d_x;
}

Tensor resize(const Tensor& x, std::int64_t height, std::int64_t width, ResizeMode mode) {
  Tensor y = x.empty_like(x.shape().with(1, height).with(2, width));
  backend_of(x).resize(y.mutable_view(), x.view(), mode);
  return y;
}

Tensor resize_backward(const Tensor& d_y, const Shape& x_shape, ResizeMode mode) {
  Tensor d_x = d_y.empty_like(x_shape);
  backend_of(d_y).resize_backward(d_x.mutable_view(), d_y.view(), mode);
  return d_x;
}

Tensor upsample_concat(const Tensor& low, const Tensor& skip) {
  Tensor y = skip.empty_like(skip.shape().with(3, low.shape()[3] + skip.shape()[3]));
  backend_of(low, skip).upsample_concat(y.mutable_view(), low.view(), skip.view());
  return y;
}

std::pair<Tensor, Tensor> upsample_concat_backward(const Tensor& d_y, const Shape& low, const Shape& skip) {
  Tensor d_low = d_y.empty_like(low), d_skip = d_y.empty_like(skip);
  backend_of(d_y).upsample_concat_backward(d_low.mutable_view(), d_skip.mutable_view(), d_y.view());
  return {d_low, d_skip};
}

std::pair<Tensor, Tensor> norm_statistics(const Tensor& x, bool per_image) {
  const Shape shape{per_image ? x.shape()[0] : 1, x.shape()[3]};
  Tensor mean = x.empty_like(shape), variance = x.empty_like(shape);
  backend_of(x).norm_statistics(mean.mutable_view(), variance.mutable_view(), x.view());
  return {mean, variance};
}

Tensor norm_apply(const Tensor& x, const Tensor& mean, const Tensor& variance, const Tensor& gamma, const Tensor& beta,
                  double epsilon, Activation activation, double slope) {
  Tensor y = x.empty_like();
  backend_of(x, mean, variance, gamma, beta)
      .norm_apply(y.mutable_view(), x.view(), mean.view(), variance.view(), gamma.view(), beta.view(), epsilon,
                  activation, slope);
  return y;
}

NormGradients norm_backward(const Tensor& d_y, const Tensor& x, const Tensor& y, const Tensor& mean,
                            const Tensor& variance, const Tensor& gamma, double epsilon, Activation activation,
                            double slope, bool differentiate_statistics) {
  NormGradients gradients{x.empty_like(), gamma.empty_like(), gamma.empty_like()};
  backend_of(x, d_y, y, mean, variance, gamma)
      .norm_backward(gradients.d_x.mutable_view(), gradients.d_gamma.mutable_view(), gradients.d_beta.mutable_view(),
                     d_y.view(), x.view(), y.view(), mean.view(), variance.view(), gamma.view(), epsilon, activation,
                     slope, differentiate_statistics);
  return gradients;
}

void power_iteration(Tensor& u, Tensor& v, const Tensor& weight, int iterations, double epsilon) {
  backend_of(weight, u, v).power_iteration(u.mutable_view(), v.mutable_view(), weight.view(), iterations, epsilon);
}

Tensor random_uniform(const Shape& shape, RandomKey key, std::uint64_t first, double low, double high, DType dtype,
                      Device& device) {
  Tensor out = Tensor::empty(shape, dtype, device);
  device.backend().random_uniform(out.mutable_view(), key, first, low, high);
  return out;
}

Tensor random_normal(const Shape& shape, RandomKey key, std::uint64_t first, double mean, double deviation, DType dtype,
                     Device& device) {
  Tensor out = Tensor::empty(shape, dtype, device);
  device.backend().random_normal(out.mutable_view(), key, first, mean, deviation);
  return out;
}

Tensor dropout(const Tensor& x, RandomKey key, std::uint64_t first, double probability, bool per_channel) {
  Tensor out = x.empty_like();
  backend_of(x).dropout(out.mutable_view(), x.view(), key, first, probability, per_channel);
  return out;
}

Tensor separable_filter(const Tensor& x, const Tensor& row_taps, const Tensor& column_taps, Border border) {
  Tensor y = x.empty_like();
  backend_of(x, row_taps, column_taps)
      .separable_filter(y.mutable_view(), x.view(), row_taps.view(), column_taps.view(), border);
  return y;
}

Tensor separable_filter_backward(const Tensor& d_y, const Tensor& row_taps, const Tensor& column_taps, Border border) {
  Tensor d_x = d_y.empty_like();
  backend_of(d_y, row_taps, column_taps)
      .separable_filter_backward(d_x.mutable_view(), d_y.view(), row_taps.view(), column_taps.view(), border);
  return d_x;
}

Tensor affine_warp(const Tensor& x, const Tensor& theta, std::int64_t height, std::int64_t width) {
  Tensor y = x.empty_like(x.shape().with(1, height).with(2, width));
  backend_of(x, theta).affine_warp(y.mutable_view(), x.view(), theta.view());
  return y;
}

Tensor affine_warp_backward(const Tensor& d_y, const Tensor& theta, const Shape& x_shape) {
  Tensor d_x = d_y.empty_like(x_shape);
  backend_of(d_y, theta).affine_warp_backward(d_x.mutable_view(), d_y.view(), theta.view());
  return d_x;
}

Tensor pairwise_distance(const Tensor& a, const Tensor& b) {
  Tensor out = a.empty_like({a.shape()[0], b.shape()[0]});
  backend_of(a, b).pairwise_distance(out.mutable_view(), a.view(), b.view());
  return out;
}

std::pair<Tensor, Tensor> nearest_row(const Tensor& queries, const Tensor& base) {
  Tensor distance = queries.empty_like({queries.shape()[0]});
  Tensor index = Tensor::empty(distance.shape(), DType::i32, queries.device());
  backend_of(queries, base).nearest_row(distance.mutable_view(), index.mutable_view(), queries.view(), base.view());
  return {distance, index};
}

Tensor connected_components(const Tensor& mask, int neighbours) {
  Tensor labels = Tensor::empty(mask.shape(), DType::i32, mask.device());
  backend_of(mask).connected_components(labels.mutable_view(), mask.view(), neighbours);
  return labels;
}

}  // namespace counterfoil
