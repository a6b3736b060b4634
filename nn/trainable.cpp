#include "nn/trainable.h"

#include <algorithm>

namespace counterfoil::nn {

LossTerms Trainable::finish(const DeviceTerms& terms) {
  LossTerms sums;
  for (const auto& [name, value] : terms) {
    const auto known = std::ranges::find(sums, name, [](const auto& term) { return term.first; });
    if (known == sums.end()) {
      sums.emplace_back(name, value.item());
    } else {
      known->second += value.item();
    }
  }
  return sums;
}

}  // namespace counterfoil::nn
