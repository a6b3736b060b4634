#pragma once

#include <cstdint>
#include <initializer_list>

#include "kernels/cuda/dialect.h"

// Loads and stores of 128 bits where addresses allow it: `width` floats at a time, 4 or 1.

namespace counterfoil::cuda {

/// Whether all addresses are multiples of 16 bytes.
inline bool aligned16(std::initializer_list<const void*> addresses) {
  std::uintptr_t bits = 0;
  for (const void* address : addresses) bits |= reinterpret_cast<std::uintptr_t>(address);
  return bits % 16 == 0;
}

#if defined(COUNTERFOIL_SIMT) || defined(__CUDACC__)

/// `width` floats from address[width * i].
template <int width>
__device__ __forceinline__ void load(float (&values)[width], const float* address, std::int64_t i) {
  static_assert(width == 1 || width == 4);
  if constexpr (width == 4) {
    const float4 v = reinterpret_cast<const float4*>(address)[i];
    values[0] = v.x;
    values[1] = v.y;
    values[2] = v.z;
    values[3] = v.w;
  } else {
    values[0] = address[i];
  }
}

template <int width>
__device__ __forceinline__ void store(float* address, std::int64_t i, const float (&values)[width]) {
  static_assert(width == 1 || width == 4);
  if constexpr (width == 4) {
    reinterpret_cast<float4*>(address)[i] = make_float4(values[0], values[1], values[2], values[3]);
  } else {
    address[i] = values[0];
  }
}

#endif

}  // namespace counterfoil::cuda
