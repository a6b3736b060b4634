#pragma once

#include <cstdint>

#include "kernels/geometry.h"
#include "nn/weight.h"

namespace counterfoil::nn {

/// Extents of a filter; a single number means a square one.
struct Kernel {
  Kernel(std::int64_t extent) : height(extent), width(extent) {}  // NOLINT(google-explicit-constructor)
  Kernel(std::int64_t rows, std::int64_t columns) : height(rows), width(columns) {}
  std::int64_t height, width;
};

enum class Resize : std::uint8_t {
  none,
  up,    ///< nearest neighbour, twice the extent
  down,  ///< 2x2 average, half the extent rounded down
};

struct Conv2dOptions {
  Conv2dGeometry geometry = {};  ///< stride, padding, dilation, groups (groups = channels in: depthwise)
  bool bias = true;
  bool spectral_norm = false;
  Activation activation = Activation::identity;
  double slope = 0;
  /// up: of the input, down: of the output. Only of 3x3 with stride 1 and padding 1, one group and no activation.
  Resize resize = Resize::none;
};

/// activation(x * W + b), its input or output resized: x [N,H,W,in] -> [N,P,Q,out]. Parameters: "weight"
/// [out,R,S,in/groups], "bias" [out].
class Conv2d : public Network {
 public:
  Conv2d(const Init& init, std::int64_t in, std::int64_t out, Kernel kernel, const Conv2dOptions& options = {});
  Variable forward(const Variable& x, const Pass& pass) override;
  const Variable& weight() const { return weight_.parameter(); }

 private:
  Weight weight_;
  Variable bias_;
  Conv2dOptions options_;
  Tensor half_turn_;  // i32 [9 out], for Resize::up: the rows of the weight [9 out,in] turned by half a circle
};

}  // namespace counterfoil::nn
