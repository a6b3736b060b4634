#include "metrics/verification.h"

#include "metrics/moments.h"

namespace counterfoil::metrics {

double verification_accuracy(const Tensor& queries, const Tensor& explanations, double threshold) {
  const Matrix a = to_matrix(queries, "verification_accuracy");
  const Matrix b = to_matrix(explanations, "verification_accuracy");
  if (!(queries.shape() == explanations.shape()) || a.rows() < 1) {
    fail("verification_accuracy: expected codes of at least 1 query and as many explanations, found {} and {}",
         queries.shape().to_string(), explanations.shape().to_string());
  }
  std::int64_t verified = 0;
  for (Eigen::Index i = 0; i < a.rows(); ++i) {
    const double norms = a.row(i).norm() * b.row(i).norm();
    const double distance = norms > 0 ? 1 - a.row(i).dot(b.row(i)) / norms : 1;
    verified += distance < threshold ? 1 : 0;
  }
  return static_cast<double>(verified) / static_cast<double>(a.rows());
}

}  // namespace counterfoil::metrics
