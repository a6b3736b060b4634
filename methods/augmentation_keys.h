#pragma once

#include "data/augmentation.h"
#include "nn/keys.h"

namespace counterfoil::methods {

/// The augmentation's keys, the same for everything that is trained on images: augment_zoom, augment_shift,
/// augment_rotation, augment_flip_horizontal, augment_flip_vertical.
void declare_augmentation(nn::Keys& keys, data::AugmentationOptions& options);

}  // namespace counterfoil::methods
