#pragma once

#include <string_view>

#include "kernels/device.h"

namespace counterfoil::cuda {

/// The device made of the CUDA kernels of this library: "simt" where the host compiler built them, "cuda" where nvcc
/// did. Throws Error that says why there is none (no driver, no GPU).
Device& open();

/// Chooses how that device computes products; see kernels/route.h.
void set_route(std::string_view route);

}  // namespace counterfoil::cuda
