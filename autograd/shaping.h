#pragma once

#include <initializer_list>

#include "autograd/variable.h"
#include "tensor/ops.h"

namespace counterfoil {

Variable reshape(const Variable& x, const Shape& shape);
Variable reshape(const Variable& x, std::initializer_list<std::int64_t> extents);  ///< one extent may be -1
Variable flatten(const Variable& x);                                               ///< [N, ...] -> [N, rest]
Variable permute(const Variable& x, std::span<const int> order);
Variable broadcast_to(const Variable& x, const Shape& shape);
Variable slice(const Variable& x, const Shape& shape, std::span<const std::int64_t> begin);
Variable slice(const Variable& x, int axis, std::int64_t begin, std::int64_t end);
/// Zeros around x: out[begin : begin + x.shape] = x.
Variable pad(const Variable& x, const Shape& shape, std::span<const std::int64_t> begin);
Variable concat(const Variables& parts, int axis);
/// Rows of table [V, ...] at index (i32 [M]); the embedding look-up.
Variable gather_rows(const Variable& table, const Tensor& index);
Variable scatter_add_rows(const Variable& x, const Tensor& index, std::int64_t rows);
/// x [N,C] repeated over space: [N,H,W,C].
Variable expand_planes(const Variable& x, std::int64_t height, std::int64_t width);

}  // namespace counterfoil
