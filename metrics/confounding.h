#pragma once

#include <optional>
#include <vector>

#include "nn/classifier.h"

namespace counterfoil::metrics {

/// Whether explanations of one classifier change an attribute that it should not look at: Singla et al., "Explanation
/// by progressive exaggeration", ICLR 2020, section 4.4, table 3 (after Joshi et al. 2018).
struct Confounding {
  std::int64_t images = 0;
  double changed = 0;          ///< fraction of the explanations with another attribute than their query; 0 is best
  std::vector<double> shares;  ///< fraction of the explanations with each attribute ("male", "female" of table 3)
};

/// Queries and their explanations [N,H,W,C] in [0,1], N >= 1. The attribute of either is what `oracle` decides, so that
/// an oracle that errs on a query does not count as a change.
Confounding confounding(nn::Classifier& oracle, const Tensor& queries, const Tensor& explanations);

/// The two columns of table 3, apart by what was asked for: conditions [N] are the explanations' f(x) + delta, the
/// probability of the target label. Those between 0.1 and 0.9 are in neither.
struct ConfoundingByTarget {
  std::optional<Confounding> present;  ///< f(x) + delta > 0.9; nothing where there is none
  std::optional<Confounding> absent;   ///< f(x) + delta < 0.1
};
ConfoundingByTarget confounding_by_target(nn::Classifier& oracle, const Tensor& queries, const Tensor& explanations,
                                          const Tensor& conditions);

}  // namespace counterfoil::metrics
