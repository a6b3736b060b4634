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

// philox::normal for a batch: the centre of the distribution in one loop over all words, then the tails, one word in
// seven, gathered so that their loop runs over nothing else.
[[gnu::flatten]] void fill_normal(float* y, const std::uint32_t* words, std::int64_t count, double mean,
                                  double deviation) {
  std::array<double, kBatch> tail;
  std::array<std::int32_t, kBatch> place;
  std::int64_t tails = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const double lower = (static_cast<double>(words[i]) + 0.5) * 0x1p-32;
    const double centred = lower - 0.5;
    y[i] = static_cast<float>(std::fma(deviation, philox::normal_centre(centred), mean));
  }
  for (std::int64_t i = 0; i < count; ++i) {
    place[static_cast<std::size_t>(tails)] = static_cast<std::int32_t>(i);
    const double lower = (static_cast<double>(words[i]) + 0.5) * 0x1p-32;
    tails += std::fabs(lower - 0.5) > 0.425 ? 1 : 0;
  }
  for (std::int64_t k = 0; k < tails; ++k) {
    const double lower = (static_cast<double>(words[place[static_cast<std::size_t>(k)]]) + 0.5) * 0x1p-32;
    const double magnitude = philox::normal_tail(lower < 0.5 ? lower : 1.0 - lower);
    tail[static_cast<std::size_t>(k)] = std::fma(deviation, lower < 0.5 ? -magnitude : magnitude, mean);
  }
  for (std::int64_t k = 0; k < tails; ++k) {
    y[place[static_cast<std::size_t>(k)]] = static_cast<float>(tail[static_cast<std::size_t>(k)]);
  }
}

}  // namespace

void CpuBackend::random_uniform(View out, RandomKey key, std::uint64_t first, double low, double high) {
  check::random("random_uniform", out);
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
  check::random("random_normal", out);
  require_f32("random_normal", out);
  float* const y = out.as<float>();
  for_each_batch(out.size(), key, first, [=](std::int64_t begin, std::int64_t end, const std::uint32_t* words) {
    fill_normal(y + begin, words, end - begin, mean, deviation);
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
