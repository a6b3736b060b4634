#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace counterfoil::metrics {

/// An image of uniform noise in [0,1), [H*W*C] for images [N,H,W,C]: that of image n depends on `seed` and n alone.
std::vector<double> pixel_noise(const Shape& images, std::uint64_t seed, std::int64_t image);

/// All channels of a pixel, counted in row order, from one image to the other.
void replace_pixel(std::span<double> pixels, std::span<const double> others, std::int64_t pixel, std::int64_t channels);

}  // namespace counterfoil::metrics
