#pragma once

#include "autograd/variable.h"
#include "kernels/backend.h"

namespace counterfoil {

/// Node "max_pool", attribute MaxPoolAttribute; differentiable again through pool_gather and pool_scatter.
struct MaxPoolAttribute {
  PoolGeometry geometry;
  Tensor index;  ///< winners, i32 [N,P,Q,C]
};
Variable max_pool(const Variable& x, const PoolGeometry& geometry);
Variable pool_gather(const Variable& x, const Tensor& index);
Variable pool_scatter(const Variable& d_y, const Tensor& index, const Shape& x_shape);

/// Node "avg_pool", attribute PoolGeometry.
Variable avg_pool(const Variable& x, const PoolGeometry& geometry);
Variable avg_pool_backward(const Variable& d_y, const Shape& x_shape, const PoolGeometry& geometry);

Variable global_avg_pool(const Variable& x);  ///< [N,H,W,C] -> [N,C]
Variable global_sum_pool(const Variable& x);  ///< [N,H,W,C] -> [N,C]

Variable resize(const Variable& x, std::int64_t height, std::int64_t width, ResizeMode mode);
Variable resize_backward(const Variable& d_y, const Shape& x_shape, ResizeMode mode);
Variable upsample2x(const Variable& x, ResizeMode mode = ResizeMode::nearest);
/// concat(upsample2x(low), skip) over channels, in one pass.
Variable upsample_concat(const Variable& low, const Variable& skip);

}  // namespace counterfoil
