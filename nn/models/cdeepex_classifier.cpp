#include "nn/models/cdeepex_classifier.h"

#include "autograd/pooling.h"
#include "autograd/shaping.h"
#include "nn/dropout.h"
#include "nn/image_shape.h"

namespace counterfoil::nn {

CdeepexClassifier::CdeepexClassifier(const Init& init, int outputs)
    : conv1_(init, 1, 10, 5, {.activation = Activation::relu}),
      conv2_(init, 10, 20, 5, {.activation = Activation::relu}),
      fc1_(init, 13 * 13 * 20, 50),
      fc2_(init, 50, outputs) {
  register_child("conv1", conv1_);
  register_child("conv2", conv2_);
  register_child("fc1", fc1_);
  register_child("fc2", fc2_);
}

Variable CdeepexClassifier::forward(const Variable& x, const Pass& pass) {
  constexpr std::int64_t kSide = 64;
  const bool fits = x.shape().rank() == 4 && x.shape()[1] == kSide && x.shape()[2] == kSide;
  const Variable large = fits ? x : resize(x, kSide, kSide, ResizeMode::bilinear);
  check_images("CDeepEx classifier", large.shape(), {kSide, kSide, 1});
  // ReLU and max-pool commute: here the ReLU is the convolution's epilogue.
  Variable h = max_pool(conv1_.forward(large, pass), PoolGeometry::square(2, 2));
  h = max_pool(conv2_.forward(h, pass), PoolGeometry::square(2, 2));
  return fc2_.forward(fc1_.forward(flatten(dropout2d(h, 0.5, pass)), pass), pass);
}

}  // namespace counterfoil::nn
