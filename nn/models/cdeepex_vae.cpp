#include "nn/models/cdeepex_vae.h"

#include "autograd/shaping.h"

namespace counterfoil::nn {
namespace {

std::int64_t coarsest_width(const CdeepexVaeOptions& options) {
  if (options.hidden.empty()) fail("CDeepEx VAE: at least one hidden layer is needed");
  return options.hidden.back();
}

}  // namespace

CdeepexVae::CdeepexVae(const Init& init, const CdeepexVaeOptions& options)
    : options_(options),
      mean_(init, coarsest_width(options), options.code),
      log_variance_(init, coarsest_width(options), options.code) {
  const ImageShape& image = options_.image;
  std::vector<std::int64_t> extents = {image.height * image.width * image.channels};
  extents.insert(extents.end(), options_.hidden.begin(), options_.hidden.end());
  const LinearOptions activated{.activation = Activation::relu};
  for (std::size_t i = 0; i + 1 < extents.size(); ++i) encoder_.add(init, extents[i], extents[i + 1], activated);
  decoder_.add(init, options_.code, extents.back(), activated);
  for (std::size_t i = extents.size() - 1; i > 0; --i) {
    const Activation activation = i == 1 ? Activation::sigmoid : Activation::relu;
    decoder_.add(init, extents[i], extents[i - 1], LinearOptions{.activation = activation});
  }
  register_child("encoder", encoder_);
  register_child("mean", mean_);
  register_child("log_variance", log_variance_);
  register_child("decoder", decoder_);
}

GaussianCode CdeepexVae::encode(const Variable& x, const Pass& pass) {
  check_images("CDeepEx VAE", x.shape(), options_.image);
  const Variable h = run_in_order(encoder_, flatten(x), pass);
  return {mean_.forward(h, pass), log_variance_.forward(h, pass)};
}

Variable CdeepexVae::decode(const Variable& code, const Pass& pass) {
  const ImageShape& image = options_.image;
  return reshape(run_in_order(decoder_, code, pass), {code.shape()[0], image.height, image.width, image.channels});
}

}  // namespace counterfoil::nn
