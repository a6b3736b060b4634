#include "kernels/cuda/vendor/convolution_graph.h"

#include <fmt/format.h>

namespace counterfoil::cuda {

namespace {

enum VirtualArray : std::int64_t { kArraySum = 100, kArrayBiased };

/// cuDNN names extents N, C, H, W, whatever their order in memory; here channels are innermost.
Descriptor array(std::int64_t name, const std::array<std::int64_t, 4>& nhwc, bool is_virtual = false) {
  const auto [n, h, w, c] = nhwc;
  Descriptor array(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  array.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_DATA_FLOAT);
  array.set(CUDNN_ATTR_TENSOR_DIMENSIONS, std::array<std::int64_t, 4>{n, c, h, w});
  array.set(CUDNN_ATTR_TENSOR_STRIDES, std::array<std::int64_t, 4>{h * w * c, 1, w * c, c});
  array.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, name);
  array.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, std::int64_t{16});
  array.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, is_virtual);
  array.finalize();
  return array;
}

Descriptor convolution_descriptor(const Convolution& c) {
  Descriptor convolution(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  convolution.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
  convolution.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION);
  convolution.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, std::int64_t{2});
  convolution.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, c.pad_before);
  convolution.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, c.pad_after);
  convolution.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, c.stride);
  convolution.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, c.dilation);
  convolution.finalize();
  return convolution;
}

/// The attributes of the three convolutions, which differ in name alone.
struct Attributes {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t x, weight, y, convolution, alpha, beta;
};

Attributes attributes_of(ConvolutionKind kind) {
  switch (kind) {
    case ConvolutionKind::forward:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
    case ConvolutionKind::input_grad:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
    case ConvolutionKind::weight_grad:
      break;
  }
  return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
}

/// y = x + b, b repeated where its extents are 1; or y = max(x, 0).
Descriptor pointwise(const Descriptor& descriptor, const Descriptor& x, const Descriptor* b, const Descriptor& y) {
  Descriptor operation(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, descriptor);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
  if (b != nullptr) operation.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *b);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
  operation.finalize();
  return operation;
}

Descriptor pointwise_descriptor(cudnnPointwiseMode_t mode) {
  Descriptor descriptor(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  descriptor.set(CUDNN_ATTR_POINTWISE_MODE, mode);
  descriptor.set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT);
  descriptor.finalize();
  return descriptor;
}

}  // namespace

Convolution Convolution::make(ConvolutionKind kind, const Shape& x, const Shape& weight, const Shape& y,
                              const Conv2dGeometry& g) {
  const auto extents = [](const Shape& s) { return std::array{s[0], s[1], s[2], s[3]}; };
  return {.kind = kind,
          .x = extents(x),
          .weight = extents(weight),
          .y = extents(y),
          .stride = {g.stride_h, g.stride_w},
          .pad_before = {g.pad_top, g.pad_left},
          .pad_after = {g.pad_bottom, g.pad_right},
          .dilation = {g.dilation_h, g.dilation_w}};
}

std::string Convolution::to_string() const {
  constexpr const char* kNames[] = {"conv2d", "conv2d_input_grad", "conv2d_weight_grad"};
  return fmt::format("{} of x {}, weight {}, y {}", kNames[static_cast<int>(kind)], Shape(x).to_string(),
                     Shape(weight).to_string(), Shape(y).to_string());
}

ConvolutionGraph::ConvolutionGraph(const Convolution& c, cudnnHandle_t handle)
    : graph_(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR) {
  const auto part = [&](Descriptor&& descriptor) -> const Descriptor& {
    return parts_.emplace_back(std::move(descriptor));
  };
  const Descriptor& x = part(array(kArrayX, c.x));
  const Descriptor& weight = part(array(kArrayWeight, c.weight));
  const Descriptor& sum = part(array(c.bias ? std::int64_t{kArraySum} : kArrayY, c.y, c.bias));

  const Attributes names = attributes_of(c.kind);
  Descriptor& operation = operations_.emplace_back(names.type);
  operation.set(names.x, x);
  operation.set(names.weight, weight);
  operation.set(names.y, sum);
  operation.set(names.convolution, part(convolution_descriptor(c)));
  operation.set(names.alpha, 1.0f);
  operation.set(names.beta, 0.0f);
  operation.finalize();
  if (c.bias) {
    const Descriptor& bias = part(array(kArrayBias, {1, 1, 1, c.y[3]}));
    const Descriptor& biased = part(array(c.relu ? std::int64_t{kArrayBiased} : kArrayY, c.y, c.relu));
    const Descriptor& add = part(pointwise_descriptor(CUDNN_POINTWISE_ADD));
    operations_.push_back(pointwise(add, sum, &bias, biased));
    if (c.relu) {
      const Descriptor& relu = part(pointwise_descriptor(CUDNN_POINTWISE_RELU_FWD));
      operations_.push_back(pointwise(relu, biased, nullptr, part(array(kArrayY, c.y))));
    }
  }
  if (handle != nullptr) graph_.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, handle);
  graph_.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations_);
  graph_.finalize();
}

}  // namespace counterfoil::cuda
