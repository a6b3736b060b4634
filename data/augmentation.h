#pragma once

#include "tensor/random.h"
#include "tensor/tensor.h"

namespace counterfoil::data {

/// Random geometric changes (Charachon et al., supplement D.3: zoom, translations, flips, rotations). Each is drawn per
/// image, uniformly from its range; 0 or false leaves it out.
struct AugmentationOptions {
  double zoom = 0;                                      ///< magnification from 1 - zoom to 1 + zoom; below 1
  double shift = 0;                                     ///< along each axis, up to this fraction of the extent
  double rotation = 0;                                  ///< degrees, either way
  bool flip_horizontal = false, flip_vertical = false;  ///< with probability one half

  bool any() const { return zoom > 0 || shift > 0 || rotation > 0 || flip_horizontal || flip_vertical; }
};

/// theta [count,2,3] (f32) for affine_warp of images of height x width: where in the source each output pixel lies. The
/// image is flipped, magnified and rotated about its centre, then shifted; rotation is of pixels, so it does not shear
/// images that are not square. Draws six numbers of `random` per image whatever the options. Throws Error on an option
/// outside its range.
Tensor draw_affine(const AugmentationOptions& options, std::int64_t count, std::int64_t height, std::int64_t width,
                   Random& random, Device& device);

/// x [N,H,W,C] so changed, bilinearly, with black outside. Without any option: x itself, and nothing is drawn.
Tensor augment(const Tensor& x, const AugmentationOptions& options, Random& random);

}  // namespace counterfoil::data
