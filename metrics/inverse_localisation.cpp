#include "metrics/inverse_localisation.h"

#include <cmath>
#include <limits>

#include "metrics/attribution_values.h"

namespace counterfoil::metrics {

std::vector<double> inverse_localisation(const Tensor& attributions, std::int64_t edge) {
  const AttributionValues all = attribution_values(attributions, "inverse localisation");
  const std::int64_t rows = all.shape[1], columns = all.shape[2], channels = all.shape[3];
  if (edge < 1 || 2 * edge >= columns) {
    fail("inverse localisation: edges of {} columns, expected at least 1 and a centre within {}", edge, columns);
  }
  std::vector<double> found;
  for (std::int64_t n = 0; n < all.images(); ++n) {
    double at_edges = 0, in_centre = 0;
    const std::span<const double> values = all.of(n);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::int64_t column = static_cast<std::int64_t>(i) / channels % columns;
      (column < edge || column >= columns - edge ? at_edges : in_centre) += std::abs(values[i]);
    }
    at_edges /= static_cast<double>(rows * 2 * edge * channels);
    in_centre /= static_cast<double>(rows * (columns - 2 * edge) * channels);
    if (in_centre > 0) {
      found.push_back(at_edges / in_centre);
    } else {
      found.push_back(at_edges > 0 ? std::numeric_limits<double>::infinity() : 1);
    }
  }
  return found;
}

}  // namespace counterfoil::metrics
