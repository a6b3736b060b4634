#include "nn/models/lenet.h"

#include "autograd/pooling.h"
#include "autograd/shaping.h"
#include "nn/dropout.h"

namespace counterfoil::nn {
namespace {

std::int64_t feature_count(const LeNetOptions& options) {
  const std::int64_t rows = (options.image.height - 4) / 2, columns = (options.image.width - 4) / 2;
  if (rows < 1 || columns < 1) {
    fail("LeNet: images must be at least 6x6, found {}x{}", options.image.height, options.image.width);
  }
  return rows * columns * options.width2;
}

}  // namespace

LeNet::LeNet(const Init& init, const LeNetOptions& options)
    : options_(options),
      conv1_(init, options.image.channels, options.width1, 3, {.activation = Activation::relu}),
      conv2_(init, options.width1, options.width2, 3, {.activation = Activation::relu}),
      fc1_(init, feature_count(options), options.hidden, {.activation = Activation::relu}),
      fc2_(init, options.hidden, options.outputs) {
  register_child("conv1", conv1_);
  register_child("conv2", conv2_);
  register_child("fc1", fc1_);
  register_child("fc2", fc2_);
}

Variable LeNet::forward(const Variable& x, const Pass& pass) {
  check_images("LeNet", x.shape(), options_.image);
  Variable h = conv2_.forward(conv1_.forward(x, pass), pass);
  h = dropout(max_pool(h, PoolGeometry::square(2, 2)), options_.dropout_features, pass);
  h = dropout(fc1_.forward(flatten(h), pass), options_.dropout_hidden, pass);
  return fc2_.forward(h, pass);
}

}  // namespace counterfoil::nn
