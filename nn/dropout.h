#pragma once

#include "nn/module.h"

namespace counterfoil::nn {

/// x itself outside training; else elements zeroed with the given probability, the rest divided by 1 - probability
/// (Srivastava et al. 2014). Throws Error when training without pass.random.
Variable dropout(const Variable& x, double probability, const Pass& pass);
/// The same for whole channels of x [N,H,W,C] (Tompson et al. 2015).
Variable dropout2d(const Variable& x, double probability, const Pass& pass);

}  // namespace counterfoil::nn
