#pragma once

#include "kernels/geometry.h"
#include "nn/weight.h"

namespace counterfoil::nn {

/// Extents of a filter; a single number means a square one.
struct Kernel {
  Kernel(std::int64_t extent) : height(extent), width(extent) {}  // NOLINT(google-explicit-constructor)
  Kernel(std::int64_t rows, std::int64_t columns) : height(rows), width(columns) {}
  std::int64_t height, width;
};

struct Conv2dOptions {
  Conv2dGeometry geometry = {};  ///< stride, padding, dilation, groups (groups = channels in: depthwise)
  bool bias = true;
  bool spectral_norm = false;
  Activation activation = Activation::identity;
  double slope = 0;
};

/// activation(x * W + b): x [N,H,W,in] -> [N,P,Q,out]. Parameters: "weight" [out,R,S,in/groups], "bias" [out].
class Conv2d : public Network {
 public:
  Conv2d(const Init& init, std::int64_t in, std::int64_t out, Kernel kernel, const Conv2dOptions& options = {});
  Variable forward(const Variable& x, const Pass& pass) override;
  const Variable& weight() const { return weight_.parameter(); }

 private:
  Weight weight_;
  Variable bias_;
  Conv2dOptions options_;
};

}  // namespace counterfoil::nn
