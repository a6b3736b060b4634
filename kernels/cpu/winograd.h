#pragma once

#include "kernels/cpu/convolution_tiles.h"
#include "kernels/device.h"
#include "kernels/geometry.h"

/// Convolutions of 3x3 with stride 1 and of 4x4 with stride 2 in Winograd's form (Lavin and Gray 2016), F(4x4, 3x3) and
/// four times F(4x4, 2x2): a tile of 4x4 outputs takes 36 products per pair of channels instead of 144, and 100 instead
/// of 256. With the points 0, +-3/4, +-3/2 and infinity the error in f32 is about five times that of the plain sum: up
/// to 1e-5 of the output's root mean square. Barabasz et al. 2020 measure what the choice of points does.
/// A value that is not finite makes NaN of the whole tiles that see it. All take f32, as Backend::conv2d and its
/// gradients do; no extent is zero.
namespace counterfoil::cpu {

/// Whether this form applies and is the faster one. For the gradients the activation is the identity.
bool suits_winograd(const ConvolutionExtents& extents, const Conv2dGeometry& geometry, Activation activation);

void winograd_forward(Device& device, float* y, const float* x, const float* weight, const float* bias,
                      const ConvolutionExtents& extents, const Conv2dGeometry& geometry, Activation activation,
                      float slope);
void winograd_input_grad(Device& device, float* d_x, const float* d_y, const float* weight,
                         const ConvolutionExtents& extents, const Conv2dGeometry& geometry);
void winograd_weight_grad(Device& device, float* d_weight, const float* x, const float* d_y,
                          const ConvolutionExtents& extents, const Conv2dGeometry& geometry);

}  // namespace counterfoil::cpu
