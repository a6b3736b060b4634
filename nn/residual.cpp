#include "nn/residual.h"

#include "autograd/pointwise.h"
#include "autograd/pooling.h"

namespace counterfoil::nn {
namespace {

Variable halved(const Variable& x) {
  return avg_pool(x, PoolGeometry::square(2, 2));
}

Conv2dOptions conv3x3(Activation activation, Resize resize, bool spectral_norm = false) {
  return {.geometry = Conv2dGeometry::square(1, 1),
          .spectral_norm = spectral_norm,
          .activation = activation,
          .resize = resize};
}

}  // namespace

ResidualBlock::Norm::Norm(const Init& init, std::int64_t channels, const ResidualOptions& options) {
  const BatchNormOptions norm{.epsilon = options.epsilon, .momentum = options.momentum, .activation = Activation::relu};
  if (options.classes > 0) {
    conditional.emplace(init, channels, options.classes, norm);
  } else {
    plain.emplace(init, channels, norm);
  }
}

Module& ResidualBlock::Norm::module() {
  if (plain) return *plain;
  return *conditional;
}

Variable ResidualBlock::Norm::forward(const Variable& x, const Tensor& labels, const Pass& pass) {
  if (plain.has_value() == labels.defined()) {
    fail("residual block: {}",
         plain ? "it is not conditional, but labels were given" : "it is conditional and needs labels");
  }
  return plain ? plain->forward(x, pass) : conditional->forward(x, labels, pass);
}

ResidualBlock::ResidualBlock(const Init& init, std::int64_t in, std::int64_t out, const ResidualOptions& options)
    : norm1_(init, in, options),
      conv1_(init, in, out, 3, conv3x3(Activation::identity, options.resize == Resize::up ? Resize::up : Resize::none)),
      norm2_(init, out, options),
      conv2_(init, out, out, 3, conv3x3(Activation::identity, Resize::none)),
      resize_(options.resize) {
  register_child("norm1", norm1_.module());
  register_child("conv1", conv1_);
  register_child("norm2", norm2_.module());
  register_child("conv2", conv2_);
  if (resize_ != Resize::none || in != out) register_child("skip", skip_.emplace(init, in, out, 1));
}

Variable ResidualBlock::forward(const Variable& x, const Tensor& labels, const Pass& pass) {
  Variable h = norm1_.forward(x, labels, pass);
  h = conv1_.forward(resize_ == Resize::down ? halved(h) : h, pass);
  h = conv2_.forward(norm2_.forward(h, labels, pass), pass);
  if (!skip_) return h + x;
  // A 1x1 convolution and a resize commute: each is done where the image is smaller.
  if (resize_ == Resize::up) return h + upsample2x(skip_->forward(x, pass));
  return h + skip_->forward(resize_ == Resize::down ? halved(x) : x, pass);
}

CriticBlock::CriticBlock(const Init& init, std::int64_t in, std::int64_t out, const CriticBlockOptions& options)
    : conv1_(init, in, out, 3, conv3x3(Activation::relu, Resize::none, options.spectral_norm)),
      conv2_(init, out, out, 3,
             conv3x3(Activation::identity, options.downsample ? Resize::down : Resize::none, options.spectral_norm)),
      options_(options) {
  register_child("conv1", conv1_);
  register_child("conv2", conv2_);
  if (options.downsample || in != out) {
    register_child("skip", skip_.emplace(init, in, out, 1, Conv2dOptions{.spectral_norm = options.spectral_norm}));
  }
}

Variable CriticBlock::forward(const Variable& x, const Pass& pass) {
  const Variable h = conv2_.forward(conv1_.forward(options_.first ? x : relu(x), pass), pass);
  const Variable straight = options_.downsample ? halved(x) : x;
  return h + (skip_ ? skip_->forward(straight, pass) : straight);
}

}  // namespace counterfoil::nn
