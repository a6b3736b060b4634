#include "metrics/sparseness.h"

#include <algorithm>

#include "metrics/attribution_values.h"

namespace counterfoil::metrics {

std::vector<double> sparseness(const Tensor& attributions) {
  const AttributionValues all = attribution_values(attributions, "sparseness");
  std::vector<double> found;
  for (std::int64_t n = 0; n < all.images(); ++n) {
    std::vector<double> magnitudes = absolute(all.of(n));
    std::ranges::sort(magnitudes);
    const double features = static_cast<double>(magnitudes.size()), largest = magnitudes.back();
    double weighted = 0, total = 0;
    for (std::size_t i = 0; i < magnitudes.size() && largest > 0; ++i) {
      weighted += (2 * static_cast<double>(i + 1) - features - 1) * (magnitudes[i] / largest);
      total += magnitudes[i] / largest;
    }
    found.push_back(total == 0 ? 0 : weighted / (features * total));
  }
  return found;
}

}  // namespace counterfoil::metrics
