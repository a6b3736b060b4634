#pragma once

#include <span>
#include <vector>

// Correlations of two equally long lists of finite numbers, in double. Where a list is constant a correlation is 0 / 0:
// it is 0 here, for such a list foretells nothing. Empty lists and single numbers count as constant. Throws Error on
// lists of different lengths.

namespace counterfoil::metrics {

/// Pearson's: cov(a, b) / (std(a) std(b)), in [-1, 1].
double pearson(std::span<const double> a, std::span<const double> b);

/// Spearman's: Pearson's of the ranks.
double spearman(std::span<const double> a, std::span<const double> b);

/// Ranks from 1 in ascending order; equal numbers share the average of their ranks.
std::vector<double> average_ranks(std::span<const double> values);

}  // namespace counterfoil::metrics
