#pragma once

#include "tensor/tensor.h"

namespace counterfoil::metrics {

/// Student's t-tests of equal means, by which Singla et al. ("Explanation by progressive exaggeration", ICLR 2020,
/// section 4.2) compare a measurement on queries with the same on their counterfactuals (paired), and on
/// counterfactuals with that on real images of their side (independent). Variances are divided by n - 1. Where neither
/// sample varies, t is 0 and p is 1 for equal means, else t is infinite and p is 0.
struct TTest {
  double t = 0;        ///< positive where the first mean is the larger
  double degrees = 0;  ///< of freedom; not whole in Welch's test
  double p = 0;        ///< two-sided: the chance of |t| or more under equal means
};

/// a, b [N], N >= 2, row by row of the same individual: t = mean(a - b) / sqrt(var(a - b) / N), N - 1 degrees.
TTest paired_t_test(const Tensor& a, const Tensor& b);
/// a [N], b [M], N, M >= 2, of equal variances: pooled variance, N + M - 2 degrees.
TTest pooled_t_test(const Tensor& a, const Tensor& b);
/// a [N], b [M], N, M >= 2, of any variances: t = (mean(a) - mean(b)) / sqrt(var(a) / N + var(b) / M), the degrees of
/// Welch and Satterthwaite.
TTest welch_t_test(const Tensor& a, const Tensor& b);

}  // namespace counterfoil::metrics
