#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/cuda/vendor/cudnn_api.h"

namespace counterfoil::cuda {

/// Throws Error "cuDNN: WHAT: NAME: what the library says" unless status is success.
void check(cudnnStatus_t status, std::string_view what);

/// One object of cuDNN's graph API: created, given attributes, finalized.
class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t type);
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;

  void set(cudnnBackendAttributeName_t name, const Descriptor& value) { set(name, std::span(&value, 1)); }
  void set(cudnnBackendAttributeName_t name, std::span<const Descriptor> values);
  void set(cudnnBackendAttributeName_t name, std::span<const std::int64_t> values);
  void set(cudnnBackendAttributeName_t name, std::span<void* const> values);
  void set(cudnnBackendAttributeName_t name, std::string_view text);
  void set(cudnnBackendAttributeName_t name, std::int64_t value) { set(name, std::span(&value, 1)); }
  void set(cudnnBackendAttributeName_t name, void* value) { set(name, std::span(&value, 1)); }
  void set(cudnnBackendAttributeName_t name, bool value) { set(name, CUDNN_TYPE_BOOLEAN, 1, &value); }
  void set(cudnnBackendAttributeName_t name, float value) { set(name, CUDNN_TYPE_FLOAT, 1, &value); }
  void set(cudnnBackendAttributeName_t name, cudnnHandle_t value) { set(name, CUDNN_TYPE_HANDLE, 1, &value); }
  void set(cudnnBackendAttributeName_t name, cudnnDataType_t value) { set(name, CUDNN_TYPE_DATA_TYPE, 1, &value); }
  void set(cudnnBackendAttributeName_t name, cudnnConvolutionMode_t value) {
    set(name, CUDNN_TYPE_CONVOLUTION_MODE, 1, &value);
  }
  void set(cudnnBackendAttributeName_t name, cudnnPointwiseMode_t value) {
    set(name, CUDNN_TYPE_POINTWISE_MODE, 1, &value);
  }
  void set(cudnnBackendAttributeName_t name, cudnnBackendHeurMode_t value) {
    set(name, CUDNN_TYPE_HEUR_MODE, 1, &value);
  }

  /// Throws Error naming the kind of object that the library refuses.
  void finalize();
  /// False where the library refuses.
  bool try_finalize();

  std::int64_t get_int(cudnnBackendAttributeName_t name) const;
  std::vector<cudnnBackendNumericalNote_t> get_notes(cudnnBackendAttributeName_t name) const;
  Descriptor get_object(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type) const;
  /// The objects of a list, each of `type`.
  std::vector<Descriptor> get_list(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type) const;

  cudnnBackendDescriptor_t get() const { return descriptor_; }

 private:
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t count, const void* values);
  std::int64_t get(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t room,
                   void* values) const;

  cudnnBackendDescriptorType_t type_;
  cudnnBackendDescriptor_t descriptor_ = nullptr;
};

}  // namespace counterfoil::cuda
