#include "autograd/convolution.h"

#include "autograd/pointwise.h"
#include "autograd/reduction.h"
#include "tensor/ops.h"

namespace counterfoil {

Variable conv2d(const Variable& x, const Variable& weight, const Variable& bias, const Conv2dGeometry& geometry,
                Activation activation, double slope) {
  Tensor y = conv2d(x.value(), weight.value(), bias.defined() ? bias.value() : Tensor(), geometry, activation, slope);
  return record(
      "conv2d", std::move(y), bias.defined() ? Variables{x, weight, bias} : Variables{x, weight},
      [](const Node& node, const Variable& d_y, const Needs& needs) {
        const auto& a = node.attribute<ConvolutionAttribute>();
        const Variable& input = node.input(0);
        const Variable& kernel = node.input(1);
        const Variable d = activation_backward(a.activation, node.output(), d_y, a.slope);
        Variables d_inputs(node.inputs().size());
        if (needs[0]) d_inputs[0] = conv2d_input_grad(d, kernel, input.shape(), a.geometry);
        if (needs[1]) d_inputs[1] = conv2d_weight_grad(input, d, kernel.shape(), a.geometry);
        if (d_inputs.size() > 2 && needs[2]) d_inputs[2] = sum_to(d, node.input(2).shape());
        return d_inputs;
      },
      ConvolutionAttribute{geometry, activation, slope});
}

Variable conv_transpose2d(const Variable& x, const Variable& weight, const Variable& bias,
                          const Conv2dGeometry& geometry, std::int64_t height, std::int64_t width) {
  const std::int64_t channels = weight.shape()[3] * geometry.groups;
  const Variable y = conv2d_input_grad(x, weight, {x.shape()[0], height, width, channels}, geometry);
  return bias.defined() ? y + bias : y;
}

Variable conv2d_input_grad(const Variable& d_y, const Variable& weight, const Shape& x_shape,
                           const Conv2dGeometry& geometry) {
  return record(
      "conv2d_input_grad", conv2d_input_grad(d_y.value(), weight.value(), x_shape, geometry), {d_y, weight},
      [](const Node& node, const Variable& d, const Needs& needs) -> Variables {
        const Conv2dGeometry& g = node.attribute<ConvolutionAttribute>().geometry;
        const Variable& y_like = node.input(0);
        const Variable& kernel = node.input(1);
        return {needs[0] ? conv2d(d, kernel, {}, g) : Variable(),
                needs[1] ? conv2d_weight_grad(d, y_like, kernel.shape(), g) : Variable()};
      },
      ConvolutionAttribute{.geometry = geometry});
}

Variable conv2d_weight_grad(const Variable& x, const Variable& d_y, const Shape& weight_shape,
                            const Conv2dGeometry& geometry) {
  return record(
      "conv2d_weight_grad", conv2d_weight_grad(x.value(), d_y.value(), weight_shape, geometry), {x, d_y},
      [](const Node& node, const Variable& d, const Needs& needs) -> Variables {
        const Conv2dGeometry& g = node.attribute<ConvolutionAttribute>().geometry;
        const Variable& input = node.input(0);
        const Variable& y_like = node.input(1);
        return {needs[0] ? conv2d_input_grad(y_like, d, input.shape(), g) : Variable(),
                needs[1] ? conv2d(input, d, {}, g) : Variable()};
      },
      ConvolutionAttribute{.geometry = geometry});
}

}  // namespace counterfoil
