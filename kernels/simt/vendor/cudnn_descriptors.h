#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "kernels/simt/vendor/cudnn.h"

// What the emulated descriptors hold, and what a finalized graph means.

namespace counterfoil::simt {

struct CudnnDescriptor {
  struct Attribute {
    std::int64_t count = 0;
    std::vector<std::byte> bytes;
  };

  cudnnBackendDescriptorType_t type;
  bool finalized = false;
  std::map<cudnnBackendAttributeName_t, Attribute> attributes;
  std::int64_t engine = -1;  ///< of an engine and of its configuration

  bool has(cudnnBackendAttributeName_t name) const { return attributes.contains(name); }
  template <typename T>
  std::vector<T> list(cudnnBackendAttributeName_t name) const {
    const Attribute& attribute = attributes.at(name);
    std::vector<T> values(static_cast<std::size_t>(attribute.count));
    std::memcpy(values.data(), attribute.bytes.data(), attribute.bytes.size());
    return values;
  }
  template <typename T>
  T one(cudnnBackendAttributeName_t name) const {
    T value;
    std::memcpy(&value, attributes.at(name).bytes.data(), sizeof value);
    return value;
  }
};

/// The live descriptor behind a handle, finalized, of a type; null otherwise.
const CudnnDescriptor* finalized_descriptor(cudnnBackendDescriptor_t handle, cudnnBackendDescriptorType_t type);

/// The lock over all descriptors.
std::recursive_mutex& cudnn_mutex();
/// Remembers the text of an error and passes it on.
cudnnStatus_t refused(cudnnStatus_t status, std::string text);

/// One convolution, perhaps with a bias and a ReLU, as read from a graph. Extents are N, C, H, W; K, C, R, S of
/// weights.
struct ConvolutionWork {
  struct Array {
    std::int64_t name = 0;
    std::vector<std::int64_t> extents, strides;
    std::int64_t alignment = 1;
    bool is_virtual = false;
  };
  cudnnBackendDescriptorType_t kind{};
  Array x, weight, y;  ///< y is the convolution's own
  Array bias, result;  ///< result is what the graph writes; of the gradients, the convolution's
  bool has_bias = false, has_relu = false;
  std::vector<std::int64_t> before, stride, dilation;
  std::int64_t groups = 1;
};

/// Success, or why the graph is none of those known.
cudnnStatus_t read_graph(cudnnBackendDescriptor_t graph, ConvolutionWork& work);
/// Queues the work; pointers by array name.
cudnnStatus_t queue_convolution(const ConvolutionWork& work, std::int64_t engine,
                                const std::map<std::int64_t, void*>& pointers, void* workspace, cudaStream_t stream);
inline constexpr std::int64_t kCudnnWorkspace = 4096;  ///< bytes, of every engine but 0

}  // namespace counterfoil::simt
