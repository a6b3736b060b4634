#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace counterfoil::metrics {

/// The Gini index of |a| over the n features of each attribution [N,H,W,C]: with |a| ascending, sum over i = 1..n of
/// (2 i - n - 1) |a_i| / (n sum |a_i|). 0 where all are equal (so of an attribution that is 0 everywhere), 1 - 1/n
/// where one has everything: [N], higher is sparser. (Chalasani et al. 2018; GANMEX, section 4.1.) Throws Error as
/// attribution_values does.
std::vector<double> sparseness(const Tensor& attributions);

}  // namespace counterfoil::metrics
