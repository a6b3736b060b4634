#pragma once

#include <vector>

#include "nn/conv2d.h"
#include "nn/image_shape.h"
#include "nn/linear.h"
#include "nn/module_list.h"

namespace counterfoil::nn {

struct SyceDiscriminatorOptions {
  ImageShape image = {};
  std::vector<std::int64_t> widths = {32, 64, 96};  ///< channels per level
  double slope = 0.3;                               ///< of the leaky ReLUs
};

/// The discriminator of SyCE and CyCE (Charachon et al., supplement E.1): per level leaky ReLU - conv 3x3 - leaky ReLU
/// - conv 3x3 with stride 2, then one linear logit; no normalisation. The leaky ReLU before the very first convolution
/// is left out: images lie in [0, 1], where it is the identity. x [N,H,W,C] -> [N,1]; 204,961 parameters as by default.
/// Names: "levels.l.conv", "levels.l.down", "logit" (its inputs in the order row, column, channel).
class SyceDiscriminator : public Network {
 public:
  explicit SyceDiscriminator(const Init& init, const SyceDiscriminatorOptions& options = {});
  Variable forward(const Variable& x, const Pass& pass) override;

 private:
  struct Level : Module {
    Level(const Init& init, std::int64_t in, std::int64_t out, double slope, bool last);
    Variable forward(const Variable& x, const Pass& pass) { return down.forward(conv.forward(x, pass), pass); }
    Conv2d conv, down;  ///< each with the leaky ReLU that follows it, but for the last level's `down`
  };

  SyceDiscriminatorOptions options_;
  ModuleList<Level> levels_;
  Linear logit_;
};

}  // namespace counterfoil::nn
