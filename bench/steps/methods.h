#pragma once

#include "bench/steps/work.h"
#include "nn/image_shape.h"

// The steps of the methods themselves, as `counterfoil train` and `explain` run them; bench/peers/README.md defines the
// same sums for PyTorch.

namespace counterfoil::bench {

Step syce_step(Device& device);
Step cyce_step(Device& device);
Step explaingan_step(Device& device);
/// Progressive Exaggeration at 64x64x3, 10 bins, widths 32 to 512, batch 16, one update of either side.
Step pe64_step(Device& device);
/// GANMEX on images of this shape, 10 classes, batch 16.
Step ganmex_step(const nn::ImageShape& image, Device& device);
/// CDeepEx's explanation of one image of 64x64 from 16 starts of 100 numbers, by 5 steps of procedure 2 and 5 of eq. 2.
Step cdeepex_step(Device& device);

}  // namespace counterfoil::bench
