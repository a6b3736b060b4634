#pragma once

#include "autograd/variable.h"
#include "kernels/backend.h"

namespace counterfoil {

struct MatmulOptions {
  bool transpose_a = false, transpose_b = false;
  Activation activation = Activation::identity;
  double slope = 0;
  Compute compute = Compute::f32;
};

/// activation(op(a) op(b) + bias): a [M,K], b [K,N] after op, or both with one leading batch axis; bias [N] may be
/// undefined. Node "matmul", inputs a, b and bias if there is one, attribute MatmulOptions.
Variable matmul(const Variable& a, const Variable& b, const MatmulOptions& options = {}, const Variable& bias = {});

/// x [N,I], weight [O,I], bias [O] or undefined -> [N,O]: matmul with b transposed.
Variable linear(const Variable& x, const Variable& weight, const Variable& bias = {},
                Activation activation = Activation::identity, double slope = 0);

}  // namespace counterfoil
