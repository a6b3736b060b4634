#pragma once

#include "tensor/tensor.h"

namespace counterfoil::metrics {

/// Squared Wasserstein-2 distance of the Gaussians fitted to two sets of codes a [N,D] and b [M,D]:
///   |mu_a - mu_b|^2 + tr(C_a + C_b - 2 (C_a^1/2 C_b C_a^1/2)^1/2)
/// with covariances divided by N - 1, in float64; the root through symmetric eigenproblems, negative eigenvalues of
/// rounding clamped to 0, so that the result is real and never NaN. Below D + 1 samples the covariances are singular:
/// quote N. (Heusel et al. 2017; on VAE codes FD_mu of Charachon et al., section 6.3.)
double frechet_distance(const Tensor& a, const Tensor& b);

}  // namespace counterfoil::metrics
