#include "nn/image_shape.h"

#include "kernels/error.h"

namespace counterfoil::nn {

void check_images(std::string_view network, const Shape& x, const ImageShape& image) {
  if (x.rank() == 4 && x[1] == image.height && x[2] == image.width && x[3] == image.channels) return;
  fail("{}: expected images [N, {}, {}, {}], found {}", network, image.height, image.width, image.channels,
       x.to_string());
}

}  // namespace counterfoil::nn
