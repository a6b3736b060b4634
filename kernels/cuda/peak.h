#pragma once

#include <cstddef>

#include "kernels/cuda/dialect.h"
#include "kernels/peak.h"

namespace counterfoil::cuda {

/// What a GPU tells of itself.
struct Properties {
  int major, minor, multiprocessors, clock_khz, memory_clock_khz, memory_bits, cache_bytes;
};

/// Published widths of a multiprocessor (NVIDIA's programming guide and architecture papers): f32 multiply-adds a
/// clock, and those of bf16 on tensor cores with sums in f32. 0 where unknown.
struct Widths {
  int f32, tensor;

  static Widths of(int major, int minor) {
    if (major == 8) return minor == 0 ? Widths{64, 1024} : Widths{128, 512};
    if (major == 9) return {128, 2048};
    if (major == 10) return {128, 4096};
    return {major > 10 ? 128 : 64, 0};
  }
};

/// At the highest clock; memory moves twice a clock.
inline Peak peak_of(const Properties& p) {
  const auto width = Widths::of(p.major, p.minor);
  const double clocks = 1e3 * p.clock_khz * p.multiprocessors;
  return {.flops = 2 * clocks * width.f32,
          .tensor_flops = 2 * clocks * width.tensor,
          .memory_bytes = 2 * 1e3 * p.memory_clock_khz * (p.memory_bits / 8),
          .cache_bytes = static_cast<std::size_t>(p.cache_bytes)};
}

/// Of the current device. The emulation has no clock, so nothing.
inline Peak peak_of_device() {
#if defined(COUNTERFOIL_SIMT)
  return {};
#else
  const auto read = [](cudaDeviceAttr attribute) {
    int value = 0;
    check(cudaDeviceGetAttribute(&value, attribute, 0), "cudaDeviceGetAttribute");
    return value;
  };
  return peak_of({read(cudaDevAttrComputeCapabilityMajor), read(cudaDevAttrComputeCapabilityMinor),
                  read(cudaDevAttrMultiProcessorCount), read(cudaDevAttrClockRate), read(cudaDevAttrMemoryClockRate),
                  read(cudaDevAttrGlobalMemoryBusWidth), read(cudaDevAttrL2CacheSize)});
#endif
}

}  // namespace counterfoil::cuda
