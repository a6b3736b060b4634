#include "nn/models/syce_discriminator.h"

#include "autograd/shaping.h"

namespace counterfoil::nn {
namespace {

std::int64_t feature_count(const SyceDiscriminatorOptions& options) {
  if (options.widths.empty()) fail("SyCE discriminator: at least one level is needed");
  std::int64_t rows = options.image.height, columns = options.image.width;
  for (std::size_t l = 0; l < options.widths.size(); ++l) {
    rows = (rows + 1) / 2;
    columns = (columns + 1) / 2;
  }
  return rows * columns * options.widths.back();
}

Conv2dOptions conv3x3(int stride, bool activated, double slope) {
  return {.geometry = Conv2dGeometry::square(stride, 1),
          .activation = activated ? Activation::leaky_relu : Activation::identity,
          .slope = slope};
}

}  // namespace

SyceDiscriminator::Level::Level(const Init& init, std::int64_t in, std::int64_t out, double slope, bool last)
    : conv(init, in, out, 3, conv3x3(1, true, slope)), down(init, out, out, 3, conv3x3(2, !last, slope)) {
  register_child("conv", conv);
  register_child("down", down);
}

SyceDiscriminator::SyceDiscriminator(const Init& init, const SyceDiscriminatorOptions& options)
    : options_(options), logit_(init, feature_count(options), 1) {
  std::int64_t in = options_.image.channels;
  for (std::size_t l = 0; l < options_.widths.size(); ++l) {
    levels_.add(init, in, options_.widths[l], options_.slope, l + 1 == options_.widths.size());
    in = options_.widths[l];
  }
  register_child("levels", levels_);
  register_child("logit", logit_);
}

Variable SyceDiscriminator::forward(const Variable& x, const Pass& pass) {
  check_images("SyCE discriminator", x.shape(), options_.image);
  return logit_.forward(flatten(run_in_order(levels_, x, pass)), pass);
}

}  // namespace counterfoil::nn
