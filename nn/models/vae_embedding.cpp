#include "nn/models/vae_embedding.h"

#include "autograd/pooling.h"
#include "autograd/shaping.h"

namespace counterfoil::nn {
namespace {

std::vector<std::pair<std::int64_t, std::int64_t>> level_extents(const VaeEmbeddingOptions& options) {
  if (options.widths.empty()) fail("VAE embedding: at least one level is needed");
  std::vector<std::pair<std::int64_t, std::int64_t>> extents = {{options.image.height, options.image.width}};
  for (std::size_t l = 0; l < options.widths.size(); ++l) {
    extents.emplace_back((extents.back().first + 1) / 2, (extents.back().second + 1) / 2);
  }
  return extents;
}

}  // namespace

VaeEmbedding::VaeEmbedding(const Init& init, const VaeEmbeddingOptions& options)
    : options_(options),
      extents_(level_extents(options)),
      mean_(init, options.widths.back(), options.code),
      log_variance_(init, options.widths.back(), options.code),
      expand_(init, options.code, extents_.back().first * extents_.back().second * options.widths.back(),
              {.activation = Activation::relu}) {
  const auto& widths = options_.widths;
  const Conv2dGeometry same = Conv2dGeometry::square(1, 1), strided = Conv2dGeometry::square(2, 1);
  for (std::size_t l = 0; l < widths.size(); ++l) {
    encoder_.add(init, l == 0 ? options_.image.channels : widths[l - 1], widths[l], 3,
                 Conv2dOptions{.geometry = strided, .activation = Activation::relu});
  }
  classifier_.add(init, options_.code, options_.hidden, LinearOptions{.activation = Activation::relu});
  classifier_.add(init, options_.hidden, options_.decisions);
  for (std::size_t l = widths.size(); l-- > 0;) {
    const Activation activation = l == 0 ? Activation::sigmoid : Activation::relu;
    decoder_.add(init, widths[l], l == 0 ? options_.image.channels : widths[l - 1], 3,
                 Conv2dOptions{.geometry = same, .activation = activation});
  }
  register_child("encoder", encoder_);
  register_child("mean", mean_);
  register_child("log_variance", log_variance_);
  register_child("classifier", classifier_);
  register_child("expand", expand_);
  register_child("decoder", decoder_);
}

GaussianCode VaeEmbedding::encode(const Variable& x, const Pass& pass) {
  check_images("VAE embedding", x.shape(), options_.image);
  const Variable features = global_avg_pool(run_in_order(encoder_, x, pass));  // [N,widths.back()]
  return {mean_.forward(features, pass), log_variance_.forward(features, pass)};
}

Variable VaeEmbedding::decode(const Variable& code, const Pass& pass) {
  const auto [rows, columns] = extents_.back();
  Variable h = reshape(expand_.forward(code, pass), {code.shape()[0], rows, columns, options_.widths.back()});
  for (std::size_t i = 0; i < decoder_.size(); ++i) {
    const auto [height, width] = extents_[extents_.size() - 2 - i];
    h = decoder_[i].forward(resize(h, height, width, ResizeMode::nearest), pass);
  }
  return h;
}

Variable VaeEmbedding::decision_logits(const Variable& mean, const Pass& pass) {
  return run_in_order(classifier_, mean, pass);
}

}  // namespace counterfoil::nn
