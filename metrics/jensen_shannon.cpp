#include "metrics/jensen_shannon.h"

#include <cmath>
#include <limits>

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>

#include "metrics/moments.h"

namespace counterfoil::metrics {

PrincipalPlane::PrincipalPlane(const Tensor& samples) {
  const Matrix matrix = to_matrix(samples, "principal plane");
  if (matrix.rows() < 3 || matrix.cols() < 2) {
    fail("principal plane: expected at least 3 codes of 2 dimensions, found {}", samples.shape().to_string());
  }
  const Moments fitted = moments(matrix, "principal plane");
  const Eigen::SelfAdjointEigenSolver<Matrix> eigen(fitted.covariance);
  mean_.assign(fitted.mean.begin(), fitted.mean.end());
  for (Eigen::Index i = 1; i <= 2; ++i) {  // eigenvalues ascend
    Eigen::VectorXd axis = eigen.eigenvectors().col(matrix.cols() - i);
    Eigen::Index largest = 0;
    axis.cwiseAbs().maxCoeff(&largest);
    if (axis[largest] < 0) axis = -axis;
    axes_.insert(axes_.end(), axis.begin(), axis.end());
    variances_.push_back(eigen.eigenvalues()[matrix.cols() - i]);
  }
}

Tensor PrincipalPlane::project(const Tensor& codes) const {
  const Matrix matrix = to_matrix(codes, "principal plane");
  const auto dimensions = static_cast<Eigen::Index>(mean_.size());
  if (matrix.cols() != dimensions)
    fail("principal plane: fitted on {} dimensions, found {}", dimensions, matrix.cols());
  const Eigen::Map<const Eigen::VectorXd> mean(mean_.data(), dimensions);
  const Eigen::Map<const Matrix> axes(axes_.data(), 2, dimensions);
  const Matrix points = (matrix.rowwise() - mean.transpose()) * axes.transpose();
  return Tensor::from(std::span<const double>(points.data(), static_cast<std::size_t>(points.size())),
                      {points.rows(), 2}, reference_device());
}

namespace {

/// Gaussian kernel density of `points` at the raster's nodes, normalised to sum 1.
Eigen::VectorXd density(const Matrix& points, const Eigen::VectorXd& xs, const Eigen::VectorXd& ys) {
  const double scott = std::pow(static_cast<double>(points.rows()), -1.0 / 3.0);  // (n^(-1/(d+4)))^2 with d = 2
  const Matrix bandwidth = moments(points, "jensen_shannon_distance").covariance * scott;
  const Eigen::LLT<Matrix> cholesky(bandwidth);
  if (cholesky.info() != Eigen::Success) fail("jensen_shannon_distance: the points lie on one line");
  // Whitened, the kernel is exp(-|u - v|^2 / 2); constant factors go with the normalisation.
  const Matrix whitened = cholesky.matrixL().solve(points.transpose()).transpose();
  const auto squared_distances = [&](Eigen::Index i, Eigen::Index j) -> Eigen::ArrayXd {
    const Eigen::Vector2d node = cholesky.matrixL().solve(Eigen::Vector2d(xs[i], ys[j]));
    return (whitened.rowwise() - node.transpose()).rowwise().squaredNorm();
  };
  // Relative to the node nearest to a point: where the points lie much closer together than the nodes, the kernels
  // themselves underflow at all of them.
  double nearest = std::numeric_limits<double>::infinity();
  for (Eigen::Index i = 0; i < xs.size(); ++i) {
    for (Eigen::Index j = 0; j < ys.size(); ++j) nearest = std::min(nearest, squared_distances(i, j).minCoeff());
  }
  Eigen::VectorXd values(xs.size() * ys.size());
  for (Eigen::Index i = 0; i < xs.size(); ++i) {
    for (Eigen::Index j = 0; j < ys.size(); ++j) {
      values[i * ys.size() + j] = (0.5 * (nearest - squared_distances(i, j))).exp().sum();
    }
  }
  return values / values.sum();
}

/// Kullback-Leibler divergence from the middle of two distributions, in bits; 0 log 0 = 0.
double divergence_from(const Eigen::VectorXd& p, const Eigen::VectorXd& middle) {
  double sum = 0;
  for (Eigen::Index i = 0; i < p.size(); ++i) {
    if (p[i] > 0) sum += p[i] * std::log2(p[i] / middle[i]);
  }
  return sum;
}

}  // namespace

double jensen_shannon_distance(const Tensor& a, const Tensor& b, int grid) {
  const Matrix points_a = to_matrix(a, "jensen_shannon_distance"), points_b = to_matrix(b, "jensen_shannon_distance");
  if (points_a.cols() != 2 || points_b.cols() != 2 || points_a.rows() < 3 || points_b.rows() < 3 || grid < 2) {
    fail("jensen_shannon_distance: expected at least 3 points [N,2] twice and a grid of 2 or more, found {}, {}, {}",
         a.shape().to_string(), b.shape().to_string(), grid);
  }
  const Eigen::RowVector2d low = points_a.colwise().minCoeff().cwiseMin(points_b.colwise().minCoeff());
  const Eigen::RowVector2d high = points_a.colwise().maxCoeff().cwiseMax(points_b.colwise().maxCoeff());
  const Eigen::VectorXd xs = Eigen::VectorXd::LinSpaced(grid, low[0], high[0]);
  const Eigen::VectorXd ys = Eigen::VectorXd::LinSpaced(grid, low[1], high[1]);
  const Eigen::VectorXd p = density(points_a, xs, ys), q = density(points_b, xs, ys);
  const Eigen::VectorXd middle = (p + q) / 2;
  const double divergence = (divergence_from(p, middle) + divergence_from(q, middle)) / 2;
  return std::sqrt(std::min(std::max(divergence, 0.0), 1.0));
}

}  // namespace counterfoil::metrics
