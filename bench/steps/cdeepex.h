#pragma once

#include "bench/steps/work.h"

namespace counterfoil::bench {

/// One step of CDeepEx's inner loop on 16 codes of 100: "cdeepex" of bench/peers/README.md.
Step cdeepex_step(Device& device);

}  // namespace counterfoil::bench
