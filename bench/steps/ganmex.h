#pragma once

#include "bench/steps/work.h"
#include "nn/image_shape.h"

namespace counterfoil::bench {

/// One critic and one generator update of GANMEX on images of this shape, 10 classes, batch 16: "ganmex28" and
/// "ganmex32" of bench/peers/README.md.
Step ganmex_step(const nn::ImageShape& image, Device& device);

}  // namespace counterfoil::bench
