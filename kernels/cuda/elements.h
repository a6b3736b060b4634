#pragma once

#include <cstdint>

#include "kernels/cuda/dialect.h"
#include "kernels/view.h"

namespace counterfoil::cuda {

/// f(T()) for a type of so many bytes, 1 to 16: moving an element takes no more.
template <typename F>
void with_bytes(std::size_t bytes, F&& f) {
  switch (bytes) {
    case 1:
      return f(std::uint8_t());
    case 2:
      return f(std::uint16_t());
    case 4:
      return f(std::uint32_t());
    case 8:
      return f(uint2());
    default:
      return f(uint4());
  }
}

}  // namespace counterfoil::cuda
