#pragma once

#include "autograd/variable.h"
#include "kernels/backend.h"

namespace counterfoil {

/// Depth-wise separable filter with given taps (no gradient to the taps).
Variable separable_filter(const Variable& x, const Tensor& row_taps, const Tensor& column_taps, Border border);
Variable separable_filter_backward(const Variable& d_y, const Tensor& row_taps, const Tensor& column_taps,
                                   Border border);
/// The taps of a Gaussian with standard deviation sigma in pixels: out to ceil(3 sigma), normalised to sum 1. The host
/// makes them, so whoever blurs again and again keeps them.
Tensor gaussian_taps(double sigma, DType dtype, Device& device);
/// The same taps down and across.
Variable gaussian_blur(const Variable& x, const Tensor& taps, Border border = Border::replicate);
/// Bilinear sampling at theta [N,2,3] (no gradient to theta); see Backend::affine_warp.
Variable affine_warp(const Variable& x, const Tensor& theta, std::int64_t height, std::int64_t width);
Variable affine_warp_backward(const Variable& d_y, const Tensor& theta, const Shape& x_shape);

}  // namespace counterfoil
