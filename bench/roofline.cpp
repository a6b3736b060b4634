#include "bench/roofline.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>

#include "kernels/device.h"

namespace counterfoil::bench {

namespace {

// The best of several runs of `work` on every thread at once, in seconds.
double best_seconds(const std::function<void(int)>& work) {
  double best = 1e30;
  for (int repeat = 0; repeat < 7; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::jthread> others;
    for (int thread = 1; thread < thread_count(); ++thread) others.emplace_back(work, thread);
    work(0);
    others.clear();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#else
constexpr int kVectorBytes = 32;
#endif
using Vector = float __attribute__((vector_size(kVectorBytes)));

double measure_flops() {
  constexpr int kChains = 12, kRounds = 2'000'000;
  const double seconds = best_seconds([](int thread) {
    // The chains start apart, or the compiler computes one for all.
    Vector sums[kChains];
    for (int chain = 0; chain < kChains; ++chain) sums[chain] = Vector{} + static_cast<float>(chain);
    const Vector factor = Vector{} + 0.999F, addend = Vector{} + static_cast<float>(thread);
    for (int round = 0; round < kRounds; ++round) {
#pragma GCC unroll 12
      for (int chain = 0; chain < kChains; ++chain) sums[chain] = sums[chain] * factor + addend;
    }
    Vector total = sums[0];
    for (int chain = 1; chain < kChains; ++chain) total += sums[chain];
    benchmark::DoNotOptimize(total[0]);
  });
  return 2.0 * kChains * kRounds * (kVectorBytes / sizeof(float)) * thread_count() / seconds;
}

double measure_copy(std::size_t bytes_per_thread) {
  const auto threads = static_cast<std::size_t>(thread_count());
  const std::size_t rounds = std::max<std::size_t>(1, (64U << 20U) / bytes_per_thread);
  std::vector<char> from(bytes_per_thread * threads, 1), to(bytes_per_thread * threads, 2);
  const double seconds = best_seconds([&](int thread) {
    const std::size_t at = static_cast<std::size_t>(thread) * bytes_per_thread;
    for (std::size_t round = 0; round < rounds; ++round) {
      std::memcpy(to.data() + at, from.data() + at, bytes_per_thread);
      benchmark::ClobberMemory();
    }
  });
  return 2.0 * static_cast<double>(bytes_per_thread * rounds * threads) / seconds;
}

}  // namespace

const Roofline& roofline() {
  static const Roofline measured{measure_flops(), measure_copy((64U << 20U) / static_cast<std::size_t>(thread_count())),
                                 measure_copy(1U << 20U)};
  return measured;
}

}  // namespace counterfoil::bench
