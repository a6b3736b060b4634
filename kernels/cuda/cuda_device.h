#pragma once

#include "kernels/device.h"

namespace counterfoil::cuda {

/// The device made of the CUDA kernels of this library: "simt" where the host compiler built them, "cuda" where nvcc
/// did. Throws Error that says why there is none (no driver, no GPU).
Device& open();

}  // namespace counterfoil::cuda
