#pragma once

#include "nn/embedding.h"
#include "nn/linear.h"

namespace counterfoil::nn {

struct OrdinalProjectionOptions {
  std::int64_t bins = 10;
  /// false: a vector v_i per threshold, as in the paper. true, as in the released code: all thresholds share one pair
  /// of vectors, v_1 for a threshold that is passed and v_0 for one that is not.
  bool shared = false;
  bool spectral_norm = true;
};

/// The projection discriminator's output for ordered classes, Progressive Exaggeration eq. 3 and 4:
///   psi(phi) + sum over i < k of v_i . phi,   phi = sum over space of ReLU(features), k the bin in [0, bins).
/// Names: "psi" (linear), "thresholds" ([bins - 1,C], or [2,C] when shared).
class OrdinalProjection : public Module {
 public:
  OrdinalProjection(const Init& init, std::int64_t channels, const OrdinalProjectionOptions& options = {});
  /// features [N,H,W,C], labels i32 [N] -> [N,1].
  Variable forward(const Variable& features, const Tensor& labels, const Pass& pass);

 private:
  Linear psi_;
  Embedding thresholds_;
  Tensor counts_;  ///< [bins, thresholds]: how often each vector counts for a bin
};

}  // namespace counterfoil::nn
