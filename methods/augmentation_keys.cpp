#include "methods/augmentation_keys.h"

namespace counterfoil::methods {

void declare_augmentation(nn::Keys& keys, data::AugmentationOptions& options) {
  keys.add("augment_zoom", options.zoom, 0, 0.99, "magnification from 1 - this to 1 + this; 0: none");
  keys.add("augment_shift", options.shift, 0, 1, "translation along each axis, up to this fraction of the extent");
  keys.add("augment_rotation", options.rotation, 0, 180, "degrees, either way");
  keys.add("augment_flip_horizontal", options.flip_horizontal, "mirror left and right, with probability one half");
  keys.add("augment_flip_vertical", options.flip_vertical, "mirror top and bottom, with probability one half");
}

}  // namespace counterfoil::methods
