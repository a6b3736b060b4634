#include <algorithm>
#include <bit>
#include <cstdint>
#include <functional>

#include <fmt/format.h>

#include "kernels/simt/streams.h"
#include "kernels/simt/vendor/cudnn_descriptors.h"
#include "kernels/simt/vendor/library_calls.h"

namespace counterfoil::simt {

namespace {

using Array = ConvolutionWork::Array;

cudnnStatus_t read_array(const CudnnDescriptor& operation, cudnnBackendAttributeName_t name, Array& array) {
  const auto* const descriptor =
      finalized_descriptor(operation.one<cudnnBackendDescriptor_t>(name), CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  if (descriptor == nullptr) return refused(CUDNN_STATUS_BAD_PARAM, "an operation's array was destroyed");
  array = {.name = descriptor->one<std::int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID),
           .extents = descriptor->list<std::int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS),
           .strides = descriptor->list<std::int64_t>(CUDNN_ATTR_TENSOR_STRIDES),
           .alignment = descriptor->one<std::int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT),
           .is_virtual =
               descriptor->has(CUDNN_ATTR_TENSOR_IS_VIRTUAL) && descriptor->one<bool>(CUDNN_ATTR_TENSOR_IS_VIRTUAL)};
  return CUDNN_STATUS_SUCCESS;
}

/// The names that the attributes of a convolution have, by kind.
struct Names {
  cudnnBackendAttributeName_t x, weight, y, convolution, alpha, beta;
};

Names names_of(cudnnBackendDescriptorType_t kind) {
  if (kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR) {
    return {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
  }
  if (kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR) {
    return {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
  }
  return {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,    CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
}

bool is_convolution(cudnnBackendDescriptorType_t type) {
  return type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR ||
         type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR ||
         type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR;
}

cudnnStatus_t read_convolution(const CudnnDescriptor& operation, ConvolutionWork& work) {
  const Names names = names_of(operation.type);
  work.kind = operation.type;
  for (const auto& [name, array] : {std::pair{names.x, &work.x}, {names.weight, &work.weight}, {names.y, &work.y}}) {
    if (const cudnnStatus_t status = read_array(operation, name, *array); status != CUDNN_STATUS_SUCCESS) return status;
  }
  const auto* const geometry = finalized_descriptor(operation.one<cudnnBackendDescriptor_t>(names.convolution),
                                                    CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  if (geometry == nullptr) return refused(CUDNN_STATUS_BAD_PARAM, "the convolution's geometry was destroyed");
  if (geometry->one<cudnnConvolutionMode_t>(CUDNN_ATTR_CONVOLUTION_CONV_MODE) != CUDNN_CROSS_CORRELATION ||
      operation.one<float>(names.alpha) != 1.0f || operation.one<float>(names.beta) != 0.0f) {
    return refused(CUDNN_STATUS_NOT_SUPPORTED, "a cross-correlation with alpha 1 and beta 0 is known");
  }
  work.before = geometry->list<std::int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS);
  work.stride = geometry->list<std::int64_t>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES);
  work.dilation = geometry->list<std::int64_t>(CUDNN_ATTR_CONVOLUTION_DILATIONS);
  const auto after = geometry->list<std::int64_t>(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS);
  const auto &x = work.x.extents, &w = work.weight.extents, &y = work.y.extents;
  bool agree = x[0] == y[0] && w[0] == y[1] && w[1] > 0 && x[1] % w[1] == 0;
  for (std::size_t i = 0; i < 2; ++i) {
    const std::int64_t reach = work.dilation[i] * (w[2 + i] - 1) + 1;
    agree &= y[2 + i] == (x[2 + i] + work.before[i] + after[i] - reach) / work.stride[i] + 1;
  }
  if (!agree) return refused(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "the extents of a convolution do not agree");
  work.groups = x[1] / w[1];
  return CUDNN_STATUS_SUCCESS;
}

/// f32 rounded as tensor cores take it: 10 bits of mantissa; NaN stays NaN.
double tf32(double value) {
  if (value != value) return value;
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  return static_cast<double>(std::bit_cast<float>((bits + 0x0fff + ((bits >> 13) & 1)) & 0xffffe000));
}

/// One execution: arrays of floats at their addresses.
struct Execution {
  ConvolutionWork work;
  std::int64_t engine;
  float *x, *weight, *y, *bias;
  void* workspace;
  double disorder;  ///< relative: what engine 20 and engine 12 add to every result

  static float& at(float* data, const Array& array, std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
    const auto& s = array.strides;
    return data[n * s[0] + c * s[1] + h * s[2] + w * s[3]];
  }
  double rounded(double value) const { return engine == 48 ? tf32(value) : value; }

  /// f(n, group, k, p, q, c, r, s, h, w) for every product of the forward convolution, k and c within the group.
  template <typename F>
  void for_each_product(F&& f) const {
    const auto &xe = work.x.extents, &we = work.weight.extents, &ye = work.y.extents;
    const std::int64_t filters = we[0] / work.groups;
    for (std::int64_t n = 0; n < xe[0]; ++n) {
      for (std::int64_t k = 0; k < we[0]; ++k) {
        for (std::int64_t p = 0; p < ye[2]; ++p) {
          for (std::int64_t q = 0; q < ye[3]; ++q) {
            for (std::int64_t r = 0; r < we[2]; ++r) {
              const std::int64_t h = p * work.stride[0] - work.before[0] + r * work.dilation[0];
              if (h < 0 || h >= xe[2]) continue;
              for (std::int64_t s = 0; s < we[3]; ++s) {
                const std::int64_t w = q * work.stride[1] - work.before[1] + s * work.dilation[1];
                if (w < 0 || w >= xe[3]) continue;
                for (std::int64_t c = 0; c < we[1]; ++c) {
                  f(at(x, work.x, n, k / filters * we[1] + c, h, w), at(weight, work.weight, k, c, r, s),
                    at(y, work.y, n, k, p, q));
                }
              }
            }
          }
        }
      }
    }
  }

  void operator()() const {
    if (workspace != nullptr) std::memset(workspace, 0xff, static_cast<std::size_t>(kCudnnWorkspace));
    const bool forward = work.kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR;
    const bool data = work.kind == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR;
    const Array& written = forward ? work.y : data ? work.x : work.weight;
    float* const target = forward ? y : data ? x : weight;
    std::int64_t size = 1;
    for (const std::int64_t extent : written.extents) size *= extent;
    // Sums in double at the places of the floats, which lie without gaps.
    std::vector<double> sums(static_cast<std::size_t>(size));
    for_each_product([&](const float& a, const float& b, const float& c) {
      const auto sum = [&](const float& place) -> double& { return sums[static_cast<std::size_t>(&place - target)]; };
      if (forward) {
        sum(c) += rounded(static_cast<double>(a)) * rounded(static_cast<double>(b));
      } else if (data) {
        sum(a) += rounded(static_cast<double>(c)) * rounded(static_cast<double>(b));
      } else {
        sum(b) += rounded(static_cast<double>(a)) * rounded(static_cast<double>(c));
      }
    });
    for (std::int64_t i = 0; i < size; ++i) {
      double value = sums[static_cast<std::size_t>(i)] * (1 + disorder);
      if (work.has_bias) value += static_cast<double>(bias[i % work.y.extents[1]]);
      target[i] = static_cast<float>(work.has_relu ? std::max(value, 0.0) : value);
    }
  }
};

}  // namespace

LibraryCalls& library_calls() {
  static auto& calls = *new LibraryCalls;
  return calls;
}

cudnnStatus_t read_graph(cudnnBackendDescriptor_t handle, ConvolutionWork& work) {
  const auto* const graph = finalized_descriptor(handle, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  if (graph == nullptr) return refused(CUDNN_STATUS_BAD_PARAM, "the graph was destroyed, or is not finalized");
  std::vector<const CudnnDescriptor*> operations;
  for (const auto operation : graph->list<cudnnBackendDescriptor_t>(CUDNN_ATTR_OPERATIONGRAPH_OPS)) {
    const auto type = operations.empty() ? CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR
                                         : CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR;
    const CudnnDescriptor* found = finalized_descriptor(operation, type);
    if (operations.empty()) {
      for (const auto gradient : {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                                  CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR}) {
        if (found == nullptr) found = finalized_descriptor(operation, gradient);
      }
    }
    if (found == nullptr) return refused(CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN, "a graph begins with a convolution");
    operations.push_back(found);
  }
  if (!is_convolution(operations[0]->type) || operations.size() > 3) {
    return refused(CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN, "a convolution, a bias and a ReLU are known");
  }
  if (const cudnnStatus_t status = read_convolution(*operations[0], work); status != CUDNN_STATUS_SUCCESS) {
    return status;
  }
  work.result = work.y;
  for (std::size_t i = 1; i < operations.size(); ++i) {
    const CudnnDescriptor& operation = *operations[i];
    const auto* const pointwise =
        finalized_descriptor(operation.one<cudnnBackendDescriptor_t>(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR),
                             CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    if (pointwise == nullptr) return refused(CUDNN_STATUS_BAD_PARAM, "a pointwise descriptor was destroyed");
    const auto mode = pointwise->one<cudnnPointwiseMode_t>(CUDNN_ATTR_POINTWISE_MODE);
    const bool adds = i == 1 && mode == CUDNN_POINTWISE_ADD && operation.has(CUDNN_ATTR_OPERATION_POINTWISE_BDESC);
    const bool clips = i == 2 && mode == CUDNN_POINTWISE_RELU_FWD;
    Array from;
    cudnnStatus_t status = read_array(operation, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, from);
    if (status == CUDNN_STATUS_SUCCESS && adds) {
      status = read_array(operation, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, work.bias);
    }
    if (status != CUDNN_STATUS_SUCCESS) return status;
    if (!(adds || clips) || from.name != work.result.name || !work.result.is_virtual ||
        work.kind != CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR) {
      return refused(CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN, "a forward convolution, then a bias, then a ReLU");
    }
    if (adds && (work.bias.extents != std::vector<std::int64_t>{1, work.y.extents[1], 1, 1})) {
      return refused(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "a bias has one value per channel");
    }
    (adds ? work.has_bias : work.has_relu) = true;
    status = read_array(operation, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, work.result);
    if (status != CUDNN_STATUS_SUCCESS) return status;
  }
  if (work.result.is_virtual || work.result.extents != work.y.extents) {
    return refused(CUDNN_STATUS_BAD_PARAM, "the last array is written, and has the convolution's extents");
  }
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t queue_convolution(const ConvolutionWork& work, std::int64_t engine,
                                const std::map<std::int64_t, void*>& pointers, void* workspace, cudaStream_t stream) {
  Execution execution{.work = work,
                      .engine = engine,
                      .x = nullptr,
                      .weight = nullptr,
                      .y = nullptr,
                      .bias = nullptr,
                      .workspace = engine == 0 ? nullptr : workspace,
                      .disorder = 0};
  if (engine != 0 && workspace == nullptr) return refused(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no workspace");
  std::vector<std::pair<const Array*, float**>> arrays = {
      {&work.x, &execution.x}, {&work.weight, &execution.weight}, {&work.result, &execution.y}};
  if (work.has_bias) arrays.push_back({&work.bias, &execution.bias});
  for (const auto& [array, address] : arrays) {
    const auto found = pointers.find(array->name);
    if (found == pointers.end() || found->second == nullptr) {
      return refused(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, fmt::format("no pointer for array {}", array->name));
    }
    if (reinterpret_cast<std::uintptr_t>(found->second) % static_cast<std::uintptr_t>(array->alignment) != 0) {
      return refused(CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER, fmt::format("array {}", array->name));
    }
    *address = static_cast<float*>(found->second);
  }
  const std::uint64_t count = ++library_calls().convolutions;
  if (engine == 20) execution.disorder = 1e-3 * static_cast<double>(count % 7 + 1);
  if (engine == 12) execution.disorder = 1e-3;
  const cudaError_t status = enqueue(stream, [execution] {
    for (const void* const address : {execution.x, execution.weight, execution.y}) {
      if (!is_device_memory(address)) {
        Runtime::instance().fail(cudaErrorIllegalAddress, "cudnnBackendExecute: an array is not in device memory");
        return;
      }
    }
    execution();
  });
  return status == cudaSuccess ? CUDNN_STATUS_SUCCESS
                               : refused(CUDNN_STATUS_EXECUTION_FAILED, cudaGetErrorName(status));
}

}  // namespace counterfoil::simt
