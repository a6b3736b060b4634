#include "nn/models/stargan.h"

#include <algorithm>

#include "autograd/pointwise.h"
#include "autograd/pooling.h"
#include "autograd/shaping.h"
#include "tensor/ops.h"

namespace counterfoil::nn {
namespace {

const Conv2dGeometry kHalving = Conv2dGeometry::square(2, 1);
const Conv2dGeometry kSame3 = Conv2dGeometry::square(1, 1);
const Conv2dGeometry kSame7 = Conv2dGeometry::square(1, 3);

/// Instance norm with a ReLU, or without.
std::optional<InstanceNormOptions> norm(const StarganOptions& options, Activation activation = Activation::relu) {
  return InstanceNormOptions{.epsilon = options.epsilon, .activation = activation};
}

}  // namespace

StarganGenerator::StarganGenerator(const Init& init, const StarganOptions& options)
    : options_(options),
      stem_(init, options.image.channels + options.classes, options.width, 7,
            Conv2dOptions{.geometry = kSame7, .bias = false}, norm(options)) {
  const std::int64_t multiple = std::int64_t{1} << options.downs;
  if (options.image.height % multiple != 0 || options.image.width % multiple != 0) {
    fail("StarGAN generator: {} halvings need extents that are multiples of {}, found {}x{}", options.downs, multiple,
         options.image.height, options.image.width);
  }
  std::int64_t width = options.width;
  for (int i = 0; i < options.downs; ++i, width *= 2) {
    down_.add(init, width, 2 * width, 4, Conv2dOptions{.geometry = kHalving, .bias = false}, norm(options));
  }
  for (int i = 0; i < options.blocks; ++i) {
    auto& block = blocks_.add();
    block.add(init, width, width, 3, Conv2dOptions{.geometry = kSame3, .bias = false}, norm(options));
    block.add(init, width, width, 3, Conv2dOptions{.geometry = kSame3, .bias = false},
              norm(options, Activation::identity));
  }
  for (int i = 0; i < options.downs; ++i, width /= 2) {
    up_.add(init, width, width / 2, 4, ConvTranspose2dOptions{.geometry = kHalving, .bias = false}, norm(options));
  }
  output_ = std::make_unique<Conv2d>(init, width, options.image.channels, 7,
                                     Conv2dOptions{.geometry = kSame7, .bias = false, .activation = Activation::tanh});
  register_child("stem", stem_);
  register_child("down", down_);
  register_child("blocks", blocks_);
  register_child("up", up_);
  register_child("output", *output_);
}

Variable StarganGenerator::forward(const Variable& x, const Tensor& labels, const Pass& pass) {
  check_images("StarGAN generator", x.shape(), options_.image);
  const Variable one_hot_rows(one_hot(labels, options_.classes, x.dtype()));  // [N,classes]
  const Variable planes = expand_planes(one_hot_rows, options_.image.height, options_.image.width);
  Variable h = run_in_order(down_, stem_.forward(concat({x, planes}, 3), pass), pass);
  for (std::size_t i = 0; i < blocks_.size(); ++i) h = h + run_in_order(blocks_[i], h, pass);
  return output_->forward(run_in_order(up_, h, pass), pass);
}

StarganCritic::StarganCritic(const Init& init, const StarganOptions& options) {
  std::int64_t rows = options.image.height, columns = options.image.width;
  std::int64_t in = options.image.channels, width = options.width;
  for (int i = 0; i < options.critic_convs && std::min(rows, columns) / 2 >= 3;
       ++i, rows /= 2, columns /= 2, width *= 2) {
    layers_.add(init, in, width, 4,
                Conv2dOptions{.geometry = kHalving, .activation = Activation::leaky_relu, .slope = options.slope});
    in = width;
  }
  output_ = std::make_unique<Conv2d>(init, in, 1, 3, Conv2dOptions{.geometry = kSame3, .bias = false});
  register_child("layers", layers_);
  register_child("output", *output_);
  if (!options.class_head) return;
  class_output_ =
      std::make_unique<Conv2d>(init, in, options.classes, Kernel(rows, columns), Conv2dOptions{.bias = false});
  register_child("class_output", *class_output_);
}

Variable StarganCritic::class_logits(const Variable& x, const Pass& pass) {
  if (!class_output_) fail("StarGAN critic: it has no class head");
  return flatten(class_output_->forward(run_in_order(layers_, x, pass), pass));
}

Variable StarganCritic::forward(const Variable& x, const Pass& pass) {
  return global_avg_pool(output_->forward(run_in_order(layers_, x, pass), pass));
}

}  // namespace counterfoil::nn
