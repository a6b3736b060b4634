#pragma once

#include <optional>

#include "nn/spectral_norm.h"

namespace counterfoil::nn {

/// A layer's weight, with or without spectral normalisation. Its names are those of PyTorch: "weight", or
/// "weight_orig" with the buffers "weight_u" and "weight_v" (see SpectralNorm).
class Weight : public Module {
 public:
  Weight(const Init& init, const Shape& shape, const Fans& fans, bool spectral_norm);

  /// What the layer multiplies by.
  Variable use(const Pass& pass) { return spectral_ ? spectral_->apply(parameter_, pass) : parameter_; }
  const Variable& parameter() const { return parameter_; }
  const Shape& shape() const { return parameter_.shape(); }

 private:
  Variable parameter_;
  std::optional<SpectralNorm> spectral_;
};

}  // namespace counterfoil::nn
