#pragma once

#include "bench/steps/work.h"

namespace counterfoil::bench {

/// One discriminator and one generator update of Progressive Exaggeration at 64x64x3, 10 bins, batch 16: "pe64" of
/// bench/peers/README.md.
Step pe64_step(Device& device);

}  // namespace counterfoil::bench
