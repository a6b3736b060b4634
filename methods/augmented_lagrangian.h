#pragma once

#include <vector>

#include "autograd/variable.h"

namespace counterfoil::methods {

/// minimise f(z) subject to h(z) = 0 and g(z) <= 0, for M independent problems at once, each with multipliers lambda,
/// mu and a penalty c of its own (D. P. Bertsekas, Nonlinear Programming, 1999, section 4.2):
///
///   minimise over z  f + lambda h + c/2 h^2 + 1/(2c) sum_i (max(0, mu_i + c g_i)^2 - mu_i^2)
///   then             lambda += c h,  mu_i = max(0, mu_i + c g_i),
///
/// and c grows where the constraints are not met much better than before.
class AugmentedLagrangian {
 public:
  struct Options {
    double penalty = 1;     ///< c at first; positive
    double growth = 2;      ///< its factor, at least 1
    double progress = 0.5;  ///< c grows where the violation is above this part of the one before
    double penalty_limit = 1e4;
  };

  /// lambda and mu begin at 0. inequalities may be 0: then g is left undefined below.
  AugmentedLagrangian(std::int64_t problems, std::int64_t inequalities, const Options& options, Device& device);

  /// What is added to f [M,1]: h [M,1], g [M,inequalities] -> [M,1].
  Variable terms(const Variable& h, const Variable& g) const;
  /// The multipliers' step, from the constraints' values at the minimum that was found.
  void update(const Tensor& h, const Tensor& g);

  const Tensor& lambda() const { return lambda_; }    ///< [M,1]
  const Tensor& mu() const { return mu_; }            ///< [M,inequalities]; undefined without any
  const Tensor& penalty() const { return penalty_; }  ///< c, [M,1]

 private:
  Options options_;
  Tensor lambda_, mu_, penalty_;
  std::vector<double> violation_;  // at the last update, by problem; empty before it
};

/// max(|h|, max_i g_i, 0) of each problem: how far its constraints are from being met. g may be undefined.
std::vector<double> violations(const Tensor& h, const Tensor& g);

}  // namespace counterfoil::methods
