#pragma once

#include "nn/conv2d.h"

namespace counterfoil::nn {

struct ConvTranspose2dOptions {
  Conv2dGeometry geometry = {};                    ///< of the convolution whose input gradient this is
  int output_padding_h = 0, output_padding_w = 0;  ///< extra rows and columns at the end; less than stride or dilation
  bool bias = true;
  bool spectral_norm = false;
  Activation activation = Activation::identity;
  double slope = 0;
};

/// activation(transposed convolution + b): x [N,P,Q,in] -> [N,H,W,out] with
/// H = (P - 1) stride - pads + dilation (R - 1) + 1 + output padding. Parameters: "weight" [in,R,S,out/groups],
/// "bias" [out].
class ConvTranspose2d : public Network {
 public:
  ConvTranspose2d(const Init& init, std::int64_t in, std::int64_t out, Kernel kernel,
                  const ConvTranspose2dOptions& options = {});
  Variable forward(const Variable& x, const Pass& pass) override;
  const Variable& weight() const { return weight_.parameter(); }

 private:
  Weight weight_;
  Variable bias_;
  ConvTranspose2dOptions options_;
};

}  // namespace counterfoil::nn
