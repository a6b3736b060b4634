#pragma once

#include "tensor/tensor.h"

namespace counterfoil::metrics {

/// Squared Wasserstein-2 distance of the Gaussians fitted to two sets of codes a [N,D] and b [M,D]:
///   |mu_a - mu_b|^2 + tr(C_a + C_b - 2 (C_a^1/2 C_b C_a^1/2)^1/2)
/// with covariances divided by N - 1, in float64; the root through symmetric eigenproblems, negative eigenvalues of
/// rounding clamped to 0, so that the result is real and never NaN. (Heusel et al. 2017: FID, where the codes are those
/// of an Inception network, 2048 of them; on VAE codes FD_mu of Charachon et al., section 6.3.) The distance of few
/// samples is biased upwards: quote N and M, and whether they are rank deficient.
double frechet_distance(const Tensor& a, const Tensor& b);

/// Whether either set has D samples or fewer, so that its covariance is singular whatever it was drawn from.
bool rank_deficient(const Tensor& a, const Tensor& b);

}  // namespace counterfoil::metrics
