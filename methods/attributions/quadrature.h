#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace counterfoil::methods {

/// The integral of f over [0,1] as sum_k weights[k] f(nodes[k]); the weights sum to 1.
struct Quadrature {
  std::vector<double> nodes, weights;  ///< nodes ascend
};

/// n >= 1 nodes; Error otherwise.
/// right Riemann: k/n for k = 1 .. n, weights 1/n. Ends at 1, leaves 0 out; an error of order 1/n.
Quadrature right_riemann(std::int64_t n);
/// midpoint: (k - 1/2)/n for k = 1 .. n, weights 1/n. Exact to degree 1; an error of order 1/n^2 on a smooth f.
Quadrature midpoint(std::int64_t n);
/// Gauss-Legendre: the roots of the n-th Legendre polynomial, moved from [-1,1] to [0,1]. Exact to degree 2n - 1.
Quadrature gauss_legendre(std::int64_t n);

}  // namespace counterfoil::methods
