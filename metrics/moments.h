#pragma once

#include <Eigen/Core>

#include "tensor/tensor.h"

// Samples as matrices, for the metrics' own .cpp files: everything here is float64 on the host.

namespace counterfoil::metrics {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// samples [N,D] of any float dtype and device. Throws Error on another rank or a value that is not finite.
Matrix to_matrix(const Tensor& samples, const char* who);

struct Moments {
  Eigen::VectorXd mean;  ///< [D]
  Matrix covariance;     ///< [D,D], divided by N - 1
};
/// Throws Error below two samples.
Moments moments(const Matrix& samples, const char* who);

}  // namespace counterfoil::metrics
