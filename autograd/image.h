#pragma once

#include "autograd/variable.h"
#include "kernels/backend.h"

namespace counterfoil {

/// Depth-wise separable filter with given taps (no gradient to the taps).
Variable separable_filter(const Variable& x, const Tensor& row_taps, const Tensor& column_taps, Border border);
Variable separable_filter_backward(const Variable& d_y, const Tensor& row_taps, const Tensor& column_taps,
                                   Border border);
/// Gaussian blur with standard deviation sigma in pixels; taps out to ceil(3 sigma), normalised to sum 1.
Variable gaussian_blur(const Variable& x, double sigma, Border border = Border::replicate);
Tensor gaussian_taps(double sigma, DType dtype, Device& device);
/// Bilinear sampling at theta [N,2,3] (no gradient to theta); see Backend::affine_warp.
Variable affine_warp(const Variable& x, const Tensor& theta, std::int64_t height, std::int64_t width);
Variable affine_warp_backward(const Variable& d_y, const Tensor& theta, const Shape& x_shape);

}  // namespace counterfoil
