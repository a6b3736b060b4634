#pragma once

#include <cstdint>
#include <string_view>

#include "kernels/view.h"

namespace counterfoil::nn {

/// Extents of the images that a network is built for.
struct ImageShape {
  std::int64_t height = 28, width = 28, channels = 1;
};

/// Throws Error unless x is [N,height,width,channels].
void check_images(std::string_view network, const Shape& x, const ImageShape& image);

}  // namespace counterfoil::nn
