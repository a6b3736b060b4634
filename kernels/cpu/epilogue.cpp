#include "kernels/cpu/epilogue.h"

#include <algorithm>

#include "kernels/cpu/vector_math.h"
#include "kernels/pointwise.h"

namespace counterfoil::cpu {

void apply_epilogue(float* y, std::int64_t stride, std::int64_t rows, std::int64_t columns, const float* bias,
                    Activation activation, float slope) {
  if (bias == nullptr && activation == Activation::identity) return;
  pointwise::with_activation(activation, [&](auto chosen) {
    for (std::int64_t row = 0; row < rows; ++row) {
      float* out = y + row * stride;
#pragma omp simd
      for (std::int64_t i = 0; i < columns; ++i) {
        const float sum = bias != nullptr ? out[i] + bias[i] : out[i];
        out[i] = pointwise::activate<chosen(), vector_math::VectorMath>(sum, slope);
      }
    }
  });
}

void epilogue_of_nothing(float* y, std::int64_t rows, std::int64_t columns, const float* bias, Activation activation,
                         float slope) {
  std::fill_n(y, rows * columns, 0.0F);
  apply_epilogue(y, columns, rows, columns, bias, activation, slope);
}

}  // namespace counterfoil::cpu
