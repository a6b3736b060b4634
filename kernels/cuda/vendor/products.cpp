#include "kernels/cuda/vendor/products.h"

#include "kernels/cuda/vendor/cublas_matmul.h"
#include "kernels/cuda/vendor/cudnn_convolutions.h"

namespace counterfoil::cuda {

namespace {

class VendorProducts final : public Products {
 public:
  VendorProducts(Device& device, cudaStream_t stream, bool tf32)
      : tf32_(tf32), matmul_(device, stream, tf32), convolutions_(device, stream, tf32) {}

  std::string description() const override {
    return fmt::format("cuDNN {}, cuBLAS {}{}", CudnnConvolutions::version(), CublasMatmul::version(),
                       tf32_ ? " in TF32" : "");
  }
  Done matmul(View y, ConstView a, ConstView b, bool transpose_a, bool transpose_b, ConstView bias,
              Activation activation, Compute compute) override {
    return matmul_.matmul(y, a, b, transpose_a, transpose_b, bias, activation, compute);
  }
  Done conv2d(View y, ConstView x, ConstView weight, ConstView bias, const Conv2dGeometry& geometry,
              Activation activation) override {
    return convolutions_.forward(y, x, weight, bias, geometry, activation);
  }
  Done conv2d_input_grad(View d_x, ConstView d_y, ConstView weight, const Conv2dGeometry& geometry) override {
    return convolutions_.input_grad(d_x, d_y, weight, geometry);
  }
  Done conv2d_weight_grad(View d_weight, ConstView x, ConstView d_y, const Conv2dGeometry& geometry) override {
    return convolutions_.weight_grad(d_weight, x, d_y, geometry);
  }

 private:
  bool tf32_;
  CublasMatmul matmul_;
  CudnnConvolutions convolutions_;
};

}  // namespace

std::unique_ptr<Products> open_products(Device& device, cudaStream_t stream, bool tf32) {
  return std::make_unique<VendorProducts>(device, stream, tf32);
}

}  // namespace counterfoil::cuda

#if !defined(COUNTERFOIL_SIMT)
// What is looked up in the library of this file.

/// open_products for libcounterfoil_cuda.so; the caller owns the result.
extern "C" counterfoil::cuda::Products* counterfoil_open_products(counterfoil::Device& device, cudaStream_t stream,
                                                                  bool tf32) {
  return counterfoil::cuda::open_products(device, stream, tf32).release();
}

/// The engine that would run a convolution on a GPU described in cuDNN's JSON, which need not be there; -1 where none
/// would.
extern "C" std::int64_t counterfoil_find_cudnn_engine(const counterfoil::cuda::Convolution& convolution,
                                                      std::string_view properties, bool tf32) {
  using namespace counterfoil::cuda;
  const std::unique_ptr<ExecutionPlan> plan = ExecutionPlan::find(convolution, PlanTarget(properties), tf32);
  return plan != nullptr ? plan->engine() : -1;
}
#endif
