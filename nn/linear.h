#pragma once

#include "kernels/geometry.h"
#include "nn/weight.h"

namespace counterfoil::nn {

struct LinearOptions {
  bool bias = true;
  bool spectral_norm = false;
  Activation activation = Activation::identity;
  double slope = 0;
};

/// activation(x W' + b): x [N,I] -> [N,O]. Parameters: "weight" [O,I], "bias" [O].
class Linear : public Network {
 public:
  Linear(const Init& init, std::int64_t in, std::int64_t out, const LinearOptions& options = {});
  Variable forward(const Variable& x, const Pass& pass) override;
  const Variable& weight() const { return weight_.parameter(); }

 private:
  Weight weight_;
  Variable bias_;
  LinearOptions options_;
};

}  // namespace counterfoil::nn
