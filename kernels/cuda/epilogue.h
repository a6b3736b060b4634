#pragma once

#include "kernels/cuda/dialect.h"
#include "kernels/geometry.h"
#include "kernels/pointwise.h"

// What happens to a sum on its way out of a product: y = activation(sum + bias[column]).

namespace counterfoil::cuda {

struct Epilogue {
  const float* bias = nullptr;  ///< one per column, or null
  Activation activation = Activation::identity;
  float slope = 0;

  /// Whether the activation needs an exponential: such code is not unrolled over the 64 sums of the largest tile.
  bool is_smooth() const { return activation == Activation::tanh || activation == Activation::sigmoid; }
};

/// identity, relu and leaky_relu are one formula: below zero, multiply by 1, 0 or the slope.
template <bool kSmooth>
__device__ __forceinline__ float finished(const Epilogue& epilogue, float sum) {
  if constexpr (kSmooth) {
    if (epilogue.activation == Activation::tanh) return tanhf(sum);
    if (epilogue.activation == Activation::sigmoid) return pointwise::sigmoid<pointwise::StandardMath>(sum);
  }
  if (epilogue.activation == Activation::identity || !(sum < 0.0f)) return sum;
  return epilogue.activation == Activation::relu ? 0.0f : epilogue.slope * sum;
}

}  // namespace counterfoil::cuda
