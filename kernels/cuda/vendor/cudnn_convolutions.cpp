#include "kernels/cuda/vendor/cudnn_convolutions.h"

#include <array>
#include <cstdint>

#include "kernels/error.h"
#include "kernels/scratch.h"

namespace counterfoil::cuda {

namespace {

bool aligned16(const void* address) {
  return reinterpret_cast<std::uintptr_t>(address) % 16 == 0;
}

}  // namespace

CudnnConvolutions::CudnnConvolutions(Device& device, cudaStream_t stream, bool tf32) : device_(device), tf32_(tf32) {
  check(cudnnCreate(&handle_), "cudnnCreate");
  check(cudnnSetStream(handle_, stream), "cudnnSetStream");
}

CudnnConvolutions::~CudnnConvolutions() {
  cudnnDestroy(handle_);
}

std::string CudnnConvolutions::version() {
  const std::size_t number = cudnnGetVersion();  // 91900
  return fmt::format("{}.{}.{}", number / 10000, number / 100 % 100, number % 100);
}

bool CudnnConvolutions::run(const Convolution& convolution, Compute compute, const void* x, const void* weight,
                            const void* y, const void* bias) {
  const bool aligned = aligned16(x) && aligned16(weight) && aligned16(y) && aligned16(bias);
  const bool any = convolution.x[0] * convolution.x[1] * convolution.x[2] * convolution.x[3] > 0;
  if (compute != Compute::f32 || !aligned || !any || convolution.y[0] == 0) return false;
  auto found = plans_.find(convolution);
  if (found == plans_.end()) {
    found = plans_.emplace(convolution, ExecutionPlan::find(convolution, PlanTarget(handle_), tf32_)).first;
  }
  const ExecutionPlan* const plan = found->second.get();
  if (plan == nullptr) return false;
  const Scratch workspace(device_, plan->workspace());
  const std::array<std::int64_t, 4> names = {kArrayX, kArrayWeight, kArrayY, kArrayBias};
  // One list for what is read and what is written.
  const std::array<void*, 4> pointers = {const_cast<void*>(x), const_cast<void*>(weight), const_cast<void*>(y),
                                         const_cast<void*>(bias)};
  const std::size_t count = convolution.bias ? 4 : 3;
  try {
    plan->execute(handle_, std::span(names).first(count), std::span(pointers).first(count), workspace.as<void>());
  } catch (const Error& error) {
    fail("{}, engine {}: {}", convolution.to_string(), plan->engine(), error.what());
  }
  return true;
}

Done CudnnConvolutions::forward(View y, ConstView x, ConstView weight, ConstView bias, const Conv2dGeometry& geometry,
                                Activation activation) {
  Convolution convolution = Convolution::make(ConvolutionKind::forward, x.shape, weight.shape, y.shape, geometry);
  convolution.bias = bias.data != nullptr;
  convolution.relu = convolution.bias && activation == Activation::relu;  // without a bias no engine in f32 has it
  if (!run(convolution, geometry.compute, x.data, weight.data, y.data, bias.data)) return Done::nothing;
  return activation == Activation::identity || convolution.relu ? Done::everything : Done::without_activation;
}

Done CudnnConvolutions::input_grad(View d_x, ConstView d_y, ConstView weight, const Conv2dGeometry& geometry) {
  const Convolution convolution =
      Convolution::make(ConvolutionKind::input_grad, d_x.shape, weight.shape, d_y.shape, geometry);
  return run(convolution, geometry.compute, d_x.data, weight.data, d_y.data, nullptr) ? Done::everything
                                                                                      : Done::nothing;
}

Done CudnnConvolutions::weight_grad(View d_weight, ConstView x, ConstView d_y, const Conv2dGeometry& geometry) {
  const Convolution convolution =
      Convolution::make(ConvolutionKind::weight_grad, x.shape, d_weight.shape, d_y.shape, geometry);
  return run(convolution, geometry.compute, x.data, d_weight.data, d_y.data, nullptr) ? Done::everything
                                                                                      : Done::nothing;
}

}  // namespace counterfoil::cuda
