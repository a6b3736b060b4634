#pragma once

#include <benchmark/benchmark.h>

namespace counterfoil::bench {

/// What this machine can do with thread_count() threads, measured once per run: the denominators of every percentage.
struct Roofline {
  double flops;         ///< f32 multiply-adds from registers, per second; a multiply-add counts as two
  double memory_bytes;  ///< bytes read and written per second by a copy between arrays of 64 MiB
  double cache_bytes;   ///< the same between arrays of 1 MiB per thread
};
const Roofline& roofline();

/// Counters for a benchmark whose iteration does this many operations: the rate and its percentage of the peak.
void count_flops(benchmark::State& state, double flops);
/// For one that reads and writes this many bytes: the rate, and percentages of a copy in memory and in cache.
void count_bytes(benchmark::State& state, double bytes);

}  // namespace counterfoil::bench
