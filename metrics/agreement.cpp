#include "metrics/agreement.h"

#include <cmath>

#include "tensor/ops.h"

namespace counterfoil::metrics {

double agreement(const Tensor& decisions_a, const Tensor& decisions_b) {
  if (!(decisions_a.shape() == decisions_b.shape()) || decisions_a.size() == 0) {
    fail("agreement: expected two equally long lists of decisions, found {} and {}", decisions_a.shape().to_string(),
         decisions_b.shape().to_string());
  }
  const std::vector<std::int32_t> a = decisions_a.to_vector<std::int32_t>(), b = decisions_b.to_vector<std::int32_t>();
  std::int64_t equal = 0;
  for (std::size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i];
  return static_cast<double>(equal) / static_cast<double>(a.size());
}

QueryDistance query_distance(const Tensor& counterfactuals, const Tensor& queries) {
  if (!(counterfactuals.shape() == queries.shape()) || queries.size() == 0) {
    fail("query_distance: expected two equal batches, found {} and {}", counterfactuals.shape().to_string(),
         queries.shape().to_string());
  }
  const std::int64_t images = queries.shape()[0], pixels = queries.size() / images;
  const Tensor a = counterfactuals.reshape({images, pixels}), b = queries.reshape({images, pixels});
  const std::vector<double> absolute = loss(LossOp::l1, a, b, 1.0 / static_cast<double>(pixels), {1}).to_doubles();
  const std::vector<double> squared = loss(LossOp::l2, a, b, 1.0 / static_cast<double>(pixels), {1}).to_doubles();
  QueryDistance distance;
  for (std::size_t i = 0; i < absolute.size(); ++i) {
    distance.l1 += absolute[i] / static_cast<double>(images);
    distance.l2 += std::sqrt(squared[i]) / static_cast<double>(images);
  }
  return distance;
}

}  // namespace counterfoil::metrics
