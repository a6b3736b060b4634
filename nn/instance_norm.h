#pragma once

#include "kernels/geometry.h"
#include "nn/module.h"

namespace counterfoil::nn {

struct InstanceNormOptions {
  double epsilon = 1e-5;
  bool affine = true;  ///< parameters "weight" [C] (gamma) and "bias" [C] (beta); else gamma = 1, beta = 0, fixed
  Activation activation = Activation::identity;
  double slope = 0;
};

/// Ulyanov et al. 2016: activation(gamma (x - mean) / sqrt(var + epsilon) + beta) with each image's own mean and biased
/// variance per channel, the same in training and evaluation; x [N,H,W,C].
class InstanceNorm : public Network {
 public:
  InstanceNorm(const Init& init, std::int64_t channels, const InstanceNormOptions& options = {});
  Variable forward(const Variable& x, const Pass& pass) override;

 private:
  Variable gamma_, beta_;
  InstanceNormOptions options_;
};

}  // namespace counterfoil::nn
