#include "metrics/mask_nonzero.h"

#include <algorithm>

namespace counterfoil::metrics {

double mask_nonzero(const Tensor& masks) {
  constexpr double kShown = 0.5 / 255;  // the least value that is not black in 8 bits
  if (masks.size() == 0) fail("mask_nonzero: no masks");
  const auto nonzero = std::ranges::count_if(masks.to_doubles(), [](double m) { return m >= kShown; });
  return static_cast<double>(nonzero) / static_cast<double>(masks.size());
}

}  // namespace counterfoil::metrics
