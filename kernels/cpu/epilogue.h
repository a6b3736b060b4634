#pragma once

#include <cstdint>

#include "kernels/geometry.h"

namespace counterfoil::cpu {

/// y [rows, columns] = activation(y + bias), on the calling thread; row i begins at y + i * stride. bias may be null.
void apply_epilogue(float* y, std::int64_t stride, std::int64_t rows, std::int64_t columns, const float* bias,
                    Activation activation, float slope);

/// y [rows, columns] = activation(bias): the epilogue of an empty sum.
void epilogue_of_nothing(float* y, std::int64_t rows, std::int64_t columns, const float* bias, Activation activation,
                         float slope);

}  // namespace counterfoil::cpu
