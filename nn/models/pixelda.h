#pragma once

#include "nn/batch_norm.h"
#include "nn/conv_norm.h"
#include "nn/image_shape.h"
#include "nn/linear.h"
#include "nn/module_list.h"

// The networks of PixelDA: K. Bousmalis, N. Silberman, D. Dohan, D. Erhan, D. Krishnan, "Unsupervised pixel-level
// domain adaptation with generative adversarial networks" (2017), sizes as in the released configuration. Images lie in
// [-1, 1]. Weights are drawn from N(0, 0.02^2), whatever init.weights says.

namespace counterfoil::nn {

struct PixeldaOptions {
  ImageShape image = {};
  std::int64_t width = 64;    ///< channels of the generator, and of the discriminator's first layer
  int blocks = 6;             ///< residual blocks of the generator
  std::int64_t code = 10;     ///< length of the noise z
  double epsilon = 1e-3;      ///< of the batch norms
  double slope = 0.2;         ///< of the discriminator's leaky ReLUs
  double dropout = 0.1;       ///< after each of the discriminator's convolutions, in training
  double noise = 0.2;         ///< deviation of the noise added there, in training
  std::int64_t coarsest = 4;  ///< the discriminator halves the image down to this extent, or below
};

/// Image and noise -> image: linear (no bias) - batch norm - ReLU makes the noise a plane beside the image; conv 3x3 -
/// ReLU; residual blocks x + norm(conv(ReLU(norm(conv(x))))); conv 1x1 - tanh. Names: "noise", "noise_norm", "stem",
/// "blocks.i.0", "blocks.i.1", "output".
class PixeldaGenerator : public Module {
 public:
  explicit PixeldaGenerator(const Init& init, const PixeldaOptions& options = {});
  /// x [N,H,W,C], z [N,code] -> [N,H,W,C].
  Variable forward(const Variable& x, const Variable& z, const Pass& pass);

 private:
  PixeldaOptions options_;
  Linear noise_;
  BatchNorm noise_norm_;
  Conv2d stem_;
  ModuleList<ModuleList<ConvNorm<Conv2d, BatchNorm>>> blocks_;
  Conv2d output_;
};

/// Image -> one logit: conv 3x3, then conv 3x3 with stride 2 and twice the channels until the extent is `coarsest`;
/// batch norm after all but the first; leaky ReLU, dropout and noise after each; linear. x [N,H,W,C] -> [N,1]. Names:
/// "layers.i.conv", "layers.i.norm", "logit" (its inputs in the order row, column, channel).
class PixeldaDiscriminator : public Network {
 public:
  explicit PixeldaDiscriminator(const Init& init, const PixeldaOptions& options = {});
  Variable forward(const Variable& x, const Pass& pass) override;

 private:
  PixeldaOptions options_;
  ModuleList<ConvNorm<Conv2d, BatchNorm>> layers_;
  std::unique_ptr<Linear> logit_;
};

}  // namespace counterfoil::nn
