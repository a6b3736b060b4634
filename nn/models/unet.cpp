#include "nn/models/unet.h"

#include "autograd/pointwise.h"
#include "autograd/pooling.h"
#include "nn/dropout.h"

namespace counterfoil::nn {

UNetBlock::UNetBlock(const Init& init, std::int64_t in, std::int64_t out, const UNetOptions& options)
    : norm_(init, in, {.epsilon = options.epsilon, .momentum = options.momentum, .activation = Activation::relu}),
      conv_(init, in, out, 3, {.geometry = Conv2dGeometry::square(1, 1)}),
      dropout_(options.dropout) {
  register_child("norm", norm_);
  register_child("conv", conv_);
}

Variable UNetBlock::forward(const Variable& x, const Pass& pass) {
  return dropout(conv_.forward(norm_.forward(x, pass), pass), dropout_, pass);
}

UNet::Down::Down(const Init& init, std::int64_t in, std::int64_t out, const UNetOptions& options)
    : widen(init, in, out, options) {
  register_child("widen", widen);
  register_child("residual", residual);
  for (int i = 0; i < options.residual_blocks; ++i) residual.add(init, out, out, options);
}

Variable UNet::Down::forward(const Variable& x, const Pass& pass) {
  const Variable h = max_pool(widen.forward(x, pass), PoolGeometry::square(2, 2));
  return residual.size() == 0 ? h : h + run_in_order(residual, h, pass);
}

UNet::Head::Head(const Init& init, std::int64_t in, const UNetOptions& options) : activation(options.output) {
  register_child("convs", convs);
  for (const std::int64_t width : options.head_widths) {
    convs.add(init, in, width, 3, Conv2dOptions{.geometry = Conv2dGeometry::square(1, 1)});
    in = width;
  }
  const Activation epilogue = activation == UNetOutput::sigmoid ? Activation::sigmoid : Activation::identity;
  output = std::make_unique<Conv2d>(init, in, options.outputs, 1, Conv2dOptions{.activation = epilogue});
  register_child("output", *output);
}

Variable UNet::Head::forward(Variable h, const Pass& pass) {
  h = output->forward(run_in_order(convs, h, pass), pass);
  return activation == UNetOutput::clip ? projected_clip(h, 0, 1) : h;
}

UNet::UNet(const Init& init, const UNetOptions& options) : options_(options) {
  const auto& widths = options_.widths;
  if (widths.size() < 2) fail("U-Net: at least two levels are needed, found {} widths", widths.size());
  if (options_.entry_blocks < 1 || options_.decoder_blocks < 1 || options_.heads < 1) {
    fail("U-Net: entry blocks ({}), decoder blocks ({}) and heads ({}) must be at least 1", options_.entry_blocks,
         options_.decoder_blocks, options_.heads);
  }
  register_child("entry", entry_);
  register_child("down", down_);
  register_child("up", up_);
  register_child("extra", extra_);
  register_child("heads", heads_);

  const std::size_t levels = widths.size() - 1;  // below the finest
  for (int i = 0; i < options_.entry_blocks; ++i) {
    entry_.add(init, i == 0 ? options_.channels : widths[0], widths[0], options_);
  }
  for (std::size_t l = 0; l < levels; ++l) down_.add(init, widths[l], widths[l + 1], options_);
  for (std::size_t l = 0; l < levels; ++l) {
    auto& blocks = up_.add();
    // Above the coarsest level the way up carries the upsampled channels and the skip, of one width each.
    const std::int64_t in = l + 1 == levels ? widths[l + 1] : 2 * widths[l + 1];
    for (int i = 0; i < options_.decoder_blocks; ++i) blocks.add(init, i == 0 ? in : widths[l], widths[l], options_);
  }
  for (int i = 0; i < options_.extra_blocks; ++i) extra_.add(init, 2 * widths[0], 2 * widths[0], options_);
  for (int i = 0; i < options_.heads; ++i) heads_.add(init, 2 * widths[0], options_);
}

Variable UNet::trunk(const Variable& x, const Pass& pass) {
  const std::size_t levels = down_.size();
  const std::int64_t multiple = std::int64_t{1} << levels;
  if (x.shape().rank() != 4 || x.shape()[1] % multiple != 0 || x.shape()[2] % multiple != 0 ||
      x.shape()[3] != options_.channels) {
    fail("U-Net: expected images [N, H, W, {}] with H and W multiples of {}, found {}", options_.channels, multiple,
         x.shape().to_string());
  }
  Variables skips = {run_in_order(entry_, x, pass)};
  for (std::size_t l = 0; l < levels; ++l) skips.push_back(down_[l].forward(skips.back(), pass));
  Variable h = skips.back();
  for (std::size_t l = levels; l-- > 0;) h = upsample_concat(run_in_order(up_[l], h, pass), skips[l]);
  return run_in_order(extra_, h, pass);
}

Variable UNet::forward(const Variable& x, const Pass& pass) {
  return heads_[0].forward(trunk(x, pass), pass);
}

Variables UNet::forward_heads(const Variable& x, const Pass& pass) {
  const Variable h = trunk(x, pass);
  Variables outputs;
  for (std::size_t i = 0; i < heads_.size(); ++i) outputs.push_back(heads_[i].forward(h, pass));
  return outputs;
}

}  // namespace counterfoil::nn
