#include "data/augmentation.h"

#include <cmath>
#include <numbers>
#include <vector>

#include "tensor/ops.h"

namespace counterfoil::data {

Tensor draw_affine(const AugmentationOptions& options, std::int64_t count, std::int64_t height, std::int64_t width,
                   Random& random, Device& device) {
  if (!(options.zoom >= 0 && options.zoom < 1) || !(options.shift >= 0 && options.shift <= 1) ||
      !(options.rotation >= 0 && options.rotation <= 180)) {
    fail("augmentation: expected 0 <= zoom < 1, 0 <= shift <= 1, 0 <= rotation <= 180, found {}, {}, {}", options.zoom,
         options.shift, options.rotation);
  }
  const auto between = [&](double range) { return range * (2 * random.uniform() - 1); };
  const double aspect = static_cast<double>(height) / static_cast<double>(width);
  std::vector<float> theta;
  theta.reserve(static_cast<std::size_t>(count) * 6);
  for (std::int64_t i = 0; i < count; ++i) {
    const double magnification = 1 + between(options.zoom);
    const double shift_x = between(options.shift), shift_y = between(options.shift);
    const double angle = between(options.rotation) * std::numbers::pi / 180;
    const bool mirror_x = random.uniform() < 0.5 && options.flip_horizontal;
    const bool mirror_y = random.uniform() < 0.5 && options.flip_vertical;
    // source = mirror * rotation^-1 / magnification * (output - shift), in pixels; the coordinates of affine_warp run
    // from -1 to 1, so a shift by a fraction of the extent is twice that, and x and y are exchanged through the aspect.
    const double cosine = std::cos(angle) / magnification, sine = std::sin(angle) / magnification;
    const double a = mirror_x ? -cosine : cosine, b = (mirror_x ? -sine : sine) * aspect;
    const double c = (mirror_y ? sine : -sine) / aspect, d = mirror_y ? -cosine : cosine;
    for (const double value : {a, b, -2 * (a * shift_x + b * shift_y), c, d, -2 * (c * shift_x + d * shift_y)}) {
      theta.push_back(static_cast<float>(value));
    }
  }
  return Tensor::from(theta, Shape{count, 2, 3}, device);
}

Tensor augment(const Tensor& x, const AugmentationOptions& options, Random& random) {
  if (!options.any()) return x;
  if (x.shape().rank() != 4) fail("augmentation: expected images [N,H,W,C], found {}", x.shape().to_string());
  const Tensor theta = draw_affine(options, x.shape()[0], x.shape()[1], x.shape()[2], random, x.device());
  return affine_warp(x, theta.to(x.dtype()), x.shape()[1], x.shape()[2]);
}

}  // namespace counterfoil::data
