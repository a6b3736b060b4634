#include "kernels/listening_backend.h"

#include <string>
#include <vector>

namespace counterfoil {

namespace {

using Views = std::initializer_list<ConstView>;

std::string_view name_of(UnaryOp op) {
  constexpr std::string_view kNames[] = {
      "affine", "abs",     "sign",     "exp",  "log",        "sqrt", "reciprocal", "pow",          "sin",   "cos",
      "tanh",   "sigmoid", "softplus", "relu", "leaky_relu", "elu",  "clip",       "greater_than", "inside"};
  return kNames[static_cast<std::size_t>(op)];
}

std::string_view name_of(BinaryOp op) {
  constexpr std::string_view kNames[] = {"add",     "subtract", "multiply",      "divide", "maximum",
                                         "minimum", "greater",  "greater_equal", "equal"};
  return kNames[static_cast<std::size_t>(op)];
}

std::string_view name_of(ReduceOp op) {
  constexpr std::string_view kNames[] = {"sum", "sum_abs", "sum_squares", "max", "min"};
  return kNames[static_cast<std::size_t>(op)];
}

std::string_view name_of(LossOp op) {
  constexpr std::string_view kNames[] = {"bce_with_logits", "l1", "l2", "hinge"};
  return kNames[static_cast<std::size_t>(op)];
}

std::string_view name_of(Activation activation) {
  constexpr std::string_view kNames[] = {"", "relu", "leaky_relu", "tanh", "sigmoid"};
  return kNames[static_cast<std::size_t>(activation)];
}

std::string_view name_of(ResizeMode mode) {
  return mode == ResizeMode::nearest ? "nearest" : "bilinear";
}

Call call(std::string_view name, std::string_view variant, const Views& outputs, const Views& inputs, Work work) {
  return {name, variant, {outputs.begin(), outputs.size()}, {inputs.begin(), inputs.size()}, work};
}

/// An optimiser's parameters, each once.
Call call(std::string_view name, std::span<const ConstView> parameters, Work work) {
  return {name, {}, parameters, {}, work};
}

std::vector<ConstView> constant(std::span<const View> views) {
  return {views.begin(), views.end()};
}

}  // namespace

template <typename F>
void ListeningBackend::tell(const Call& call, F&& f) {
  const std::size_t token = listener_->begin(call);
  try {
    f();
  } catch (...) {
    listener_->abandon(token);
    throw;
  }
  listener_->end(token);
}

void ListeningBackend::fill(View out, double value) {
  tell(call("fill", {}, {out}, {}, work::fill(out)), [&] { inner_.fill(out, value); });
}

void ListeningBackend::convert(View out, ConstView x, double scale) {
  tell(call("convert", {}, {out}, {x}, work::convert(out, x, scale)), [&] { inner_.convert(out, x, scale); });
}

void ListeningBackend::permute(View out, ConstView x, std::span<const int> order) {
  tell(call("permute", {}, {out}, {x}, work::permute(out)), [&] { inner_.permute(out, x, order); });
}

void ListeningBackend::broadcast(View out, ConstView x) {
  tell(call("broadcast", {}, {out}, {x}, work::broadcast(out, x)), [&] { inner_.broadcast(out, x); });
}

void ListeningBackend::slice(View out, ConstView x, std::span<const std::int64_t> begin) {
  tell(call("slice", {}, {out}, {x}, work::slice(out)), [&] { inner_.slice(out, x, begin); });
}

void ListeningBackend::pad(View out, ConstView x, std::span<const std::int64_t> begin) {
  tell(call("pad", {}, {out}, {x}, work::pad(out, x)), [&] { inner_.pad(out, x, begin); });
}

void ListeningBackend::concat(View out, std::span<const ConstView> parts, int axis) {
  const ConstView whole = out;
  tell(Call{"concat", {}, {&whole, 1}, parts, work::concat(out)}, [&] { inner_.concat(out, parts, axis); });
}

void ListeningBackend::gather_rows(View out, ConstView table, ConstView index) {
  tell(call("gather_rows", {}, {out}, {table, index}, work::gather_rows(out, index)),
       [&] { inner_.gather_rows(out, table, index); });
}

void ListeningBackend::scatter_add_rows(View out, ConstView x, ConstView index) {
  tell(call("scatter_add_rows", {}, {out}, {x, index}, work::scatter_add_rows(out, x, index)),
       [&] { inner_.scatter_add_rows(out, x, index); });
}

void ListeningBackend::one_hot(View out, ConstView index) {
  tell(call("one_hot", {}, {out}, {index}, work::one_hot(out, index)), [&] { inner_.one_hot(out, index); });
}

void ListeningBackend::unary(UnaryOp op, View out, ConstView x, double p0, double p1) {
  tell(call("unary", name_of(op), {out}, {x}, work::unary(op, x)), [&] { inner_.unary(op, out, x, p0, p1); });
}

void ListeningBackend::unary_backward(UnaryOp op, View d_x, ConstView x, ConstView d_y, double p0, double p1) {
  tell(call("unary_backward", name_of(op), {d_x}, {x, d_y}, work::unary_backward(op, x)),
       [&] { inner_.unary_backward(op, d_x, x, d_y, p0, p1); });
}

void ListeningBackend::activation_backward(Activation activation, View d_x, ConstView y, ConstView d_y, double slope) {
  tell(call("activation_backward", name_of(activation), {d_x}, {y, d_y}, work::activation_backward(activation, y)),
       [&] { inner_.activation_backward(activation, d_x, y, d_y, slope); });
}

void ListeningBackend::binary(BinaryOp op, View out, ConstView a, ConstView b) {
  tell(call("binary", name_of(op), {out}, {a, b}, work::binary(out, a, b)), [&] { inner_.binary(op, out, a, b); });
}

void ListeningBackend::select(View out, ConstView condition, ConstView a, ConstView b) {
  tell(call("select", {}, {out}, {condition, a, b}, work::select(out)), [&] { inner_.select(out, condition, a, b); });
}

void ListeningBackend::axpby(View out, double alpha, ConstView x, double beta, ConstView y) {
  tell(call("axpby", {}, {out}, {x, y}, work::axpby(out)), [&] { inner_.axpby(out, alpha, x, beta, y); });
}

void ListeningBackend::pointwise_chain(View out, std::span<const ConstView> inputs, std::span<const ChainStep> steps) {
  std::string names;
  for (const ChainStep& step : steps) {
    if (!names.empty()) names += ' ';
    names += step.form == ChainStep::Form::unary ? name_of(step.unary) : name_of(step.binary);
  }
  const ConstView whole = out;
  tell(Call{"pointwise_chain", names, {&whole, 1}, inputs, work::pointwise_chain(out, inputs, steps)},
       [&] { inner_.pointwise_chain(out, inputs, steps); });
}

void ListeningBackend::reduce(ReduceOp op, View out, ConstView x) {
  tell(call("reduce", name_of(op), {out}, {x}, work::reduce(op, out, x)), [&] { inner_.reduce(op, out, x); });
}

void ListeningBackend::argmax(View index, ConstView x) {
  tell(call("argmax", {}, {index}, {x}, work::argmax(index, x)), [&] { inner_.argmax(index, x); });
}

void ListeningBackend::softmax(View out, ConstView x, bool log) {
  tell(call("softmax", log ? "log" : "", {out}, {x}, work::softmax(x)), [&] { inner_.softmax(out, x, log); });
}

void ListeningBackend::softmax_backward(View d_x, ConstView y, ConstView d_y, bool log) {
  tell(call("softmax_backward", log ? "log" : "", {d_x}, {y, d_y}, work::softmax_backward(y)),
       [&] { inner_.softmax_backward(d_x, y, d_y, log); });
}

void ListeningBackend::all_finite(View flag, ConstView x) {
  tell(call("all_finite", {}, {flag}, {x}, work::all_finite(x)), [&] { inner_.all_finite(flag, x); });
}

void ListeningBackend::order_statistic(View out, ConstView x, std::int64_t k) {
  tell(call("order_statistic", {}, {out}, {x}, work::order_statistic(out, x)),
       [&] { inner_.order_statistic(out, x, k); });
}

void ListeningBackend::loss(LossOp op, View out, ConstView a, ConstView b, double scale) {
  tell(call("loss", name_of(op), {out}, {a, b}, work::loss(op, out, a)), [&] { inner_.loss(op, out, a, b, scale); });
}

void ListeningBackend::loss_backward(LossOp op, View d_a, ConstView a, ConstView b, ConstView d_out, double scale) {
  tell(call("loss_backward", name_of(op), {d_a}, {a, b, d_out}, work::loss_backward(op, a, d_out)),
       [&] { inner_.loss_backward(op, d_a, a, b, d_out, scale); });
}

void ListeningBackend::cross_entropy(View out, ConstView logits, ConstView labels) {
  tell(call("cross_entropy", {}, {out}, {logits, labels}, work::cross_entropy(logits, labels)),
       [&] { inner_.cross_entropy(out, logits, labels); });
}

void ListeningBackend::cross_entropy_backward(View d_logits, ConstView logits, ConstView labels, ConstView d_out) {
  tell(call("cross_entropy_backward", {}, {d_logits}, {logits, labels, d_out},
            work::cross_entropy_backward(logits, labels)),
       [&] { inner_.cross_entropy_backward(d_logits, logits, labels, d_out); });
}

void ListeningBackend::total_variation(View out, ConstView x, double beta) {
  tell(call("total_variation", {}, {out}, {x}, work::total_variation(x)),
       [&] { inner_.total_variation(out, x, beta); });
}

void ListeningBackend::total_variation_backward(View d_x, ConstView x, ConstView d_out, double beta) {
  tell(call("total_variation_backward", {}, {d_x}, {x, d_out}, work::total_variation_backward(x)),
       [&] { inner_.total_variation_backward(d_x, x, d_out, beta); });
}

void ListeningBackend::matmul(View y, ConstView a, ConstView b, bool transpose_a, bool transpose_b, ConstView bias,
                              Activation activation, double slope, Compute compute) {
  tell(call("matmul", name_of(activation), {y}, {a, b, bias}, work::matmul(y, a, b, transpose_a, bias, activation)),
       [&] { inner_.matmul(y, a, b, transpose_a, transpose_b, bias, activation, slope, compute); });
}

void ListeningBackend::conv2d(View y, ConstView x, ConstView weight, ConstView bias, const Conv2dGeometry& geometry,
                              Activation activation, double slope) {
  tell(call("conv2d", name_of(activation), {y}, {x, weight, bias}, work::conv2d(y, x, weight, bias, activation)),
       [&] { inner_.conv2d(y, x, weight, bias, geometry, activation, slope); });
}

void ListeningBackend::conv2d_input_grad(View d_x, ConstView d_y, ConstView weight, const Conv2dGeometry& geometry) {
  tell(call("conv2d_input_grad", {}, {d_x}, {d_y, weight}, work::conv2d_gradient(d_x, d_y, weight)),
       [&] { inner_.conv2d_input_grad(d_x, d_y, weight, geometry); });
}

void ListeningBackend::conv2d_weight_grad(View d_weight, ConstView x, ConstView d_y, const Conv2dGeometry& geometry) {
  tell(call("conv2d_weight_grad", {}, {d_weight}, {x, d_y}, work::conv2d_gradient(x, d_y, d_weight)),
       [&] { inner_.conv2d_weight_grad(d_weight, x, d_y, geometry); });
}

void ListeningBackend::max_pool(View y, View index, ConstView x, const PoolGeometry& geometry) {
  tell(call("max_pool", {}, {y, index}, {x}, work::max_pool(y, x, geometry)),
       [&] { inner_.max_pool(y, index, x, geometry); });
}

void ListeningBackend::pool_scatter(View d_x, ConstView d_y, ConstView index) {
  tell(call("pool_scatter", {}, {d_x}, {d_y, index}, work::pool_scatter(d_x, d_y)),
       [&] { inner_.pool_scatter(d_x, d_y, index); });
}

void ListeningBackend::pool_gather(View y, ConstView x, ConstView index) {
  tell(call("pool_gather", {}, {y}, {x, index}, work::pool_gather(y)), [&] { inner_.pool_gather(y, x, index); });
}

void ListeningBackend::avg_pool(View y, ConstView x, const PoolGeometry& geometry) {
  tell(call("avg_pool", {}, {y}, {x}, work::avg_pool(y, x, geometry)), [&] { inner_.avg_pool(y, x, geometry); });
}

void ListeningBackend::avg_pool_backward(View d_x, ConstView d_y, const PoolGeometry& geometry) {
  tell(call("avg_pool_backward", {}, {d_x}, {d_y}, work::avg_pool(d_y, d_x, geometry)),
       [&] { inner_.avg_pool_backward(d_x, d_y, geometry); });
}

void ListeningBackend::resize(View y, ConstView x, ResizeMode mode) {
  tell(call("resize", name_of(mode), {y}, {x}, work::resize(y, x, mode)), [&] { inner_.resize(y, x, mode); });
}

void ListeningBackend::resize_backward(View d_x, ConstView d_y, ResizeMode mode) {
  tell(call("resize_backward", name_of(mode), {d_x}, {d_y}, work::resize_backward(d_x, d_y, mode)),
       [&] { inner_.resize_backward(d_x, d_y, mode); });
}

void ListeningBackend::upsample_concat(View y, ConstView low, ConstView skip) {
  tell(call("upsample_concat", {}, {y}, {low, skip}, work::upsample_concat(y, low, skip)),
       [&] { inner_.upsample_concat(y, low, skip); });
}

void ListeningBackend::upsample_concat_backward(View d_low, View d_skip, ConstView d_y) {
  tell(call("upsample_concat_backward", {}, {d_low, d_skip}, {d_y}, work::upsample_concat_backward(d_low, d_skip, d_y)),
       [&] { inner_.upsample_concat_backward(d_low, d_skip, d_y); });
}

void ListeningBackend::norm_statistics(View mean, View variance, ConstView x) {
  tell(call("norm_statistics", {}, {mean, variance}, {x}, work::norm_statistics(mean, x)),
       [&] { inner_.norm_statistics(mean, variance, x); });
}

void ListeningBackend::norm_apply(View y, ConstView x, ConstView mean, ConstView variance, ConstView gamma,
                                  ConstView beta, double epsilon, Activation activation, double slope) {
  tell(call("norm_apply", name_of(activation), {y}, {x, mean, variance, gamma, beta},
            work::norm_apply(x, mean, gamma, activation)),
       [&] { inner_.norm_apply(y, x, mean, variance, gamma, beta, epsilon, activation, slope); });
}

void ListeningBackend::norm_backward(View d_x, View d_gamma, View d_beta, ConstView d_y, ConstView x, ConstView y,
                                     ConstView mean, ConstView variance, ConstView gamma, double epsilon,
                                     Activation activation, double slope, bool differentiate_statistics) {
  tell(call("norm_backward", name_of(activation), {d_x, d_gamma, d_beta}, {d_y, x, y, mean, variance, gamma},
            work::norm_backward(x, mean, gamma, activation, differentiate_statistics)),
       [&] {
         inner_.norm_backward(d_x, d_gamma, d_beta, d_y, x, y, mean, variance, gamma, epsilon, activation, slope,
                              differentiate_statistics);
       });
}

void ListeningBackend::power_iteration(View u, View v, ConstView weight, int iterations, double epsilon) {
  tell(call("power_iteration", {}, {u, v}, {weight}, work::power_iteration(u, v, weight, iterations)),
       [&] { inner_.power_iteration(u, v, weight, iterations, epsilon); });
}

void ListeningBackend::random_uniform(View out, RandomKey key, std::uint64_t first, double low, double high) {
  tell(call("random_uniform", {}, {out}, {}, work::random_uniform(out)),
       [&] { inner_.random_uniform(out, key, first, low, high); });
}

void ListeningBackend::random_normal(View out, RandomKey key, std::uint64_t first, double mean, double deviation) {
  tell(call("random_normal", {}, {out}, {}, work::random_normal(out)),
       [&] { inner_.random_normal(out, key, first, mean, deviation); });
}

void ListeningBackend::dropout(View out, ConstView x, RandomKey key, std::uint64_t first, double probability,
                               bool per_channel) {
  tell(call("dropout", {}, {out}, {x}, work::dropout(x)),
       [&] { inner_.dropout(out, x, key, first, probability, per_channel); });
}

void ListeningBackend::adam(std::span<const View> parameters, std::span<const ConstView> gradients,
                            std::span<const View> first_moments, std::span<const View> second_moments,
                            const AdamStep& step) {
  const std::vector<ConstView> shown = constant(parameters);
  tell(call("adam", shown, work::adam(parameters)),
       [&] { inner_.adam(parameters, gradients, first_moments, second_moments, step); });
}

void ListeningBackend::sgd(std::span<const View> parameters, std::span<const ConstView> gradients,
                           std::span<const View> velocities, const SgdStep& step) {
  const std::vector<ConstView> shown = constant(parameters);
  tell(call("sgd", shown, work::sgd(parameters, step)), [&] { inner_.sgd(parameters, gradients, velocities, step); });
}

void ListeningBackend::rmsprop(std::span<const View> parameters, std::span<const ConstView> gradients,
                               std::span<const View> square_averages, const RmsPropStep& step) {
  const std::vector<ConstView> shown = constant(parameters);
  tell(call("rmsprop", shown, work::rmsprop(parameters)),
       [&] { inner_.rmsprop(parameters, gradients, square_averages, step); });
}

void ListeningBackend::separable_filter(View y, ConstView x, ConstView row_taps, ConstView column_taps, Border border) {
  tell(call("separable_filter", {}, {y}, {x, row_taps, column_taps}, work::separable_filter(x, row_taps, column_taps)),
       [&] { inner_.separable_filter(y, x, row_taps, column_taps, border); });
}

void ListeningBackend::separable_filter_backward(View d_x, ConstView d_y, ConstView row_taps, ConstView column_taps,
                                                 Border border) {
  tell(call("separable_filter_backward", {}, {d_x}, {d_y, row_taps, column_taps},
            work::separable_filter(d_x, row_taps, column_taps)),
       [&] { inner_.separable_filter_backward(d_x, d_y, row_taps, column_taps, border); });
}

void ListeningBackend::affine_warp(View y, ConstView x, ConstView theta) {
  tell(call("affine_warp", {}, {y}, {x, theta}, work::affine_warp(y, x, theta)),
       [&] { inner_.affine_warp(y, x, theta); });
}

void ListeningBackend::affine_warp_backward(View d_x, ConstView d_y, ConstView theta) {
  tell(call("affine_warp_backward", {}, {d_x}, {d_y, theta}, work::affine_warp(d_y, d_x, theta)),
       [&] { inner_.affine_warp_backward(d_x, d_y, theta); });
}

void ListeningBackend::pairwise_distance(View out, ConstView a, ConstView b) {
  tell(call("pairwise_distance", {}, {out}, {a, b}, work::pairwise_distance(out, a, b)),
       [&] { inner_.pairwise_distance(out, a, b); });
}

void ListeningBackend::nearest_row(View distance, View index, ConstView queries, ConstView base) {
  tell(call("nearest_row", {}, {distance, index}, {queries, base}, work::nearest_row(distance, index, queries, base)),
       [&] { inner_.nearest_row(distance, index, queries, base); });
}

void ListeningBackend::connected_components(View labels, ConstView mask, int neighbours) {
  tell(call("connected_components", {}, {labels}, {mask}, work::connected_components(labels, mask)),
       [&] { inner_.connected_components(labels, mask, neighbours); });
}

}  // namespace counterfoil
