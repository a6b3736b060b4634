#include "nn/models/dcgan.h"

#include "autograd/shaping.h"

namespace counterfoil::nn {
namespace {

constexpr double kWeightDeviation = 0.02;
const std::optional<BatchNormOptions> kNoNorm;

std::optional<BatchNormOptions> norm(Activation activation, double slope = 0) {
  return BatchNormOptions{.activation = activation, .slope = slope};
}
const Conv2dGeometry kHalving = Conv2dGeometry::square(2, 1);

int halvings(const ImageShape& image) {
  std::int64_t rows = image.height, columns = image.width;
  int count = 0;
  for (; rows % 2 == 0 && columns % 2 == 0 && rows > 4 && columns > 4; ++count) {
    rows /= 2;
    columns /= 2;
  }
  if (count == 0) fail("DCGAN: images of {}x{} cannot be halved", image.height, image.width);
  return count;
}

/// Which layers to build: [first, last).
std::pair<int, int> layer_range(const DcganOptions& options) {
  const int count = dcgan_layer_count(options.image), last = options.last < 0 ? count : options.last;
  if (options.first < 0 || options.first >= last || last > count) {
    fail("DCGAN: layers [{}, {}) of {} cannot be built", options.first, last, count);
  }
  return {options.first, last};
}

/// Channels after `level` halvings, level >= 1.
std::int64_t channels_at(const DcganOptions& options, int level) {
  return options.width << (level - 1);
}

Kernel coarsest_extent(const ImageShape& image) {
  const int count = halvings(image);
  return {image.height >> count, image.width >> count};
}

}  // namespace

int dcgan_layer_count(const ImageShape& image) {
  return halvings(image) + 1;
}

DcganEncoder::DcganEncoder(const Init& init, std::int64_t outputs, const DcganOptions& options) {
  const Init gaussian = init.with(normal(kWeightDeviation));
  const auto [first, last] = layer_range(options);
  const int levels = halvings(options.image);
  for (int i = first; i < last; ++i) {
    const std::int64_t in = i == 0 ? options.image.channels : channels_at(options, i);
    if (i == levels) {
      layers_.add(gaussian, in, outputs, coarsest_extent(options.image), Conv2dOptions{}, kNoNorm);
    } else if (i > 0 && options.norm) {
      layers_.add(gaussian, in, channels_at(options, i + 1), 4, Conv2dOptions{.geometry = kHalving, .bias = false},
                  norm(Activation::leaky_relu, options.slope));
    } else {
      const Conv2dOptions conv{.geometry = kHalving, .activation = Activation::leaky_relu, .slope = options.slope};
      layers_.add(gaussian, in, channels_at(options, i + 1), 4, conv, kNoNorm);
    }
  }
  ends_ = last == levels + 1;
  register_child("layers", layers_);
}

Variable DcganEncoder::forward(const Variable& x, const Pass& pass) {
  const Variable h = run_in_order(layers_, x, pass);
  if (!ends_) return h;
  if (h.shape()[1] != 1 || h.shape()[2] != 1) {
    fail("DCGAN encoder: images of {} are not of the extent it was built for", x.shape().to_string());
  }
  return flatten(h);
}

DcganGenerator::DcganGenerator(const Init& init, std::int64_t code, const DcganOptions& options) {
  const Init gaussian = init.with(normal(kWeightDeviation));
  const auto [first, last] = layer_range(options);
  const int levels = halvings(options.image);
  for (int i = first; i < last; ++i) {
    const std::int64_t in = i == 0 ? code : channels_at(options, levels - i + 1);
    const Kernel kernel = i == 0 ? coarsest_extent(options.image) : Kernel(4);
    const Conv2dGeometry geometry = i == 0 ? Conv2dGeometry{} : kHalving;
    if (i == levels) {
      layers_.add(gaussian, in, options.image.channels, kernel,
                  ConvTranspose2dOptions{.geometry = geometry, .bias = false, .activation = options.output}, kNoNorm);
    } else {
      layers_.add(gaussian, in, channels_at(options, levels - i), kernel,
                  ConvTranspose2dOptions{.geometry = geometry, .bias = false}, norm(Activation::relu));
    }
  }
  register_child("layers", layers_);
}

Variable DcganGenerator::forward(const Variable& x, const Pass& pass) {
  return run_in_order(layers_, x.shape().rank() == 2 ? reshape(x, {x.shape()[0], 1, 1, -1}) : x, pass);
}

}  // namespace counterfoil::nn
