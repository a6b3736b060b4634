#pragma once

#include "nn/conv_norm.h"
#include "nn/image_shape.h"
#include "nn/module_list.h"

// Radford et al. 2016, with the 4x4 filters that became customary. Extents are halved while both are even and above 4
// (64 and 32 end at 4x4, 28 at 7x7), which settles the number of layers; the coarsest layer spans what is left. Weights
// are drawn from N(0, 0.02^2), whatever init.weights says.

namespace counterfoil::nn {

struct DcganOptions {
  ImageShape image = {64, 64, 3};
  std::int64_t width = 64;  ///< channels next to the image; twice as many per level down
  bool norm = true;         ///< batch norm in the encoder and discriminator (a WGAN-GP critic must not have it)
  double slope = 0.2;       ///< of the encoder's and discriminator's leaky ReLUs
  Activation output = Activation::tanh;  ///< of the generator
  /// Only layers [first, last) are built: parts of a network, so that several can share the rest (ExplainGAN shares the
  /// last layers of its encoders and discriminators). last = -1: to the end.
  int first = 0, last = -1;
};

/// Number of layers of a whole encoder or generator for such images: 5 for 64x64, 4 for 32x32, 3 for 28x28.
int dcgan_layer_count(const ImageShape& image);

/// Images [N,H,W,C] -> [N,outputs]: conv 4x4 stride 2 - batch norm (not in the first layer) - leaky ReLU per level, and
/// a convolution over the coarsest extent. A part ends, and begins, with activations [N,h,w,c]. Names: "layers.i.conv"
/// (with a bias where no norm follows), "layers.i.norm", i counted from 0 in each part.
class DcganEncoder : public Network {
 public:
  DcganEncoder(const Init& init, std::int64_t outputs, const DcganOptions& options = {});
  Variable forward(const Variable& x, const Pass& pass) override;

 private:
  ModuleList<ConvNorm<Conv2d, BatchNorm>> layers_;
  bool ends_;
};

/// One logit per image, [N,1].
class DcganDiscriminator : public DcganEncoder {
 public:
  explicit DcganDiscriminator(const Init& init, const DcganOptions& options = {}) : DcganEncoder(init, 1, options) {}
};

/// Codes [N,code] -> images [N,H,W,C]: transposed convolutions without bias, to the coarsest extent first, then 4x4
/// with stride 2; batch norm - ReLU after each but the last. With code 200 and 64x64x1 it is the generator of CDeepEx
/// (appendix 6.1). Names: "layers.i.conv", "layers.i.norm".
class DcganGenerator : public Network {
 public:
  DcganGenerator(const Init& init, std::int64_t code, const DcganOptions& options = {});
  Variable forward(const Variable& x, const Pass& pass) override;

 private:
  ModuleList<ConvNorm<ConvTranspose2d, BatchNorm>> layers_;
};

}  // namespace counterfoil::nn
