#pragma once

#include "autograd/variable.h"
#include "nn/module.h"

namespace counterfoil::nn {

/// Spectral normalisation, Miyato et al. 2018: weight / sigma, where sigma = u' W v estimates the largest singular
/// value of the weight seen as a matrix W [first extent, the others together]. One power iteration per pass follows W
/// as it is trained. sigma is differentiated with u and v held constant (their eq. 7), to any order.
class SpectralNorm {
 public:
  /// Draws u and settles u and v by 15 iterations on the weight as initialised.
  SpectralNorm(const Init& init, const Tensor& weight, int iterations = 1, double epsilon = 1e-12);

  /// weight / sigma. In training with pass.update_statistics the iterations move u and v first.
  Variable apply(const Variable& weight, const Pass& pass);

  Tensor u;  ///< [rows], of norm 1
  Tensor v;  ///< [columns], of norm 1, in the order of the weight's elements

 private:
  int iterations_;
  double epsilon_;
};

}  // namespace counterfoil::nn
