#include "nn/models/ganmex_classifier.h"

#include "autograd/shaping.h"
#include "nn/dropout.h"

namespace counterfoil::nn {
namespace {

const Conv2dGeometry kHalving = Conv2dGeometry::square(2, 0);

std::int64_t feature_count(const GanmexClassifierOptions& options) {
  const std::int64_t rows = kHalving.output_height(kHalving.output_height(options.image.height, 6), 6);
  const std::int64_t columns = kHalving.output_width(kHalving.output_width(options.image.width, 6), 6);
  return rows * columns * options.width2;
}

}  // namespace

GanmexClassifier::GanmexClassifier(const Init& init, const GanmexClassifierOptions& options)
    : options_(options),
      conv1_(init, options.image.channels, options.width1, 6, {.geometry = kHalving, .activation = Activation::relu}),
      conv2_(init, options.width1, options.width2, 6, {.geometry = kHalving, .activation = Activation::relu}),
      fc1_(init, feature_count(options), 256, {.activation = Activation::relu}),
      fc2_(init, 256, options.outputs) {
  register_child("conv1", conv1_);
  register_child("conv2", conv2_);
  register_child("fc1", fc1_);
  register_child("fc2", fc2_);
}

Variable GanmexClassifier::forward(const Variable& x, const Pass& pass) {
  check_images("GANMEX classifier", x.shape(), options_.image);
  const Variable h = fc1_.forward(flatten(conv2_.forward(conv1_.forward(x, pass), pass)), pass);
  return fc2_.forward(dropout(h, 0.5, pass), pass);
}

}  // namespace counterfoil::nn
