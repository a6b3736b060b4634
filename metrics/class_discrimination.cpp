#include "metrics/class_discrimination.h"

#include "metrics/agreement.h"
#include "tensor/ops.h"

namespace counterfoil::metrics {

Tensor class_discrimination(const Tensor& queries, const std::vector<Tensor>& explanations) {
  if (queries.shape().rank() != 2 || queries.size() == 0 || explanations.empty()) {
    fail("class_discrimination: expected labels [N,K] and those of explanations of a target or more, found {} and {}",
         queries.shape().to_string(), explanations.size());
  }
  const std::int64_t labels = queries.shape()[1];
  std::vector<double> flipped;
  for (const Tensor& explained : explanations) {
    if (!(explained.shape() == queries.shape())) {
      fail("class_discrimination: labels {} of queries, but {} of explanations", queries.shape().to_string(),
           explained.shape().to_string());
    }
    for (std::int64_t k = 0; k < labels; ++k)
      flipped.push_back(1 - agreement(slice(queries, 1, k, k + 1), slice(explained, 1, k, k + 1)));
  }
  return Tensor::from(flipped, {static_cast<std::int64_t>(explanations.size()), labels}, reference_device());
}

Tensor decided_labels(const std::vector<nn::Classifier*>& classifiers, const Tensor& x) {
  if (classifiers.empty()) fail("decided_labels: no classifier");
  std::vector<Tensor> columns;
  for (nn::Classifier* classifier : classifiers) columns.push_back(classifier->decisions(x).reshape({-1, 1}));
  return concat(columns, 1);
}

}  // namespace counterfoil::metrics
