#include "nn/models/pe_resnet.h"

namespace counterfoil::nn {
namespace {

const PeResnetOptions& checked(const PeResnetOptions& options) {
  if (options.widths.size() < 2) {
    fail("Progressive Exaggeration networks: at least two levels are needed, found {} widths", options.widths.size());
  }
  const std::int64_t multiple = std::int64_t{1} << (options.widths.size() - 1);
  if (options.image.height % multiple != 0 || options.image.width % multiple != 0) {
    fail("Progressive Exaggeration networks: {} levels need extents that are multiples of {}, found {}x{}",
         options.widths.size(), multiple, options.image.height, options.image.width);
  }
  return options;
}

BatchNormOptions norm_options(const PeResnetOptions& options) {
  return {.epsilon = options.epsilon, .momentum = options.momentum, .activation = Activation::relu};
}

ResidualOptions block_options(const PeResnetOptions& options, Resize resize, bool conditional) {
  return {.resize = resize,
          .classes = conditional ? options.bins : 0,
          .epsilon = options.epsilon,
          .momentum = options.momentum};
}

}  // namespace

PeEncoder::PeEncoder(const Init& init, const PeResnetOptions& options)
    : options_(checked(options)),
      norm_(init, options.image.channels, norm_options(options)),
      conv_(init, options.image.channels, options.widths.front(), 3, {.geometry = Conv2dGeometry::square(1, 1)}) {
  register_child("norm", norm_);
  register_child("conv", conv_);
  register_child("blocks", blocks_);
  for (std::size_t i = 0; i + 1 < options.widths.size(); ++i) {
    blocks_.add(init, options.widths[i], options.widths[i + 1],
                block_options(options, Resize::down, options.condition_encoder));
  }
}

Variable PeEncoder::forward(const Variable& x, const Tensor& labels, const Pass& pass) {
  check_images("Progressive Exaggeration encoder", x.shape(), options_.image);
  Variable h = conv_.forward(norm_.forward(x, pass), pass);
  const Tensor condition = options_.condition_encoder ? labels : Tensor();
  for (std::size_t i = 0; i < blocks_.size(); ++i) h = blocks_[i].forward(h, condition, pass);
  return h;
}

PeGenerator::PeGenerator(const Init& init, const PeResnetOptions& options)
    : norm_(init, checked(options).widths.front(), norm_options(options)),
      conv_(init, options.widths.front(), options.image.channels, 3,
            {.geometry = Conv2dGeometry::square(1, 1), .activation = Activation::tanh}) {
  register_child("blocks", blocks_);
  register_child("norm", norm_);
  register_child("conv", conv_);
  for (std::size_t i = options.widths.size() - 1; i-- > 0;) {
    blocks_.add(init, options.widths[i + 1], options.widths[i], block_options(options, Resize::up, true));
  }
}

Variable PeGenerator::forward(const Variable& embedding, const Tensor& labels, const Pass& pass) {
  Variable h = embedding;
  for (std::size_t i = 0; i < blocks_.size(); ++i) h = blocks_[i].forward(h, labels, pass);
  return conv_.forward(norm_.forward(h, pass), pass);
}

PeDiscriminator::PeDiscriminator(const Init& init, const PeResnetOptions& options)
    : options_(checked(options)),
      projection_(init, options.widths.back(), {.bins = options.bins, .shared = options.shared_threshold}) {
  register_child("blocks", blocks_);
  register_child("projection", projection_);
  std::int64_t in = options.image.channels;
  for (std::size_t i = 0; i < options.widths.size(); ++i) {
    blocks_.add(init, in, options.widths[i],
                CriticBlockOptions{.downsample = i + 1 < options.widths.size(), .first = i == 0});
    in = options.widths[i];
  }
}

Variable PeDiscriminator::forward(const Variable& x, const Tensor& labels, const Pass& pass) {
  check_images("Progressive Exaggeration discriminator", x.shape(), options_.image);
  return projection_.forward(run_in_order(blocks_, x, pass), labels, pass);
}

}  // namespace counterfoil::nn
