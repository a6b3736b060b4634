#include "metrics/confounding.h"

#include "metrics/agreement.h"
#include "tensor/ops.h"

namespace counterfoil::metrics {

Confounding confounding(nn::Classifier& oracle, const Tensor& queries, const Tensor& explanations) {
  if (!(queries.shape() == explanations.shape()) || queries.size() == 0) {
    fail("confounding: expected queries and as many explanations, found {} and {}", queries.shape().to_string(),
         explanations.shape().to_string());
  }
  const Tensor before = oracle.decisions(queries), after = oracle.decisions(explanations);
  Confounding result;
  result.images = after.size();
  result.changed = 1 - agreement(before, after);
  std::vector<std::int64_t> counts(static_cast<std::size_t>(oracle.class_count()));
  for (const std::int32_t attribute : after.to_vector<std::int32_t>()) ++counts[static_cast<std::size_t>(attribute)];
  for (const std::int64_t count : counts)
    result.shares.push_back(static_cast<double>(count) / static_cast<double>(result.images));
  return result;
}

ConfoundingByTarget confounding_by_target(nn::Classifier& oracle, const Tensor& queries, const Tensor& explanations,
                                          const Tensor& conditions) {
  constexpr double kPresent = 0.9, kAbsent = 0.1;
  const std::int64_t images = queries.shape().rank() > 0 ? queries.shape()[0] : 0;
  if (!(conditions.shape() == Shape{images})) {
    fail("confounding: {} queries but conditions {}", images, conditions.shape().to_string());
  }
  const std::vector<double> asked = conditions.to_doubles();
  const auto of = [&](const auto& chosen) -> std::optional<Confounding> {
    std::vector<std::int32_t> places;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      if (chosen(asked[i])) places.push_back(static_cast<std::int32_t>(i));
    }
    if (places.empty()) return std::nullopt;
    const Tensor rows = Tensor::from(places, {static_cast<std::int64_t>(places.size())}, queries.device());
    return confounding(oracle, gather_rows(queries, rows), gather_rows(explanations, rows));
  };
  return {of([](double p) { return p > kPresent; }), of([](double p) { return p < kAbsent; })};
}

}  // namespace counterfoil::metrics
