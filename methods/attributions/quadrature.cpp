#include "methods/attributions/quadrature.h"

#include <cmath>
#include <numbers>

#include "kernels/error.h"

namespace counterfoil::methods {
namespace {

/// Nodes (k + shift) / n for k = 1 .. n.
Quadrature evenly(std::int64_t n, double shift) {
  if (n < 1) fail("quadrature: {} nodes, expected at least 1", n);
  Quadrature rule;
  const double count = static_cast<double>(n);
  for (std::int64_t k = 1; k <= n; ++k) rule.nodes.push_back((static_cast<double>(k) + shift) / count);
  rule.weights.assign(rule.nodes.size(), 1 / count);
  return rule;
}

struct Legendre {
  double value, slope;
};

// P_n(t) by (k + 1) P_{k+1} = (2k + 1) t P_k - k P_{k-1}, and P_n'(t) = n (P_{n-1} - t P_n) / (1 - t^2); |t| < 1
Legendre legendre(std::int64_t n, double t) {
  double before = 1, p = t;
  for (std::int64_t k = 1; k < n; ++k) {
    const double degree = static_cast<double>(k);
    const double next = ((2 * degree + 1) * t * p - degree * before) / (degree + 1);
    before = p;
    p = next;
  }
  return {p, static_cast<double>(n) * (before - t * p) / (1 - t * t)};
}

}  // namespace

Quadrature right_riemann(std::int64_t n) {
  return evenly(n, 0);
}

Quadrature midpoint(std::int64_t n) {
  return evenly(n, -0.5);
}

// Newton's method from Tricomi's approximation of the roots t <= 0; the others mirror them. Weights on [-1,1] are
// 2 / ((1 - t^2) P_n'(t)^2).
Quadrature gauss_legendre(std::int64_t n) {
  Quadrature rule = evenly(n, 0);
  const double count = static_cast<double>(n);
  for (std::size_t k = 0, mirrored = rule.nodes.size() - 1; k <= mirrored; ++k, --mirrored) {
    double t = k == mirrored ? 0 : -std::cos(std::numbers::pi * (static_cast<double>(k) + 0.75) / (count + 0.5));
    Legendre p = legendre(n, t);
    for (int i = 0; i < 10 && std::abs(p.value) > 1e-15 * std::abs(p.slope); ++i) {
      t -= p.value / p.slope;
      p = legendre(n, t);
    }
    rule.nodes[k] = (1 + t) / 2;
    rule.nodes[mirrored] = (1 - t) / 2;
    rule.weights[k] = rule.weights[mirrored] = 1 / ((1 - t * t) * p.slope * p.slope);
    if (mirrored == 0) break;
  }
  return rule;
}

}  // namespace counterfoil::methods
