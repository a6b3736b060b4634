#include "metrics/moments.h"

#include <algorithm>
#include <cmath>

namespace counterfoil::metrics {

Matrix to_matrix(const Tensor& samples, const char* who) {
  if (samples.shape().rank() != 2) fail("{}: expected samples [N,D], found {}", who, samples.shape().to_string());
  const std::vector<double> values = samples.to_doubles();
  if (!std::ranges::all_of(values, [](double v) { return std::isfinite(v); })) fail("{}: a sample is not finite", who);
  return Eigen::Map<const Matrix>(values.data(), samples.shape()[0], samples.shape()[1]);
}

Moments moments(const Matrix& samples, const char* who) {
  if (samples.rows() < 2) fail("{}: expected at least 2 samples, found {}", who, samples.rows());
  Moments result;
  result.mean = samples.colwise().mean();
  const Matrix centred = samples.rowwise() - result.mean.transpose();
  result.covariance = centred.transpose() * centred / static_cast<double>(samples.rows() - 1);
  return result;
}

}  // namespace counterfoil::metrics
