#include "metrics/frechet_distance.h"

#include <algorithm>

#include <Eigen/Eigenvalues>

#include "metrics/moments.h"

namespace counterfoil::metrics {

namespace {

Matrix square_root(const Matrix& symmetric) {
  const Eigen::SelfAdjointEigenSolver<Matrix> eigen(symmetric);
  const Eigen::VectorXd roots = eigen.eigenvalues().cwiseMax(0).cwiseSqrt();
  return eigen.eigenvectors() * roots.asDiagonal() * eigen.eigenvectors().transpose();
}

}  // namespace

double frechet_distance(const Tensor& a, const Tensor& b) {
  const Matrix samples_a = to_matrix(a, "frechet_distance"), samples_b = to_matrix(b, "frechet_distance");
  if (samples_a.cols() != samples_b.cols()) {
    fail("frechet_distance: codes of {} and {} dimensions", samples_a.cols(), samples_b.cols());
  }
  const Moments moments_a = moments(samples_a, "frechet_distance"), moments_b = moments(samples_b, "frechet_distance");
  const Matrix root_a = square_root(moments_a.covariance);
  const Matrix inner = root_a * moments_b.covariance * root_a;
  const Eigen::SelfAdjointEigenSolver<Matrix> eigen((inner + inner.transpose()) / 2, Eigen::EigenvaluesOnly);
  const double cross = eigen.eigenvalues().cwiseMax(0).cwiseSqrt().sum();
  const double distance = (moments_a.mean - moments_b.mean).squaredNorm() + moments_a.covariance.trace() +
                          moments_b.covariance.trace() - 2 * cross;
  return std::max(distance, 0.0);
}

bool rank_deficient(const Tensor& a, const Tensor& b) {
  return std::min(a.shape()[0], b.shape()[0]) <= a.shape()[1];
}

}  // namespace counterfoil::metrics
