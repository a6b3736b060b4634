#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/checks.h"
#include "kernels/pointwise.h"
#include "kernels/reference/doubles.h"
#include "kernels/reference/reference_backend.h"

namespace counterfoil {

using reference::InOut;
using reference::Input;
using reference::Output;

namespace {

/// Calls f(x_element, statistic, parameter) for every element of x [N,H,W,C] and its place in the statistics [S,C] and
/// in gamma and beta [G,C].
template <typename F>
void for_each_element(const Shape& x, std::int64_t statistics, std::int64_t parameters, F&& f) {
  const std::int64_t pixels = x[1] * x[2], channels = x[3];
  for (std::int64_t n = 0; n < x[0]; ++n) {
    const std::int64_t s = statistics == 1 ? 0 : n * channels, g = parameters == 1 ? 0 : n * channels;
    for (std::int64_t pixel = n * pixels; pixel < (n + 1) * pixels; ++pixel) {
      for (std::int64_t c = 0; c < channels; ++c) f(pixel * channels + c, s + c, g + c);
    }
  }
}

/// Elements that share a statistic.
double count_of(const Shape& x, std::int64_t statistics) {
  return static_cast<double>(x[1] * x[2] * (statistics == 1 ? x[0] : 1));
}

/// 1 / sqrt(variance + epsilon)
std::vector<double> inverse_deviation(const ConstView& variance, double epsilon) {
  const Input from(variance);
  std::vector<double> result(static_cast<std::size_t>(variance.size()));
  std::transform(from.data(), from.data() + variance.size(), result.begin(),
                 [epsilon](double v) { return 1 / std::sqrt(v + epsilon); });
  return result;
}

}  // namespace

void ReferenceBackend::norm_statistics(View mean, View variance, ConstView x) {
  check::norm_statistics(mean, variance, x);
  const std::int64_t statistics = mean.shape[0];
  const double count = count_of(x.shape, statistics);
  const Input from(x);
  Output average(mean), spread(variance);
  average.fill(0);
  for_each_element(x.shape, statistics, 1,
                   [&](std::int64_t i, std::int64_t s, std::int64_t) { average[s] += from[i]; });
  for (std::int64_t s = 0; s < average.size(); ++s) average[s] /= count;
  // A second pass around the mean: E[x^2] - E[x]^2 would cancel.
  spread.fill(0);
  for_each_element(x.shape, statistics, 1, [&](std::int64_t i, std::int64_t s, std::int64_t) {
    const double difference = from[i] - average[s];
    spread[s] += difference * difference;
  });
  for (std::int64_t s = 0; s < spread.size(); ++s) spread[s] /= count;
}

void ReferenceBackend::norm_apply(View y, ConstView x, ConstView mean, ConstView variance, ConstView gamma,
                                  ConstView beta, double epsilon, Activation activation, double slope) {
  check::norm_apply(y, x, mean, variance, gamma, beta);
  const std::vector<double> inverse = inverse_deviation(variance, epsilon);
  const Input from(x), average(mean), scale(gamma), shift(beta);
  Output to(y);
  for_each_element(x.shape, mean.shape[0], gamma.shape[0], [&](std::int64_t i, std::int64_t s, std::int64_t g) {
    to[i] = scale[g] * ((from[i] - average[s]) * inverse[static_cast<std::size_t>(s)]) + shift[g];
  });
  reference::activate(to, activation, reference::rounded(slope, y.dtype));
}

void ReferenceBackend::norm_backward(View d_x, View d_gamma, View d_beta, ConstView d_y, ConstView x, ConstView y,
                                     ConstView mean, ConstView variance, ConstView gamma, double epsilon,
                                     Activation activation, double slope, bool differentiate_statistics) {
  check::norm_backward(d_x, d_gamma, d_beta, d_y, x, y, mean, variance, gamma);
  const std::int64_t statistics = mean.shape[0], parameters = gamma.shape[0];
  const double a = reference::rounded(slope, y.dtype);
  const std::vector<double> inverse = inverse_deviation(variance, epsilon);
  const Input from(d_y), at(x), result(y), average(mean), scale(gamma);
  Output to(d_x), to_gamma(d_gamma), to_beta(d_beta);

  // With z = gamma * xhat + beta and y = activation(z): d_z, and the sums of d_xhat = gamma * d_z and of d_xhat * xhat
  // that the statistics' derivative is made of.
  std::vector<double> d_z(static_cast<std::size_t>(x.size()));
  pointwise::with_activation(activation, [&](auto chosen) {
    for (std::int64_t i = 0; i < x.size(); ++i) {
      d_z[static_cast<std::size_t>(i)] = from[i] * pointwise::activation_derivative<chosen()>(result[i], a);
    }
  });
  const auto normalised = [&](std::int64_t i, std::int64_t s) {
    return (at[i] - average[s]) * inverse[static_cast<std::size_t>(s)];
  };
  std::vector<double> sum(inverse.size()), sum_normalised(inverse.size());
  to_gamma.fill(0);
  to_beta.fill(0);
  for_each_element(x.shape, statistics, parameters, [&](std::int64_t i, std::int64_t s, std::int64_t g) {
    const double slope_z = d_z[static_cast<std::size_t>(i)], xhat = normalised(i, s);
    to_gamma[g] += slope_z * xhat;
    to_beta[g] += slope_z;
    sum[static_cast<std::size_t>(s)] += scale[g] * slope_z;
    sum_normalised[static_cast<std::size_t>(s)] += scale[g] * slope_z * xhat;
  });

  // d_x = (d_xhat - mean(d_xhat) - xhat * mean(d_xhat * xhat)) / deviation (S. Ioffe, C. Szegedy, ICML 2015, section
  // 3); with constant statistics the two means are not there.
  const double share = differentiate_statistics ? 1 / count_of(x.shape, statistics) : 0;
  for_each_element(x.shape, statistics, parameters, [&](std::int64_t i, std::int64_t s, std::int64_t g) {
    const auto at_s = static_cast<std::size_t>(s);
    const double d_xhat = scale[g] * d_z[static_cast<std::size_t>(i)];
    to[i] = (d_xhat - share * (sum[at_s] + normalised(i, s) * sum_normalised[at_s])) * inverse[at_s];
  });
}

namespace {

void normalise(InOut& vector, double epsilon) {
  double squares = 0;
  for (std::int64_t i = 0; i < vector.size(); ++i) squares += vector[i] * vector[i];
  const double norm = std::max(std::sqrt(squares), epsilon);
  for (std::int64_t i = 0; i < vector.size(); ++i) vector[i] /= norm;
}

}  // namespace

void ReferenceBackend::power_iteration(View u, View v, ConstView weight, int iterations, double epsilon) {
  check::power_iteration(u, v, weight, iterations);
  const std::int64_t rows = weight.shape[0], columns = weight.shape[1];
  const Input matrix(weight);
  InOut left(u), right(v);
  for (int iteration = 0; iteration < iterations; ++iteration) {
    right.fill(0);
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) right[j] += matrix[i * columns + j] * left[i];
    }
    normalise(right, epsilon);
    left.fill(0);
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) left[i] += matrix[i * columns + j] * right[j];
    }
    normalise(left, epsilon);
  }
}

}  // namespace counterfoil
