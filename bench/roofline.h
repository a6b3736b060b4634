#pragma once

namespace counterfoil::bench {

/// What this machine can do with thread_count() threads, measured once per run: the denominators of every percentage.
struct Roofline {
  double flops;         ///< f32 multiply-adds from registers, per second; a multiply-add counts as two
  double memory_bytes;  ///< bytes read and written per second by a copy between arrays of 64 MiB
  double cache_bytes;   ///< the same between arrays of 1 MiB per thread
};
const Roofline& roofline();

}  // namespace counterfoil::bench
