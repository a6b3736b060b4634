#pragma once

#include <optional>

#include "nn/batch_norm.h"
#include "nn/conv_transpose2d.h"
#include "nn/instance_norm.h"

namespace counterfoil::nn {

/// A convolution and what normalises its output (with an activation fused in), if anything does. Conv is Conv2d or
/// ConvTranspose2d, Norm is BatchNorm or InstanceNorm. Names: "conv", "norm".
template <typename Conv, typename Norm>
class ConvNorm : public Network {
 public:
  template <typename ConvOptions, typename NormOptions>
  ConvNorm(const Init& init, std::int64_t in, std::int64_t out, Kernel kernel, const ConvOptions& conv_options,
           const std::optional<NormOptions>& norm_options)
      : conv_(init, in, out, kernel, conv_options) {
    register_child("conv", conv_);
    if (norm_options) register_child("norm", norm_.emplace(init, out, *norm_options));
  }

  Variable forward(const Variable& x, const Pass& pass) override {
    const Variable h = conv_.forward(x, pass);
    return norm_ ? norm_->forward(h, pass) : h;
  }

 private:
  Conv conv_;
  std::optional<Norm> norm_;
};

}  // namespace counterfoil::nn
