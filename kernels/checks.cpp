#include "kernels/checks.h"

#include <algorithm>

#include "kernels/error.h"

namespace counterfoil::check {

namespace {

std::string describe(const ConstView& view) {
  return std::string(name_of(view.dtype)) + view.shape.to_string();
}

/// Throws "name: what; found f32[2, 3], f32[4]".
template <typename... Views>
void require(bool condition, const char* name, const char* what, const Views&... views) {
  if (condition) return;
  std::string found;
  ((found += (found.empty() ? "" : ", ") + describe(views)), ...);
  fail("{}: {}; found {}", name, what, found);
}

bool is_float(const ConstView& view) {
  return view.dtype == DType::f32 || view.dtype == DType::f64;
}

template <typename... Views>
void require_floats(const char* name, const ConstView& first, const Views&... rest) {
  require(is_float(first) && ((rest.dtype == first.dtype) && ...), name, "expected float arrays of one dtype", first,
          rest...);
}

template <typename... Views>
void require_same_shape(const char* name, const ConstView& first, const Views&... rest) {
  require(((rest.shape == first.shape) && ...), name, "expected equal shapes", first, rest...);
}

template <typename... Views>
void require_rank(const char* name, int rank, const Views&... views) {
  if (((views.shape.rank() == rank) && ...)) return;
  std::string found;
  ((found += (found.empty() ? "" : ", ") + describe(views)), ...);
  fail("{}: expected rank {}; found {}", name, rank, found);
}

void require_index(const char* name, const ConstView& index) {
  require(index.dtype == DType::i32, name, "expected an i32 index", index);
}

/// Whether `small` broadcasts to `large`: equal ranks, extents equal or 1.
bool broadcasts(const Shape& small, const Shape& large) {
  if (small.rank() != large.rank()) return false;
  for (int i = 0; i < small.rank(); ++i) {
    if (small[i] != large[i] && small[i] != 1) return false;
  }
  return true;
}

/// x begins at `begin` inside `whole` and fits.
bool fits(const Shape& part, const Shape& whole, std::span<const std::int64_t> begin) {
  if (part.rank() != whole.rank() || begin.size() != static_cast<std::size_t>(part.rank())) return false;
  for (int i = 0; i < part.rank(); ++i) {
    const std::int64_t start = begin[static_cast<std::size_t>(i)];
    if (start < 0 || start > whole[i] - part[i]) return false;
  }
  return true;
}

/// Same leading and channel extents of two NHWC arrays.
void require_same_batch_and_channels(const char* name, const ConstView& a, const ConstView& b) {
  require_rank(name, 4, a, b);
  require(a.shape[0] == b.shape[0] && a.shape[3] == b.shape[3], name, "expected equal batch and channel extents", a, b);
}

void require_norm_operand(const char* name, const ConstView& operand, const ConstView& x) {
  require(operand.shape.rank() == 2 && operand.shape[1] == x.shape[3] &&
              (operand.shape[0] == 1 || operand.shape[0] == x.shape[0]),
          name, "expected [1,C] or [N,C] for x [N,H,W,C]", operand, x);
}

/// The shape that `work` gives; complaints begin with the primitive's name.
template <typename Work>
Shape worked_out(const std::string& name, Work&& work) {
  try {
    return work();
  } catch (const Error& error) {
    const std::string message = error.what();
    fail("{}{}", message.starts_with(name + ": ") ? "" : name + ": ", message);
  }
}

void require_pool(const char* name, const ConstView& y, const ConstView& x, const PoolGeometry& geometry) {
  require_floats(name, y, x);
  require_rank(name, 4, y, x);
  const Shape expected = worked_out(name, [&] { return pool_output_shape(x.shape, geometry); });
  require(y.shape == expected, name, "output shape does not follow from the input", y, x);
}

void require_convolution(const char* name, const ConstView& y, const ConstView& x, const ConstView& weight,
                         const Conv2dGeometry& geometry) {
  require_floats(name, y, x, weight);
  require_rank(name, 4, y, x, weight);
  const Shape expected = worked_out(name, [&] { return conv2d_output_shape(x.shape, weight.shape, geometry); });
  require(y.shape == expected, name, "output shape does not follow from input and weight", y, x, weight);
}

}  // namespace

void fill(const View&) {}

void convert(const View& out, const ConstView& x) {
  require_same_shape("convert", out, x);
}

void permute(const View& out, const ConstView& x, std::span<const int> order) {
  const int rank = x.shape.rank();
  require(out.dtype == x.dtype && out.shape.rank() == rank && order.size() == static_cast<std::size_t>(rank), "permute",
          "expected one dtype, equal ranks and one axis per dimension", out, x);
  unsigned seen = 0;
  for (int i = 0; i < rank; ++i) {
    const int axis = order[static_cast<std::size_t>(i)];
    require(axis >= 0 && axis < rank && (seen & (1U << axis)) == 0, "permute", "order is not a permutation", out, x);
    seen |= 1U << axis;
    require(out.shape[i] == x.shape[axis], "permute", "output shape does not follow from the order", out, x);
  }
}

void broadcast(const View& out, const ConstView& x) {
  require_floats("broadcast", out, x);
  require(broadcasts(x.shape, out.shape), "broadcast", "input does not broadcast to output", out, x);
}

void slice(const View& out, const ConstView& x, std::span<const std::int64_t> begin) {
  require(out.dtype == x.dtype, "slice", "expected one dtype", out, x);
  require(fits(out.shape, x.shape, begin), "slice", "the part lies outside", out, x);
}

void pad(const View& out, const ConstView& x, std::span<const std::int64_t> begin) {
  require(out.dtype == x.dtype, "pad", "expected one dtype", out, x);
  require(fits(x.shape, out.shape, begin), "pad", "the part lies outside", out, x);
}

void concat(const View& out, std::span<const ConstView> parts, int axis) {
  require(axis >= 0 && axis < out.shape.rank(), "concat", "no such axis", out);
  std::int64_t extent = 0;
  for (const ConstView& part : parts) {
    require(part.dtype == out.dtype && part.shape.rank() == out.shape.rank() &&
                part.shape.with(axis, 0) == out.shape.with(axis, 0),
            "concat", "a part disagrees with the output", out, part);
    extent += part.shape[axis];
  }
  require(extent == out.shape[axis], "concat", "the parts do not add up to the output", out);
}

void gather_rows(const View& out, const ConstView& table, const ConstView& index) {
  require_floats("gather_rows", out, table);
  require_index("gather_rows", index);
  require(table.shape.rank() >= 1 && index.shape.rank() == 1 && out.shape.rank() == table.shape.rank() &&
              out.shape == table.shape.with(0, index.shape[0]),
          "gather_rows", "expected [M,...], [V,...], [M]", out, table, index);
}

void scatter_add_rows(const View& out, const ConstView& x, const ConstView& index) {
  require_floats("scatter_add_rows", out, x);
  require_index("scatter_add_rows", index);
  require(x.shape.rank() >= 1 && index.shape.rank() == 1 && out.shape.rank() == x.shape.rank() &&
              x.shape[0] == index.shape[0] && x.shape == out.shape.with(0, index.shape[0]),
          "scatter_add_rows", "expected [V,...], [M,...], [M]", out, x, index);
}

void one_hot(const View& out, const ConstView& index) {
  require_floats("one_hot", out);
  require_index("one_hot", index);
  require(out.shape.rank() == 2 && index.shape.rank() == 1 && out.shape[0] == index.shape[0], "one_hot",
          "expected [M,C], [M]", out, index);
}

void unary(UnaryOp, const View& out, const ConstView& x) {
  require_floats("unary", out, x);
  require_same_shape("unary", out, x);
}

void unary_backward(UnaryOp, const View& d_x, const ConstView& x, const ConstView& d_y) {
  require_floats("unary_backward", d_x, x, d_y);
  require_same_shape("unary_backward", d_x, x, d_y);
}

void activation_backward(const View& d_x, const ConstView& y, const ConstView& d_y) {
  require_floats("activation_backward", d_x, y, d_y);
  require_same_shape("activation_backward", d_x, y, d_y);
}

void binary(BinaryOp, const View& out, const ConstView& a, const ConstView& b) {
  require_floats("binary", out, a, b);
  require(broadcasts(a.shape, out.shape) && broadcasts(b.shape, out.shape), "binary",
          "arguments do not broadcast to the output", out, a, b);
  for (int i = 0; i < out.shape.rank(); ++i) {
    require(out.shape[i] == a.shape[i] || out.shape[i] == b.shape[i], "binary", "output is larger than both arguments",
            out, a, b);
  }
}

void select(const View& out, const ConstView& condition, const ConstView& a, const ConstView& b) {
  require_floats("select", out, condition, a, b);
  require_same_shape("select", out, condition, a, b);
}

void axpby(const View& out, const ConstView& x, const ConstView& y) {
  require_floats("axpby", out, x, y);
  require_same_shape("axpby", out, x, y);
}

void pointwise_chain(const View& out, std::span<const ConstView> inputs, std::span<const ChainStep> steps) {
  constexpr const char* kName = "pointwise_chain";
  if (inputs.empty() || inputs.size() > kMaxChainInputs || steps.empty() || steps.size() > kMaxChainSteps) {
    fail("{}: expected 1 to {} inputs and 1 to {} steps; found {} and {}", kName, kMaxChainInputs, kMaxChainSteps,
         inputs.size(), steps.size());
  }
  for (const ConstView& input : inputs) {
    require_floats(kName, out, input);
    require_same_shape(kName, out, input);
  }
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const bool there = steps[i].input >= 0 && static_cast<std::size_t>(steps[i].input) < inputs.size();
    if (!there) fail("{}: step {} takes input {} of {}", kName, i, steps[i].input, inputs.size());
  }
}

void reduce(ReduceOp op, const View& out, const ConstView& x) {
  require_floats("reduce", out, x);
  require(broadcasts(out.shape, x.shape), "reduce", "output must have the input's extents or 1", out, x);
  if (op == ReduceOp::max || op == ReduceOp::min) {
    require(x.size() > 0 || out.size() == 0, "reduce", "maximum of nothing", out, x);
  }
}

void argmax(const View& index, const ConstView& x) {
  require_index("argmax", index);
  require(
      is_float(x) && x.shape.rank() == 2 && index.shape.rank() == 1 && index.shape[0] == x.shape[0] && x.shape[1] >= 1,
      "argmax", "expected [rows], [rows, columns >= 1]", index, x);
}

void softmax(const View& out, const ConstView& x) {
  require_floats("softmax", out, x);
  require_rank("softmax", 2, out, x);
  require_same_shape("softmax", out, x);
}

void softmax_backward(const View& d_x, const ConstView& y, const ConstView& d_y) {
  require_floats("softmax_backward", d_x, y, d_y);
  require_rank("softmax_backward", 2, d_x, y, d_y);
  require_same_shape("softmax_backward", d_x, y, d_y);
}

void all_finite(const View& flag, const ConstView& x) {
  require_floats("all_finite", flag, x);
  require(flag.size() == 1, "all_finite", "expected one flag", flag);
}

void order_statistic(const View& out, const ConstView& x, std::int64_t k) {
  require_floats("order_statistic", out, x);
  require(x.shape.rank() == 2 && out.shape.rank() == 1 && out.shape[0] == x.shape[0] && k >= 0 && k < x.shape[1],
          "order_statistic", "expected [rows], [rows, columns > k >= 0]", out, x);
}

void loss(LossOp, const View& out, const ConstView& a, const ConstView& b) {
  require_floats("loss", out, a, b);
  require_same_shape("loss", a, b);
  require(broadcasts(out.shape, a.shape), "loss", "output must have the input's extents or 1", out, a);
}

void loss_backward(LossOp, const View& d_a, const ConstView& a, const ConstView& b, const ConstView& d_out) {
  require_floats("loss_backward", d_a, a, b, d_out);
  require_same_shape("loss_backward", d_a, a, b);
  require(broadcasts(d_out.shape, a.shape), "loss_backward", "d_out must have the input's extents or 1", d_out, a);
}

void cross_entropy(const View& out, const ConstView& logits, const ConstView& labels) {
  require_floats("cross_entropy", out, logits);
  require_index("cross_entropy", labels);
  require(
      logits.shape.rank() == 2 && out.shape.rank() == 1 && out.shape == labels.shape && out.shape[0] == logits.shape[0],
      "cross_entropy", "expected [rows], [rows, classes], [rows]", out, logits, labels);
}

void cross_entropy_backward(const View& d_logits, const ConstView& logits, const ConstView& labels,
                            const ConstView& d_out) {
  require_floats("cross_entropy_backward", d_logits, logits, d_out);
  require_index("cross_entropy_backward", labels);
  require_same_shape("cross_entropy_backward", d_logits, logits);
  require(logits.shape.rank() == 2 && d_out.shape.rank() == 1 && d_out.shape == labels.shape &&
              d_out.shape[0] == logits.shape[0],
          "cross_entropy_backward", "expected [rows, classes], [rows], [rows]", logits, labels, d_out);
}

void total_variation(const View& out, const ConstView& x, double beta) {
  require_floats("total_variation", out, x);
  require(beta >= 1 && x.shape.rank() == 4 && out.shape.rank() == 1 && out.shape[0] == x.shape[0], "total_variation",
          "expected [N], [N,H,W,C], beta >= 1", out, x);
}

void total_variation_backward(const View& d_x, const ConstView& x, const ConstView& d_out, double beta) {
  require_same_shape("total_variation_backward", d_x, x);
  require_floats("total_variation_backward", d_x, x, d_out);
  require(beta >= 1 && x.shape.rank() == 4 && d_out.shape.rank() == 1 && d_out.shape[0] == x.shape[0],
          "total_variation_backward", "expected [N,H,W,C], [N], beta >= 1", x, d_out);
}

void matmul(const View& y, const ConstView& a, const ConstView& b, bool transpose_a, bool transpose_b,
            const ConstView& bias) {
  require_floats("matmul", y, a, b);
  const int rank = y.shape.rank();
  require((rank == 2 || rank == 3) && a.shape.rank() == rank && b.shape.rank() == rank, "matmul",
          "expected rank 2 or 3", y, a, b);
  if (rank == 3) {
    require(y.shape[0] == a.shape[0] && y.shape[0] == b.shape[0], "matmul", "expected equal batches", y, a, b);
  }
  const std::int64_t m = a.shape[transpose_a ? -1 : -2], inner_a = a.shape[transpose_a ? -2 : -1];
  const std::int64_t n = b.shape[transpose_b ? -2 : -1], inner_b = b.shape[transpose_b ? -1 : -2];
  require(inner_a == inner_b && y.shape[-2] == m && y.shape[-1] == n, "matmul", "extents do not match", y, a, b);
  if (bias.data != nullptr) {
    require(bias.dtype == y.dtype && bias.shape == Shape{n}, "matmul", "expected bias [N]", bias, y);
  }
}

void conv2d(const View& y, const ConstView& x, const ConstView& weight, const ConstView& bias,
            const Conv2dGeometry& geometry) {
  require_convolution("conv2d", y, x, weight, geometry);
  if (bias.data != nullptr) {
    require(bias.dtype == y.dtype && bias.shape == Shape{y.shape[3]}, "conv2d", "expected bias [K]", bias, y);
  }
}

void conv2d_input_grad(const View& d_x, const ConstView& d_y, const ConstView& weight, const Conv2dGeometry& geometry) {
  require_convolution("conv2d_input_grad", d_y, d_x, weight, geometry);
}

void conv2d_weight_grad(const View& d_weight, const ConstView& x, const ConstView& d_y,
                        const Conv2dGeometry& geometry) {
  require_convolution("conv2d_weight_grad", d_y, x, d_weight, geometry);
}

void max_pool(const View& y, const View& index, const ConstView& x, const PoolGeometry& geometry) {
  require_pool("max_pool", y, x, geometry);
  require_index("max_pool", index);
  require_same_shape("max_pool", y, index);
}

void pool_scatter(const View& d_x, const ConstView& d_y, const ConstView& index) {
  require_floats("pool_scatter", d_x, d_y);
  require_index("pool_scatter", index);
  require_same_shape("pool_scatter", d_y, index);
  require_same_batch_and_channels("pool_scatter", d_x, d_y);
}

void pool_gather(const View& y, const ConstView& x, const ConstView& index) {
  require_floats("pool_gather", y, x);
  require_index("pool_gather", index);
  require_same_shape("pool_gather", y, index);
  require_same_batch_and_channels("pool_gather", y, x);
}

void avg_pool(const View& y, const ConstView& x, const PoolGeometry& geometry) {
  require_pool("avg_pool", y, x, geometry);
}

void avg_pool_backward(const View& d_x, const ConstView& d_y, const PoolGeometry& geometry) {
  require_pool("avg_pool_backward", d_y, d_x, geometry);
}

void resize(const View& y, const ConstView& x) {
  require_floats("resize", y, x);
  require_same_batch_and_channels("resize", y, x);
  require(x.shape[1] >= 1 && x.shape[2] >= 1 && y.shape[1] >= 1 && y.shape[2] >= 1, "resize", "expected extents >= 1",
          y, x);
}

void resize_backward(const View& d_x, const ConstView& d_y) {
  require_floats("resize_backward", d_x, d_y);
  require_same_batch_and_channels("resize_backward", d_x, d_y);
  require(d_x.shape[1] >= 1 && d_x.shape[2] >= 1 && d_y.shape[1] >= 1 && d_y.shape[2] >= 1, "resize_backward",
          "expected extents >= 1", d_x, d_y);
}

namespace {
void require_upsample_concat(const char* name, const ConstView& y, const ConstView& low, const ConstView& skip) {
  require_floats(name, y, low, skip);
  require_rank(name, 4, y, low, skip);
  require(y.shape == skip.shape.with(3, low.shape[3] + skip.shape[3]) && skip.shape[0] == low.shape[0] &&
              skip.shape[1] == 2 * low.shape[1] && skip.shape[2] == 2 * low.shape[2],
          name, "expected [N,2H,2W,A+B], [N,H,W,A], [N,2H,2W,B]", y, low, skip);
}
}  // namespace

void upsample_concat(const View& y, const ConstView& low, const ConstView& skip) {
  require_upsample_concat("upsample_concat", y, low, skip);
}

void upsample_concat_backward(const View& d_low, const View& d_skip, const ConstView& d_y) {
  require_upsample_concat("upsample_concat_backward", d_y, d_low, d_skip);
}

void norm_statistics(const View& mean, const View& variance, const ConstView& x) {
  require_floats("norm_statistics", mean, variance, x);
  require_rank("norm_statistics", 4, x);
  require_same_shape("norm_statistics", mean, variance);
  require_norm_operand("norm_statistics", mean, x);
  require(mean.size() == 0 || x.size() > 0, "norm_statistics", "statistics of nothing", mean, x);
}

void norm_apply(const View& y, const ConstView& x, const ConstView& mean, const ConstView& variance,
                const ConstView& gamma, const ConstView& beta) {
  require_floats("norm_apply", y, x, mean, variance, gamma, beta);
  require_rank("norm_apply", 4, x);
  require_same_shape("norm_apply", y, x);
  require_same_shape("norm_apply", mean, variance);
  require_same_shape("norm_apply", gamma, beta);
  require_norm_operand("norm_apply", mean, x);
  require_norm_operand("norm_apply", gamma, x);
}

void norm_backward(const View& d_x, const View& d_gamma, const View& d_beta, const ConstView& d_y, const ConstView& x,
                   const ConstView& y, const ConstView& mean, const ConstView& variance, const ConstView& gamma) {
  require_floats("norm_backward", d_x, d_gamma, d_beta, d_y, x, y, mean, variance, gamma);
  require_rank("norm_backward", 4, x);
  require_same_shape("norm_backward", d_x, d_y, x, y);
  require_same_shape("norm_backward", mean, variance);
  require_same_shape("norm_backward", gamma, d_gamma, d_beta);
  require_norm_operand("norm_backward", mean, x);
  require_norm_operand("norm_backward", gamma, x);
}

void power_iteration(const View& u, const View& v, const ConstView& weight, int iterations) {
  require_floats("power_iteration", u, v, weight);
  require(iterations >= 0 && weight.shape.rank() == 2 && u.shape == Shape{weight.shape[0]} &&
              v.shape == Shape{weight.shape[1]},
          "power_iteration", "expected [rows], [columns], [rows, columns], iterations >= 0", u, v, weight);
}

void random(const char* name, const View& out) {
  require_floats(name, out);
}

void dropout(const View& out, const ConstView& x, double probability, bool per_channel) {
  require_floats("dropout", out, x);
  require_same_shape("dropout", out, x);
  require(probability >= 0 && probability < 1, "dropout", "expected a probability in [0, 1)", x);
  require(!per_channel || x.shape.rank() == 4, "dropout", "per channel: expected [N,H,W,C]", x);
}

void optimiser(const char* name, std::span<const View> parameters, std::span<const ConstView> gradients,
               std::initializer_list<std::span<const View>> moments) {
  if (gradients.size() != parameters.size()) {
    fail("{}: {} parameters but {} gradients", name, parameters.size(), gradients.size());
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    require_floats(name, parameters[i], gradients[i]);
    require_same_shape(name, parameters[i], gradients[i]);
  }
  for (const std::span<const View> list : moments) {
    if (list.size() != parameters.size())
      fail("{}: {} parameters but {} moments", name, parameters.size(), list.size());
    for (std::size_t i = 0; i < list.size(); ++i) {
      require_floats(name, parameters[i], list[i]);
      require_same_shape(name, parameters[i], list[i]);
    }
  }
}

void separable_filter(const char* name, const View& y, const ConstView& x, const ConstView& row_taps,
                      const ConstView& column_taps) {
  require_floats(name, y, x, row_taps, column_taps);
  require_rank(name, 4, x);
  require_same_shape(name, y, x);
  require_rank(name, 1, row_taps, column_taps);
  require(row_taps.size() % 2 == 1 && column_taps.size() % 2 == 1, name, "expected an odd number of taps", row_taps,
          column_taps);
}

void affine_warp(const char* name, const View& y, const ConstView& x, const ConstView& theta) {
  require_floats(name, y, x, theta);
  require_same_batch_and_channels(name, y, x);
  require(theta.shape == Shape{x.shape[0], 2, 3}, name, "expected theta [N,2,3]", theta, x);
}

void pairwise_distance(const View& out, const ConstView& a, const ConstView& b) {
  require_floats("pairwise_distance", out, a, b);
  require_rank("pairwise_distance", 2, out, a, b);
  require(out.shape[0] == a.shape[0] && out.shape[1] == b.shape[0] && a.shape[1] == b.shape[1], "pairwise_distance",
          "expected [M,N], [M,D], [N,D]", out, a, b);
}

void nearest_row(const View& distance, const View& index, const ConstView& queries, const ConstView& base) {
  require_floats("nearest_row", distance, queries, base);
  require_index("nearest_row", index);
  require_rank("nearest_row", 2, queries, base);
  require(distance.shape == Shape{queries.shape[0]} && index.shape == distance.shape &&
              queries.shape[1] == base.shape[1] && base.shape[0] >= 1,
          "nearest_row", "expected [M], [M], [M,D], [N >= 1,D]", distance, index, queries, base);
}

void connected_components(const View& labels, const ConstView& mask, int neighbours) {
  require_index("connected_components", labels);
  require(
      is_float(mask) && mask.shape.rank() == 3 && labels.shape == mask.shape && (neighbours == 4 || neighbours == 8),
      "connected_components", "expected [N,H,W] twice and 4 or 8 neighbours", labels, mask);
}

}  // namespace counterfoil::check
