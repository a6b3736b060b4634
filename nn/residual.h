#pragma once

#include <cstdint>
#include <optional>

#include "nn/batch_norm.h"
#include "nn/conditional_batch_norm.h"
#include "nn/conv2d.h"

// Pre-activation residual blocks, He et al. 2016, in the forms of Miyato and Koyama 2018.

namespace counterfoil::nn {

struct ResidualOptions {
  Resize resize = Resize::none;
  std::int64_t classes = 0;  ///< 0: batch norm; else conditional batch norm with that many classes
  double epsilon = 1e-3;
  double momentum = 0.1;
};

/// norm - ReLU - resize - conv 3x3 - norm - ReLU - conv 3x3, plus the resized input, through a 1x1 convolution where
/// the block resizes or changes the number of channels. Names: "norm1", "conv1", "norm2", "conv2", "skip".
class ResidualBlock : public Module {
 public:
  ResidualBlock(const Init& init, std::int64_t in, std::int64_t out, const ResidualOptions& options = {});
  /// x [N,H,W,in] -> [N,P,Q,out]; labels i32 [N] for a conditional block, else undefined. Error otherwise.
  Variable forward(const Variable& x, const Tensor& labels, const Pass& pass);
  Variable forward(const Variable& x, const Pass& pass) { return forward(x, {}, pass); }

 private:
  /// One of the two norms, with its ReLU.
  struct Norm {
    std::optional<BatchNorm> plain;
    std::optional<ConditionalBatchNorm> conditional;
    Norm(const Init& init, std::int64_t channels, const ResidualOptions& options);
    Module& module();
    Variable forward(const Variable& x, const Tensor& labels, const Pass& pass);
  };

  Norm norm1_;
  Conv2d conv1_;
  Norm norm2_;
  Conv2d conv2_;
  std::optional<Conv2d> skip_;
  Resize resize_;
};

struct CriticBlockOptions {
  bool downsample = false;
  bool first = false;  ///< of the network: its input is an image, and the leading ReLU is left out
  bool spectral_norm = true;
};

/// The discriminator's block: ReLU - conv 3x3 - ReLU - conv 3x3 - downsample, plus the input, downsampled and through a
/// 1x1 convolution where the block downsamples or changes the number of channels. Names: "conv1", "conv2", "skip".
class CriticBlock : public Network {
 public:
  CriticBlock(const Init& init, std::int64_t in, std::int64_t out, const CriticBlockOptions& options = {});
  Variable forward(const Variable& x, const Pass& pass) override;

 private:
  Conv2d conv1_, conv2_;
  std::optional<Conv2d> skip_;
  CriticBlockOptions options_;
};

}  // namespace counterfoil::nn
