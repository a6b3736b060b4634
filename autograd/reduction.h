#pragma once

#include "autograd/variable.h"
#include "tensor/ops.h"

// Reductions keep the reduced axes with extent 1; no axes named means all of them, and the result has shape [1, ...,
// 1]. Nodes are named like their functions; mean, norm_per_image are made of others.

namespace counterfoil {

Variable sum(const Variable& x, const Axes& axes = {});
Variable sum_abs(const Variable& x, const Axes& axes = {});
Variable sum_squares(const Variable& x, const Axes& axes = {});
Variable mean(const Variable& x, const Axes& axes = {});
/// Sums x down to a shape that broadcasts to x's (adjoint of broadcast_to).
Variable sum_to(const Variable& x, const Shape& shape);
/// Largest element; the gradient is shared equally among equals.
Variable max(const Variable& x, const Axes& axes = {});
/// sqrt(sum of squares + epsilon) over all axes but the first: [N, ...] -> [N, 1, ...]. Epsilon under the root keeps
/// the derivative finite at 0 (the gradient penalty needs it).
Variable norm_per_image(const Variable& x, double epsilon);

Variable softmax(const Variable& x);      ///< over the rows of [rows, columns]
Variable log_softmax(const Variable& x);  ///< over the rows of [rows, columns]

}  // namespace counterfoil
