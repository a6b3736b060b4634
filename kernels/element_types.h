#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/pointwise.h"
#include "kernels/view.h"

// The elements of arrays of any dtype, read and written as doubles: the one rule by which every backend converts them.

namespace counterfoil {

struct Bf16 {
  std::uint16_t bits;
};

template <typename T>
COUNTERFOIL_HOST_DEVICE double to_double(T value) {
  if constexpr (std::is_same_v<T, Bf16>) {
    return static_cast<double>(pointwise::from_bf16(value.bits));
  } else {
    return static_cast<double>(value);
  }
}

/// bf16 takes the way over float; integers are rounded to nearest even and saturated.
template <typename T>
COUNTERFOIL_HOST_DEVICE T from_double(double value) {
  if constexpr (std::is_same_v<T, Bf16>) {
    return {pointwise::to_bf16(static_cast<float>(value))};
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(value);
  } else {
    return pointwise::to_integer<T>(value);
  }
}

/// f(T()) for the element type of a dtype.
template <typename F>
void with_type(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f(float());
    case DType::f64:
      return f(double());
    case DType::bf16:
      return f(Bf16());
    case DType::u8:
      return f(std::uint8_t());
    case DType::i32:
      return f(std::int32_t());
    case DType::i64:
      return f(std::int64_t());
  }
}

}  // namespace counterfoil
