#pragma once

#include "autograd/variable.h"
#include "kernels/backend.h"

namespace counterfoil {

struct ConvolutionAttribute {
  Conv2dGeometry geometry;
  Activation activation = Activation::identity;
  double slope = 0;
};

/// activation(x [N,H,W,C] * weight [K,R,S,C/groups] + bias [K]); bias may be undefined. Node "conv2d", inputs x, weight
/// and bias if there is one, attribute ConvolutionAttribute.
Variable conv2d(const Variable& x, const Variable& weight, const Variable& bias, const Conv2dGeometry& geometry,
                Activation activation = Activation::identity, double slope = 0);

/// Transposed convolution: x [N,P,Q,K], weight [K,R,S,C/groups] -> [N,height,width,C], the input gradient of the
/// convolution with that weight and geometry; height and width settle what a strided convolution leaves open (output
/// padding). Node "conv2d_input_grad".
Variable conv_transpose2d(const Variable& x, const Variable& weight, const Variable& bias,
                          const Conv2dGeometry& geometry, std::int64_t height, std::int64_t width);

// The convolution's own derivatives, as operations: each has the other two as derivatives.
Variable conv2d_input_grad(const Variable& d_y, const Variable& weight, const Shape& x_shape,
                           const Conv2dGeometry& geometry);
Variable conv2d_weight_grad(const Variable& x, const Variable& d_y, const Shape& weight_shape,
                            const Conv2dGeometry& geometry);

}  // namespace counterfoil
