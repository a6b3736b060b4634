#include "autograd/normalisation.h"

#include "autograd/pointwise.h"
#include "autograd/reduction.h"
#include "autograd/shaping.h"
#include "tensor/ops.h"

namespace counterfoil {

namespace {

/// [C] or [rows,C] as [rows,1,1,C], to broadcast against [N,H,W,C].
Variable as_planes(const Variable& table) {
  const std::int64_t channels = table.shape()[-1];
  return reshape(table, Shape{table.shape().rank() == 1 ? 1 : table.shape()[0], 1, 1, channels});
}

/// [C] as the [1,C] that the primitives take.
Variable as_table(const Variable& table) {
  return table.shape().rank() == 1 ? reshape(table, Shape{1, table.shape()[0]}) : table;
}

struct Standardised {
  Variable x_hat, inverse_deviation;  // [N,H,W,C], [S,1,1,C]
};

/// x_hat = (x - mean) / sqrt(variance + epsilon) in elementary operations.
Standardised standardise(const Variable& x, const NormAttribute& a) {
  const Axes axes = a.per_image ? Axes{1, 2} : Axes{0, 1, 2};
  const Variable centred = x - (a.statistics_of_input ? mean(x, axes) : as_planes(a.mean));
  const Variable variance = a.statistics_of_input ? mean(square(centred), axes) : as_planes(a.variance);
  const Variable inverse_deviation = reciprocal(sqrt(affine(variance, 1, a.epsilon)));
  return {centred * inverse_deviation, inverse_deviation};
}

/// With d = d_y * activation', per channel and over the elements that share statistics:
///   d_beta = sum(d), d_gamma = sum(d x_hat),
///   d_x = gamma d / deviation for constant statistics; for x's own, with e = gamma d,
///   d_x = (e - mean(e) - x_hat mean(e x_hat)) / deviation.
Variables composed_backward(const Node& node, const Variable& d_y, const Needs& needs) {
  const auto& a = node.attribute<NormAttribute>();
  const Variable d = activation_backward(a.activation, node.output(), d_y, a.slope);
  const auto [x_hat, inverse_deviation] = standardise(node.input(0), a);
  const Variable gamma = as_planes(node.input(1));
  Variables d_inputs(3);
  if (needs[0]) {
    Variable d_x_hat = d * gamma;
    if (a.statistics_of_input) {
      const Axes axes = a.per_image ? Axes{1, 2} : Axes{0, 1, 2};
      d_x_hat = d_x_hat - mean(d_x_hat, axes) - x_hat * mean(d_x_hat * x_hat, axes);
    }
    d_inputs[0] = d_x_hat * inverse_deviation;
  }
  if (needs[1]) d_inputs[1] = reshape(sum_to(d * x_hat, gamma.shape()), node.input(1).shape());
  if (needs[2]) d_inputs[2] = reshape(sum_to(d, as_planes(node.input(2)).shape()), node.input(2).shape());
  return d_inputs;
}

Variables norm_rule(const Node& node, const Variable& d_y, const Needs& needs) {
  if (is_recording()) return composed_backward(node, d_y, needs);
  const auto& a = node.attribute<NormAttribute>();
  NormGradients d = norm_backward(d_y.value(), node.input(0).value(), node.output().value(), a.mean, a.variance,
                                  node.input(1).value(), a.epsilon, a.activation, a.slope, a.statistics_of_input);
  return {std::move(d.d_x), std::move(d.d_gamma), std::move(d.d_beta)};
}

Variable record_norm(const Variable& x, const Variable& gamma, const Variable& beta, const NormAttribute& a) {
  const Variable scale = as_table(gamma);
  const Variable shift = as_table(beta);
  Tensor y = norm_apply(x.value(), a.mean, a.variance, scale.value(), shift.value(), a.epsilon, a.activation, a.slope);
  return record("norm", std::move(y), {x, scale, shift}, norm_rule, a);
}

}  // namespace

Variable normalise(const Variable& x, const Variable& gamma, const Variable& beta, const NormAttribute& options,
                   Tensor* mean, Tensor* variance) {
  NormAttribute used = options;
  used.statistics_of_input = true;
  std::tie(used.mean, used.variance) = norm_statistics(x.value(), options.per_image);
  if (mean != nullptr) *mean = used.mean;
  if (variance != nullptr) *variance = used.variance;
  return record_norm(x, gamma, beta, used);
}

Variable normalise_with(const Variable& x, const Variable& gamma, const Variable& beta, const Tensor& mean,
                        const Tensor& variance, double epsilon, Activation activation, double slope) {
  return record_norm(x, gamma, beta,
                     {.epsilon = epsilon,
                      .activation = activation,
                      .slope = slope,
                      .per_image = mean.shape()[0] != 1,
                      .statistics_of_input = false,
                      .mean = mean,
                      .variance = variance});
}

Variable normalise_composed(const Variable& x, const Variable& gamma, const Variable& beta,
                            const NormAttribute& options) {
  return activate(standardise(x, options).x_hat * as_planes(gamma) + as_planes(beta), options.activation,
                  options.slope);
}

}  // namespace counterfoil
