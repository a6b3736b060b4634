#pragma once

#include <vector>

#include "nn/conv2d.h"
#include "nn/gaussian_code.h"
#include "nn/image_shape.h"
#include "nn/linear.h"
#include "nn/module_list.h"

namespace counterfoil::nn {

struct VaeEmbeddingOptions {
  ImageShape image = {};
  std::vector<std::int64_t> widths = {16, 32, 64};  ///< channels per level, finest first
  std::int64_t code = 100;
  std::int64_t hidden = 64;    ///< of the classifier on the mean
  std::int64_t decisions = 1;  ///< its logits: one for two classes, as in the paper, else one per class
};

/// The embedding in which Charachon et al. (section 6.3) compare distributions of images: a variational autoencoder
/// whose mean also feeds a small classifier of the explained model's decisions.
///   encoder: conv 3x3 with stride 2 - ReLU per level, global average pooling, linear to mean and to log-variance;
///   classifier: linear - ReLU - linear on the mean, to the logits;
///   decoder (the paper gives none): linear - ReLU to the coarsest extent, then per level nearest resize - conv 3x3 -
///   ReLU, the last with a sigmoid instead; its extents mirror the encoder's, so odd ones are met.
/// Names: "encoder.l", "mean", "log_variance", "classifier.0", "classifier.1", "expand", "decoder.l".
class VaeEmbedding : public Network {
 public:
  explicit VaeEmbedding(const Init& init, const VaeEmbeddingOptions& options = {});

  GaussianCode encode(const Variable& x, const Pass& pass);  ///< x [N,H,W,C] in [0,1]
  Variable decode(const Variable& code, const Pass& pass);   ///< [N,code] -> [N,H,W,C] in [0,1]
  Variable decision_logits(const Variable& mean,
                           const Pass& pass);  ///< [N,code] -> [N,decisions]; one is positive for class 1
  /// The embedding: encode(x).mean.
  Variable forward(const Variable& x, const Pass& pass) override { return encode(x, pass).mean; }

 private:
  VaeEmbeddingOptions options_;
  std::vector<std::pair<std::int64_t, std::int64_t>> extents_;  ///< of each level's input, and of the last's output
  ModuleList<Conv2d> encoder_;
  Linear mean_, log_variance_;
  ModuleList<Linear> classifier_;
  Linear expand_;
  ModuleList<Conv2d> decoder_;
};

}  // namespace counterfoil::nn
