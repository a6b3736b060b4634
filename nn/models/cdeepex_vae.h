#pragma once

#include <vector>

#include "nn/gaussian_code.h"
#include "nn/image_shape.h"
#include "nn/linear.h"
#include "nn/module_list.h"

namespace counterfoil::nn {

struct CdeepexVaeOptions {
  ImageShape image = {64, 64, 1};
  std::vector<std::int64_t> hidden = {784, 400};
  std::int64_t code = 120;
};

/// The variational autoencoder of CDeepEx (appendix 6.1): linear layers pixels - 784 - 400 - 120 and back. The paper
/// names no activations: ReLU between layers and a sigmoid at the end, for images in [0, 1]. Names: "encoder.i",
/// "mean", "log_variance", "decoder.i"; pixels in the order row, column, channel.
class CdeepexVae : public Module {
 public:
  explicit CdeepexVae(const Init& init, const CdeepexVaeOptions& options = {});
  GaussianCode encode(const Variable& x, const Pass& pass);  ///< x [N,H,W,C] in [0,1]
  Variable decode(const Variable& code, const Pass& pass);   ///< [N,code] -> [N,H,W,C] in [0,1]

 private:
  CdeepexVaeOptions options_;
  ModuleList<Linear> encoder_;
  Linear mean_, log_variance_;
  ModuleList<Linear> decoder_;
};

}  // namespace counterfoil::nn
