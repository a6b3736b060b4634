#include "metrics/annotation_overlap.h"

#include <algorithm>
#include <cmath>

#include "metrics/attribution_values.h"
#include "metrics/correlation.h"

namespace counterfoil::metrics {
namespace {

/// 1 where annotated, else 0: [N,H,W,1].
AttributionValues annotated(const Tensor& annotations, const Shape& maps, const char* who) {
  if (!(annotations.shape() == maps)) {
    fail("{}: annotations {}, expected {}", who, annotations.shape().to_string(), maps.to_string());
  }
  AttributionValues found{maps, annotations.to_doubles()};
  for (double& value : found.values) value = value != 0 ? 1 : 0;
  return found;
}

/// The p-th percentile, p in [0,100], linear between the values of the ranks around p / 100 (n - 1), from 0.
double percentile(std::span<const double> values, double p) {
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  const double rank = p / 100 * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(rank);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], rank - static_cast<double>(below));
}

}  // namespace

std::vector<double> intersection_over_union(const Tensor& attributions, const Tensor& annotations, double p) {
  const AttributionValues maps = pixel_values(attribution_values(attributions, "intersection over union"));
  const AttributionValues truth = annotated(annotations, maps.shape, "intersection over union");
  if (!(p >= 0 && p <= 100)) fail("intersection over union: percentile {}, expected 0 to 100", p);
  std::vector<double> found;
  for (std::int64_t n = 0; n < maps.images(); ++n) {
    const std::span<const double> map = maps.of(n), mask = truth.of(n);
    const auto [low, high] = std::ranges::minmax(map);
    const double threshold = percentile(map, p);
    std::int64_t both = 0, either = 0;
    for (std::size_t i = 0; i < map.size(); ++i) {
      const bool selected = map[i] > threshold || (threshold >= high && map[i] == high && low < high);
      both += selected && mask[i] != 0;
      either += selected || mask[i] != 0;
    }
    found.push_back(either == 0 ? 0 : static_cast<double>(both) / static_cast<double>(either));
  }
  return found;
}

std::vector<double> normalised_cross_correlation(const Tensor& attributions, const Tensor& annotations) {
  const AttributionValues maps = pixel_values(attribution_values(attributions, "normalised cross-correlation"));
  const AttributionValues truth = annotated(annotations, maps.shape, "normalised cross-correlation");
  std::vector<double> found;
  for (std::int64_t n = 0; n < maps.images(); ++n) found.push_back(pearson(maps.of(n), truth.of(n)));
  return found;
}

}  // namespace counterfoil::metrics
