#include "nn/models/pixelda.h"

#include <algorithm>

#include "autograd/pointwise.h"
#include "autograd/shaping.h"
#include "nn/dropout.h"

namespace counterfoil::nn {
namespace {

constexpr double kWeightDeviation = 0.02;
const Conv2dGeometry kSame = Conv2dGeometry::square(1, 1);
const Conv2dGeometry kHalving = Conv2dGeometry::square(2, 1);

Init drawn(const Init& init) {
  return init.with(normal(kWeightDeviation));
}

std::optional<BatchNormOptions> norm(const PixeldaOptions& options, Activation activation) {
  return BatchNormOptions{.epsilon = options.epsilon, .activation = activation, .slope = options.slope};
}

}  // namespace

PixeldaGenerator::PixeldaGenerator(const Init& init, const PixeldaOptions& options)
    : options_(options),
      noise_(drawn(init), options.code, options.image.height * options.image.width, {.bias = false}),
      noise_norm_(init, options.image.height * options.image.width, *norm(options, Activation::relu)),
      stem_(drawn(init), options.image.channels + 1, options.width, 3,
            {.geometry = kSame, .activation = Activation::relu}),
      output_(drawn(init), options.width, options.image.channels, 1, {.activation = Activation::tanh}) {
  for (int i = 0; i < options.blocks; ++i) {
    auto& block = blocks_.add();
    for (const Activation activation : {Activation::relu, Activation::identity}) {
      block.add(drawn(init), options.width, options.width, 3, Conv2dOptions{.geometry = kSame, .bias = false},
                norm(options, activation));
    }
  }
  register_child("noise", noise_);
  register_child("noise_norm", noise_norm_);
  register_child("stem", stem_);
  register_child("blocks", blocks_);
  register_child("output", output_);
}

Variable PixeldaGenerator::forward(const Variable& x, const Variable& z, const Pass& pass) {
  check_images("PixelDA generator", x.shape(), options_.image);
  const Variable plane = reshape(noise_norm_.forward(noise_.forward(z, pass), pass),
                                 {x.shape()[0], options_.image.height, options_.image.width, 1});
  Variable h = stem_.forward(concat({x, plane}, 3), pass);
  for (std::size_t i = 0; i < blocks_.size(); ++i) h = h + run_in_order(blocks_[i], h, pass);
  return output_.forward(h, pass);
}

PixeldaDiscriminator::PixeldaDiscriminator(const Init& init, const PixeldaOptions& options) : options_(options) {
  std::int64_t rows = options.image.height, columns = options.image.width, width = options.width;
  layers_.add(drawn(init), options.image.channels, width, 3,
              Conv2dOptions{.geometry = kSame, .activation = Activation::leaky_relu, .slope = options.slope},
              std::optional<BatchNormOptions>());
  for (; std::max(rows, columns) > options.coarsest; width *= 2) {
    layers_.add(drawn(init), width, 2 * width, 3, Conv2dOptions{.geometry = kHalving, .bias = false},
                norm(options, Activation::leaky_relu));
    rows = kHalving.output_height(rows, 3);
    columns = kHalving.output_width(columns, 3);
  }
  logit_ = std::make_unique<Linear>(drawn(init), rows * columns * width, 1);
  register_child("layers", layers_);
  register_child("logit", *logit_);
}

Variable PixeldaDiscriminator::forward(const Variable& x, const Pass& pass) {
  check_images("PixelDA discriminator", x.shape(), options_.image);
  Variable h = x;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    h = dropout(layers_[i].forward(h, pass), options_.dropout, pass);
    if (pass.training) h = h + Variable(pass.random->normal(h.shape(), 0, options_.noise, h.device(), h.dtype()));
  }
  return logit_->forward(flatten(h), pass);
}

}  // namespace counterfoil::nn
