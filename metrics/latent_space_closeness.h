#pragma once

#include "tensor/tensor.h"

namespace counterfoil::metrics {

/// LSC, whether explanations keep the identity of their queries: Singla et al., "Explanation by progressive
/// exaggeration", ICLR 2020, section 4.1, eq. 10.
struct LatentSpaceCloseness {
  double fraction = 0;          ///< 0 to 1; 1 is best, chance is 1 / candidates
  std::int64_t candidates = 0;  ///< N: the explanations that each query chooses among. LSC falls as it grows: quote it
};

/// Codes of queries [N,D] and of their explanations [N,D], row by row, all made with the same delta (or towards the
/// same class), N >= 2: the fraction of queries x with
///   |E(x) - E(x_delta)| < min over the other queries' explanations m of |E(x) - E(m)|.
/// Strictly: where two explanations are the same, as those of a collapsed generator, neither is the closest.
///
/// Numbered deviations:
///  1. The right side measures from the query, as sections 4.1 and A.6 say in words ("closest to the query image"); eq.
///     10 as printed has |E(x_delta) - E(m)| there.
LatentSpaceCloseness latent_space_closeness(const Tensor& queries, const Tensor& explanations);

}  // namespace counterfoil::metrics
