#include "nn/models/shared_end.h"

namespace counterfoil::nn {

SharedEndPair::SharedEndPair(const Init& init, std::int64_t outputs, int shared_layers, const DcganOptions& options)
    : image_(options.image) {
  const int layers = dcgan_layer_count(options.image);
  if (shared_layers < 1 || shared_layers >= layers) {
    fail("DCGAN with a shared end: expected 1 to {} shared layers for images of {}x{}, found {}", layers - 1,
         options.image.height, options.image.width, shared_layers);
  }
  DcganOptions part = options;
  part.first = 0;
  part.last = layers - shared_layers;
  for (std::size_t i = 0; i < 2; ++i) {
    trunks_[i] = std::make_unique<DcganEncoder>(init, outputs, part);
    register_child("trunk" + std::to_string(i), *trunks_[i]);
  }
  part.first = part.last;
  part.last = -1;
  end_ = std::make_unique<DcganEncoder>(init, outputs, part);
  register_child("end", *end_);
}

Variable SharedEndPair::trunk(int index, const Variable& x, const Pass& pass) {
  check_images("DCGAN with a shared end", x.shape(), image_);
  return trunks_[static_cast<std::size_t>(index)]->forward(x, pass);
}

}  // namespace counterfoil::nn
