#include "methods/attributions/quadrature.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include <gmock/gmock.h>

#include "kernels/error.h"

namespace counterfoil::methods {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::Pointwise;

double integral(const Quadrature& rule, const std::function<double(double)>& f) {
  double sum = 0;
  for (std::size_t k = 0; k < rule.nodes.size(); ++k) sum += rule.weights[k] * f(rule.nodes[k]);
  return sum;
}

TEST(Quadrature, NodesAreWhereTheHeaderSays) {
  EXPECT_THAT(right_riemann(4).nodes, ElementsAre(0.25, 0.5, 0.75, 1));
  EXPECT_THAT(midpoint(4).nodes, ElementsAre(0.125, 0.375, 0.625, 0.875));
  EXPECT_THAT(right_riemann(4).weights, ElementsAre(0.25, 0.25, 0.25, 0.25));
  EXPECT_THAT(midpoint(4).weights, ElementsAre(0.25, 0.25, 0.25, 0.25));
}

// Abramowitz and Stegun, table 25.4, moved to [0,1].
TEST(Quadrature, GaussLegendreNodesAreThoseOfTheTables) {
  EXPECT_THAT(gauss_legendre(1).nodes, ElementsAre(DoubleNear(0.5, 1e-15)));
  EXPECT_THAT(gauss_legendre(1).weights, ElementsAre(DoubleNear(1, 1e-15)));
  const std::vector<double> nodes = {-0.906179845938664, -0.538469310105683, 0, 0.538469310105683, 0.906179845938664};
  const std::vector<double> weights = {0.236926885056189, 0.478628670499366, 0.568888888888889, 0.478628670499366,
                                       0.236926885056189};
  const Quadrature rule = gauss_legendre(5);
  for (std::size_t k = 0; k < 5; ++k) {
    EXPECT_NEAR(2 * rule.nodes[k] - 1, nodes[k], 2e-15);
    EXPECT_NEAR(2 * rule.weights[k], weights[k], 2e-15);
  }
}

TEST(Quadrature, GaussLegendreIsExactToDegreeTwiceItsNodesLessOne) {
  for (const std::int64_t n : {1, 2, 3, 7, 20, 64}) {
    const double highest = static_cast<double>(2 * n - 1);
    EXPECT_NEAR(integral(gauss_legendre(n), [&](double a) { return std::pow(a, highest); }), 1 / (highest + 1), 1e-14)
        << n;
  }
  EXPECT_GT(std::abs(integral(gauss_legendre(2), [](double a) { return std::pow(a, 4); }) - 0.2), 1e-3);
}

TEST(Quadrature, WeightsSumToOneAtAnyNumberOfNodes) {
  for (const std::int64_t n : {1, 2, 11, 200, 1000, 3000}) {
    for (const Quadrature& rule : {right_riemann(n), midpoint(n), gauss_legendre(n)}) {
      EXPECT_EQ(rule.nodes.size(), static_cast<std::size_t>(n));
      EXPECT_NEAR(std::accumulate(rule.weights.begin(), rule.weights.end(), 0.0), 1, 1e-11) << n;
      EXPECT_TRUE(std::is_sorted(rule.nodes.begin(), rule.nodes.end())) << n;
      EXPECT_GT(rule.nodes.front(), 0);
      EXPECT_LE(rule.nodes.back(), 1);
    }
    EXPECT_NEAR(integral(gauss_legendre(n), [](double a) { return std::exp(a); }), std::exp(1) - 1,
                n == 1 ? 0.1 : 1e-2);
  }
  EXPECT_THROW(gauss_legendre(0), Error);
  EXPECT_THROW(midpoint(-1), Error);
}

}  // namespace
}  // namespace counterfoil::methods
