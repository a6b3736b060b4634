#pragma once

#include "kernels/geometry.h"
#include "nn/module.h"

namespace counterfoil::nn {

struct BatchNormOptions {
  double epsilon = 1e-5;
  double momentum = 0.1;  ///< running = (1 - momentum) running + momentum batch
  Activation activation = Activation::identity;
  double slope = 0;
};

/// What batch norm and conditional batch norm share: running statistics, and the choice between them and the batch's.
/// Buffers: "running_mean" [C] (0 at first), "running_var" [C] (1 at first), which takes the unbiased batch variance,
/// as PyTorch does; normalisation itself uses the biased one.
class RunningNorm : public Module {
 protected:
  RunningNorm(const Init& init, std::int64_t channels, const BatchNormOptions& options);
  /// x [N,H,W,C] or [N,C]; gamma and beta [C] or [N,C]. Training: the batch's statistics, remembered with
  /// pass.update_statistics. Otherwise the running ones, as constants.
  Variable normalised(const Variable& x, const Variable& gamma, const Variable& beta, const Pass& pass);

 private:
  void remember(const Tensor& mean, const Tensor& variance, std::int64_t count);

  Tensor running_mean_, running_var_;
  BatchNormOptions options_;
};

/// Ioffe and Szegedy 2015: activation(gamma (x - mean) / sqrt(var + epsilon) + beta) over batch and space, for x
/// [N,H,W,C] or [N,C]. Parameters: "weight" [C] (gamma), "bias" [C] (beta); buffers of RunningNorm.
class BatchNorm : public RunningNorm {
 public:
  BatchNorm(const Init& init, std::int64_t channels, const BatchNormOptions& options = {});
  Variable forward(const Variable& x, const Pass& pass) { return normalised(x, gamma_, beta_, pass); }

 private:
  Variable gamma_, beta_;
};

}  // namespace counterfoil::nn
