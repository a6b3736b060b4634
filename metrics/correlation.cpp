#include "metrics/correlation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/error.h"

namespace counterfoil::metrics {
namespace {

/// Deviations from the mean over the largest of them; empty for a constant list.
std::vector<double> scaled_deviations(std::span<const double> values) {
  if (values.empty()) return {};
  const auto [low, high] = std::ranges::minmax(values);
  if (low == high) return {};
  double mean = 0;
  for (const double value : values) mean += value / static_cast<double>(values.size());
  const double largest = std::max(high - mean, mean - low);
  std::vector<double> deviations;
  deviations.reserve(values.size());
  for (const double value : values) deviations.push_back((value - mean) / largest);
  return deviations;
}

}  // namespace

double pearson(std::span<const double> a, std::span<const double> b) {
  if (a.size() != b.size()) fail("correlation: lists of {} and {} numbers", a.size(), b.size());
  const std::vector<double> from_a = scaled_deviations(a), from_b = scaled_deviations(b);
  if (from_a.empty() || from_b.empty()) return 0;
  const auto product = [](const std::vector<double>& u, const std::vector<double>& v) {
    return std::inner_product(u.begin(), u.end(), v.begin(), 0.0);
  };
  const double lengths = std::sqrt(product(from_a, from_a)) * std::sqrt(product(from_b, from_b));
  return std::clamp(product(from_a, from_b) / lengths, -1.0, 1.0);
}

double spearman(std::span<const double> a, std::span<const double> b) {
  return pearson(average_ranks(a), average_ranks(b));
}

std::vector<double> average_ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return values[i]; });
  std::vector<double> ranks(values.size());
  for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    const double average = static_cast<double>(begin + 1 + end) / 2;  // of begin + 1 .. end
    for (std::size_t i = begin; i < end; ++i) ranks[order[i]] = average;
  }
  return ranks;
}

}  // namespace counterfoil::metrics
