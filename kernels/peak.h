#pragma once

#include <cstddef>

namespace counterfoil {

/// What a device can reach at most, as its properties tell; 0 where they do not.
struct Peak {
  double flops = 0;             ///< f32 per second; a multiply-add is two
  double tensor_flops = 0;      ///< the same of bf16 on tensor cores
  double memory_bytes = 0;      ///< read and written per second
  std::size_t cache_bytes = 0;  ///< of the last-level cache
};

}  // namespace counterfoil
