#pragma once

#include "kernels/cpu/convolution_tiles.h"
#include "kernels/device.h"
#include "kernels/geometry.h"

/// 3x3 convolutions with stride 1 in Winograd's form F(4x4, 3x3) (Lavin and Gray 2016): a tile of 4x4 outputs takes 36
/// products per pair of channels instead of 144. With the points 0, +-3/4, +-3/2 and infinity (Barabasz et al. 2020 on
/// the choice) the error in f32 is about five times that of the plain sum: up to 1e-5 of the output's root mean square.
/// All take f32, as Backend::conv2d and its gradients do; no extent is zero.
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
