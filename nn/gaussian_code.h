#pragma once

#include "autograd/variable.h"
#include "tensor/random.h"

namespace counterfoil::nn {

/// What a variational encoder says of each image: a normal distribution with independent components.
struct GaussianCode {
  Variable mean, log_variance;  ///< [N,D]
};

/// mean + exp(log_variance / 2) noise, noise ~ N(0, 1) from `random` (Kingma and Welling 2014).
Variable sample(const GaussianCode& code, Random& random);

}  // namespace counterfoil::nn
