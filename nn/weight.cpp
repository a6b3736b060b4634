#include "nn/weight.h"

namespace counterfoil::nn {

Weight::Weight(const Init& init, const Shape& shape, const Fans& fans, bool spectral_norm)
    : parameter_(register_parameter(spectral_norm ? "weight_orig" : "weight", init.weights(init, shape, fans))) {
  if (!spectral_norm) return;
  spectral_.emplace(init, parameter_.value());
  register_buffer("weight_u", spectral_->u);
  register_buffer("weight_v", spectral_->v);
}

}  // namespace counterfoil::nn
