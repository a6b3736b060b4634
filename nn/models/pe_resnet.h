#pragma once

#include <vector>

#include "nn/image_shape.h"
#include "nn/models/ordinal_projection.h"
#include "nn/module_list.h"
#include "nn/residual.h"

// The networks of Progressive Exaggeration (Singla et al. 2020, appendix A.1): residual networks after Miyato and
// Koyama 2018. The explainer's function is generator(encoder(x), bin), eq. 2. Images lie in [-1, 1].

namespace counterfoil::nn {

struct PeResnetOptions {
  ImageShape image = {128, 128, 3};
  /// Channels per level, finest first; each level after the first halves the extent. For 64x64: {64, 128, 256, 512,
  /// 1024}.
  std::vector<std::int64_t> widths = {64, 128, 256, 512, 1024, 1024};
  std::int64_t bins = 10;
  bool condition_encoder = false;  ///< the released code conditions the encoder on the bin too
  bool shared_threshold = false;   ///< the released code's ordinal term; see OrdinalProjectionOptions
  double epsilon = 1e-3;
  double momentum = 0.1;
};

/// Image -> embedding: batch norm - ReLU - conv 3x3, then a residual block per further level, halving the extent.
/// Names: "norm", "conv", "blocks.i".
class PeEncoder : public Module {
 public:
  explicit PeEncoder(const Init& init, const PeResnetOptions& options = {});
  /// x [N,H,W,C] -> [N,h,w,widths.back()], 4x4 as by default. labels i32 [N], used only where the encoder is
  /// conditioned.
  Variable forward(const Variable& x, const Tensor& labels, const Pass& pass);

 private:
  PeResnetOptions options_;
  BatchNorm norm_;
  Conv2d conv_;
  ModuleList<ResidualBlock> blocks_;
};

/// Embedding and bin -> image: conditional residual blocks that double the extent, batch norm - ReLU - conv 3x3 - tanh.
/// Names: "blocks.i", "norm", "conv".
class PeGenerator : public Module {
 public:
  explicit PeGenerator(const Init& init, const PeResnetOptions& options = {});
  /// embedding [N,h,w,widths.back()], labels i32 [N] in [0, bins) -> [N,H,W,C] in [-1,1].
  Variable forward(const Variable& embedding, const Tensor& labels, const Pass& pass);

 private:
  ModuleList<ResidualBlock> blocks_;
  BatchNorm norm_;
  Conv2d conv_;
};

/// Image and bin -> logit: spectrally normalised blocks, one per level, all but the last halving the extent, then the
/// ordinal projection. Names: "blocks.i", "projection".
class PeDiscriminator : public Module {
 public:
  explicit PeDiscriminator(const Init& init, const PeResnetOptions& options = {});
  /// x [N,H,W,C], labels i32 [N] in [0, bins) -> [N,1].
  Variable forward(const Variable& x, const Tensor& labels, const Pass& pass);

 private:
  PeResnetOptions options_;
  ModuleList<CriticBlock> blocks_;
  OrdinalProjection projection_;
};

}  // namespace counterfoil::nn
