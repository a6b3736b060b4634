#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/dialect.h"
#include "kernels/device.h"

namespace counterfoil::cuda {

/// The CUDA backend: one .cu per family, kernel and launcher side by side; kernels/backend.h documents every primitive.
/// Float arguments are f32. Everything is queued on one stream, so scratch memory may be released as soon as the
/// kernels that use it are launched: whoever gets it next comes later on the same stream.
class CudaBackend final : public Backend {
 public:
  /// `device` lends scratch memory and must outlive the backend.
  CudaBackend(Device& device, cudaStream_t stream) : device_(device), stream_(stream) {}

#include "kernels/overrides.inc"

 private:
  Device& device_;
  cudaStream_t stream_;
};

}  // namespace counterfoil::cuda
