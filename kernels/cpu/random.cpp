#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "kernels/checks.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/philox_lanes.h"
#include "kernels/philox.h"
#include "kernels/require_f32.h"
#include "kernels/scratch.h"

namespace counterfoil {

namespace {

using cpu::kElementGrain;
using cpu::parallel_for;

constexpr std::int64_t kWords = 4 * static_cast<std::int64_t>(cpu::kPhiloxBlocks);  // drawn together
constexpr std::int64_t kBatch = 8 * kWords;                                         // a buffer in the first cache

// Calls body(begin, end, words) for stretches of [0, count), words[i - begin] being word first + i of the stream.
template <typename Body>
void for_each_batch(std::int64_t count, RandomKey key, std::uint64_t first, Body body) {
  parallel_for(count, kElementGrain, [&](std::int64_t begin, std::int64_t end) {
    alignas(64) std::array<std::uint32_t, kBatch> words;
    while (begin < end) {
      const std::uint64_t word = first + static_cast<std::uint64_t>(begin);
      const auto skipped = static_cast<std::int64_t>(word % 4);
      const std::int64_t stop = std::min(end, begin + kBatch - skipped);
      const std::int64_t needed = skipped + stop - begin;
      for (std::int64_t w = 0; w < needed; w += kWords) {
        cpu::draw_philox(words.data() + w, key, word / 4 + static_cast<std::uint64_t>(w / 4));
      }
      body(begin, stop, words.data() + skipped);
      begin = stop;
    }
  });
}

}  // namespace

void CpuBackend::random_uniform(View out, RandomKey key, std::uint64_t first, double low, double high) {
  check::random(out);
  require_f32("random_uniform", out);
  float* const y = out.as<float>();
  const double range = high - low;
  for_each_batch(out.size(), key, first, [=](std::int64_t begin, std::int64_t end, const std::uint32_t* words) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) {
      y[i] = static_cast<float>(philox::uniform(words[i - begin], low, range));
    }
  });
}

void CpuBackend::random_normal(View out, RandomKey key, std::uint64_t first, double mean, double deviation) {
  check::random(out);
  require_f32("random_normal", out);
  float* const y = out.as<float>();
  for_each_batch(out.size(), key, first, [=](std::int64_t begin, std::int64_t end, const std::uint32_t* words) {
    for (std::int64_t i = begin; i < end; ++i) {
      y[i] = static_cast<float>(philox::normal(words[i - begin], mean, deviation));
    }
  });
}

void CpuBackend::dropout(View out, ConstView x, RandomKey key, std::uint64_t first, double probability,
                         bool per_channel) {
  check::dropout(out, x, probability, per_channel);
  require_f32("dropout", out);
  const std::uint32_t threshold = philox::keep_threshold(probability);
  const auto scale = static_cast<float>(1.0 / (1.0 - probability));
  float* const y = out.as<float>();
  const float* const from = x.as<float>();
  if (!per_channel) {
    for_each_batch(out.size(), key, first, [=](std::int64_t begin, std::int64_t end, const std::uint32_t* words) {
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) {
        const float kept = from[i] * scale;
        y[i] = philox::keep(words[i - begin], threshold) ? kept : 0.0f;
      }
    });
    return;
  }
  // One factor per (n, c): scale, or 0 where even an infinity is dropped.
  const std::int64_t images = x.shape[0], channels = x.shape[3], pixels = x.shape[1] * x.shape[2];
  if (x.size() == 0) return;
  const Scratch scratch(device_, static_cast<std::size_t>(images * channels) * sizeof(float));
  auto* const factors = scratch.as<float>();
  for_each_batch(images * channels, key, first, [=](std::int64_t begin, std::int64_t end, const std::uint32_t* words) {
    for (std::int64_t i = begin; i < end; ++i) factors[i] = philox::keep(words[i - begin], threshold) ? scale : 0.0f;
  });
  parallel_for(images * pixels, std::max<std::int64_t>(1, kElementGrain / channels),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t row = begin; row < end; ++row) {
                   const float* const factor = factors + row / pixels * channels;
                   const float* const source = from + row * channels;
                   float* const target = y + row * channels;
#pragma omp simd
                   for (std::int64_t c = 0; c < channels; ++c) {
                     const float kept = source[c] * scale;
                     target[c] = factor[c] != 0.0f ? kept : 0.0f;
                   }
                 }
               });
}

}  // namespace counterfoil
