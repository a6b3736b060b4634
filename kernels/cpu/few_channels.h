#pragma once

#include "kernels/cpu/convolution_tiles.h"
#include "kernels/device.h"
#include "kernels/geometry.h"

/// Convolutions with at most four channels on one side: the first and the last layer of a network. oneDNN fills vectors
/// with the channels of both sides and so runs these at a few percent of the peak; here the other side fills them.
/// All take f32, as Backend::conv2d and its gradients do; no extent is zero.
namespace counterfoil::cpu {

/// Whether these kernels take a convolution: no groups, and at most four channels in or out.
bool has_few_channels(const ConvolutionExtents& extents, const Conv2dGeometry& geometry);

void few_channels_forward(Device& device, float* y, const float* x, const float* weight, const float* bias,
                          const ConvolutionExtents& extents, const Conv2dGeometry& geometry, Activation activation,
                          float slope);
void few_channels_input_grad(Device& device, float* d_x, const float* d_y, const float* weight,
                             const ConvolutionExtents& extents, const Conv2dGeometry& geometry);
void few_channels_weight_grad(Device& device, float* d_weight, const float* x, const float* d_y,
                              const ConvolutionExtents& extents, const Conv2dGeometry& geometry);

}  // namespace counterfoil::cpu
