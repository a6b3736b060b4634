#include "metrics/t_test.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <unsupported/Eigen/SpecialFunctions>

#include "metrics/moments.h"

namespace counterfoil::metrics {

namespace {

struct Sample {
  double size, mean, variance;
};

Sample sample_of(const Tensor& values, const char* who) {
  if (values.shape().rank() != 1 || values.size() < 2) {
    fail("{}: expected samples [N] of at least 2 values, found {}", who, values.shape().to_string());
  }
  const Moments fitted = moments(to_matrix(values.reshape({values.size(), 1}), who), who);
  const std::vector<double> all = values.to_doubles();
  const auto [low, high] = std::ranges::minmax(all);
  const double size = static_cast<double>(values.size());
  if (low == high) return {size, low, 0};  // whatever the mean of so many rounds to
  return {size, fitted.mean[0], fitted.covariance(0, 0)};
}

/// P(|T| >= |t|) of Student's distribution, the regularised incomplete beta function of df / (df + t^2); near t = 0 by
/// its complement, where that argument rounds to 1.
double two_sided(double t, double degrees) {
  const double square = t * t;
  if (!(square < degrees)) return Eigen::numext::betainc(degrees / 2, 0.5, degrees / (degrees + square));
  return 1 - Eigen::numext::betainc(0.5, degrees / 2, square / (degrees + square));
}

TTest tested(double difference, double squared_error, double degrees) {
  if (squared_error > 0) {
    const double t = difference / std::sqrt(squared_error);
    return {t, degrees, two_sided(t, degrees)};
  }
  if (difference == 0) return {0, degrees, 1};
  return {std::copysign(std::numeric_limits<double>::infinity(), difference), degrees, 0};
}

}  // namespace

TTest paired_t_test(const Tensor& a, const Tensor& b) {
  if (!(a.shape() == b.shape())) {
    fail("paired_t_test: expected two samples of the same individuals, found {} and {}", a.shape().to_string(),
         b.shape().to_string());
  }
  const std::vector<double> first = a.to_doubles(), second = b.to_doubles();
  std::vector<double> differences;
  for (std::size_t i = 0; i < first.size(); ++i) differences.push_back(first[i] - second[i]);
  const Sample d = sample_of(Tensor::from(differences, a.shape(), reference_device()), "paired_t_test");
  return tested(d.mean, d.variance / d.size, d.size - 1);
}

TTest pooled_t_test(const Tensor& a, const Tensor& b) {
  const Sample first = sample_of(a, "pooled_t_test"), second = sample_of(b, "pooled_t_test");
  const double degrees = first.size + second.size - 2;
  const double variance = ((first.size - 1) * first.variance + (second.size - 1) * second.variance) / degrees;
  return tested(first.mean - second.mean, variance * (1 / first.size + 1 / second.size), degrees);
}

TTest welch_t_test(const Tensor& a, const Tensor& b) {
  const Sample first = sample_of(a, "welch_t_test"), second = sample_of(b, "welch_t_test");
  const double u = first.variance / first.size, v = second.variance / second.size;
  const double squares = u * u / (first.size - 1) + v * v / (second.size - 1);
  const double degrees = squares > 0 ? (u + v) * (u + v) / squares : first.size + second.size - 2;
  return tested(first.mean - second.mean, u + v, degrees);
}

}  // namespace counterfoil::metrics
