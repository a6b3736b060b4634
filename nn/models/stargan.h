#pragma once

#include "nn/conv_norm.h"
#include "nn/image_shape.h"
#include "nn/module_list.h"

// The networks of GANMEX: StarGAN (Choi et al. 2018) with the explained classifier in place of the discriminator's
// class head. Images lie in [-1, 1].

namespace counterfoil::nn {

struct StarganOptions {
  ImageShape image = {};
  std::int64_t classes = 10;
  std::int64_t width = 64;  ///< channels of the finest layers
  int downs = 2;            ///< halvings of the extent in the generator
  int blocks = 6;           ///< residual blocks in the generator
  double epsilon = 1e-6;    ///< of the instance norms
  int critic_convs = 6;     ///< at most; fewer where the extent would fall below 3
  double slope = 0.01;      ///< of the critic's leaky ReLUs
  bool class_head = false;  ///< StarGAN's own class discriminator, on the critic's layers
};

/// Image and target class -> image of that class: the class as one-hot planes beside the image; 7x7; 4x4 with stride 2
/// per halving; residual blocks x + norm(conv(ReLU(norm(conv(x))))); transposed 4x4 per doubling; 7x7 - tanh. Instance
/// norm and ReLU after every convolution but the blocks' second (norm alone) and the last; no biases. Names: "stem",
/// "down.i", "blocks.i.0", "blocks.i.1", "up.i", "output".
class StarganGenerator : public Module {
 public:
  explicit StarganGenerator(const Init& init, const StarganOptions& options = {});
  /// x [N,H,W,C], labels i32 [N] in [0, classes) -> [N,H,W,C].
  Variable forward(const Variable& x, const Tensor& labels, const Pass& pass);

 private:
  StarganOptions options_;
  ConvNorm<Conv2d, InstanceNorm> stem_;
  ModuleList<ConvNorm<Conv2d, InstanceNorm>> down_;
  ModuleList<ModuleList<ConvNorm<Conv2d, InstanceNorm>>> blocks_;
  ModuleList<ConvNorm<ConvTranspose2d, InstanceNorm>> up_;
  std::unique_ptr<Conv2d> output_;
};

/// Image -> one value: conv 4x4 stride 2 - leaky ReLU, channels doubling; conv 3x3 to one channel; mean over space. The
/// class head is a convolution over the coarsest extent. x [N,H,W,C] -> [N,1]. Names: "layers.i", "output" and
/// "class_output" (without biases).
class StarganCritic : public Network {
 public:
  explicit StarganCritic(const Init& init, const StarganOptions& options = {});
  Variable forward(const Variable& x, const Pass& pass) override;
  Variable class_logits(const Variable& x, const Pass& pass);  ///< D_cls: [N,H,W,C] -> [N,classes]

 private:
  ModuleList<Conv2d> layers_;
  std::unique_ptr<Conv2d> output_, class_output_;
};

}  // namespace counterfoil::nn
