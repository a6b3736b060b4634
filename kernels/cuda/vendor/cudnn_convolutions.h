#pragma once

#include <map>
#include <memory>
#include <string>

#include "kernels/cuda/vendor/execution_plan.h"
#include "kernels/cuda/vendor/products.h"

namespace counterfoil::cuda {

/// The convolutions of Products by cuDNN. The plan of each set of extents is looked for once.
class CudnnConvolutions {
 public:
  /// Throws Error where cuDNN cannot start.
  CudnnConvolutions(Device& device, cudaStream_t stream, bool tf32);
  ~CudnnConvolutions();
  CudnnConvolutions(const CudnnConvolutions&) = delete;
  CudnnConvolutions& operator=(const CudnnConvolutions&) = delete;

  Done forward(View y, ConstView x, ConstView weight, ConstView bias, const Conv2dGeometry& geometry,
               Activation activation);
  Done input_grad(View d_x, ConstView d_y, ConstView weight, const Conv2dGeometry& geometry);
  Done weight_grad(View d_weight, ConstView x, ConstView d_y, const Conv2dGeometry& geometry);

  static std::string version();  ///< "9.19.0"

 private:
  bool run(const Convolution& convolution, Compute compute, const void* x, const void* weight, const void* y,
           const void* bias);

  Device& device_;
  bool tf32_;
  cudnnHandle_t handle_ = nullptr;
  std::map<Convolution, std::unique_ptr<ExecutionPlan>> plans_;  // null where there is none
};

}  // namespace counterfoil::cuda
