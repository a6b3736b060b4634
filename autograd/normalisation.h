#pragma once

#include "autograd/variable.h"
#include "kernels/backend.h"

namespace counterfoil {

struct NormAttribute {
  double epsilon = 1e-5;
  Activation activation = Activation::identity;
  double slope = 0;
  bool per_image = false;           ///< instance norm: statistics [N,C] instead of [1,C]
  bool statistics_of_input = true;  ///< false: statistics given from outside, constants of the derivative
  Tensor mean = {}, variance = {};  ///< as used; filled in by the operations
};

/// activation(gamma * (x - mean(x)) / sqrt(var(x) + epsilon) + beta) with x's own statistics over the batch and space,
/// or over space alone with per_image. gamma and beta are [C], [1,C] or, for conditional norms, [N,C]. The statistics
/// used are written to mean and variance (shape [1,C] or [N,C]) if those are not null, for running averages. Node
/// "norm", inputs x, gamma, beta, attribute NormAttribute. First order is one fused primitive; higher orders go through
/// the composed form.
Variable normalise(const Variable& x, const Variable& gamma, const Variable& beta, const NormAttribute& options,
                   Tensor* mean = nullptr, Tensor* variance = nullptr);

/// The same with given, constant statistics mean and variance [1,C] or [N,C] (eval mode).
Variable normalise_with(const Variable& x, const Variable& gamma, const Variable& beta, const Tensor& mean,
                        const Tensor& variance, double epsilon, Activation activation = Activation::identity,
                        double slope = 0);

/// Either of the above written in elementary operations: the oracle of the fused form and its higher-order derivative.
Variable normalise_composed(const Variable& x, const Variable& gamma, const Variable& beta,
                            const NormAttribute& options);

}  // namespace counterfoil
