#include "metrics/latent_space_closeness.h"

#include "metrics/moments.h"

namespace counterfoil::metrics {

namespace {

/// Whether query i is nearer to its own explanation than to any other.
bool nearest_to_own(const Matrix& queries, const Matrix& explanations, Eigen::Index i) {
  const double own = (queries.row(i) - explanations.row(i)).squaredNorm();
  for (Eigen::Index j = 0; j < explanations.rows(); ++j) {
    if (j != i && (queries.row(i) - explanations.row(j)).squaredNorm() <= own) return false;
  }
  return true;
}

}  // namespace

LatentSpaceCloseness latent_space_closeness(const Tensor& queries, const Tensor& explanations) {
  const Matrix x = to_matrix(queries, "latent_space_closeness");
  const Matrix x_delta = to_matrix(explanations, "latent_space_closeness");
  if (!(queries.shape() == explanations.shape()) || x.rows() < 2) {
    fail("latent_space_closeness: expected codes of at least 2 queries and as many explanations, found {} and {}",
         queries.shape().to_string(), explanations.shape().to_string());
  }
  std::int64_t closest = 0;
  for (Eigen::Index i = 0; i < x.rows(); ++i) closest += nearest_to_own(x, x_delta, i) ? 1 : 0;
  return {static_cast<double>(closest) / static_cast<double>(x.rows()), x.rows()};
}

}  // namespace counterfoil::metrics
