#pragma once

#include "nn/batch_norm.h"

namespace counterfoil::nn {

/// Batch norm whose scale and shift are those of each image's class (de Vries et al. 2017; Miyato and Koyama 2018).
/// Parameters: "weight" [classes,C] (gamma, 1 at first), "bias" [classes,C] (beta, 0 at first); buffers of RunningNorm.
class ConditionalBatchNorm : public RunningNorm {
 public:
  ConditionalBatchNorm(const Init& init, std::int64_t channels, std::int64_t classes,
                       const BatchNormOptions& options = {});
  /// x [N,H,W,C] or [N,C], labels i32 [N] in [0, classes).
  Variable forward(const Variable& x, const Tensor& labels, const Pass& pass);

 private:
  Variable gamma_, beta_;
};

}  // namespace counterfoil::nn
