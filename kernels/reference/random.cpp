#include "kernels/checks.h"
#include "kernels/philox.h"
#include "kernels/reference/doubles.h"
#include "kernels/reference/reference_backend.h"

namespace counterfoil {

using reference::Input;
using reference::Output;

namespace {

/// Calls f(i, word) for words first to first + count - 1 of a stream; every block of four is computed once.
template <typename F>
void for_each_word(RandomKey key, std::uint64_t first, std::int64_t count, F&& f) {
  philox::Block block{};
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint64_t index = first + static_cast<std::uint64_t>(i);
    if (i == 0 || index % 4 == 0) block = philox::block(key, index / 4);
    f(i, block.lane[index % 4]);
  }
}

}  // namespace

void ReferenceBackend::random_uniform(View out, RandomKey key, std::uint64_t first, double low, double high) {
  check::random("random_uniform", out);
  Output to(out);
  for_each_word(key, first, out.size(),
                [&](std::int64_t i, std::uint32_t word) { to[i] = philox::uniform(word, low, high - low); });
}

void ReferenceBackend::random_normal(View out, RandomKey key, std::uint64_t first, double mean, double deviation) {
  check::random("random_normal", out);
  Output to(out);
  for_each_word(key, first, out.size(),
                [&](std::int64_t i, std::uint32_t word) { to[i] = philox::normal(word, mean, deviation); });
}

void ReferenceBackend::dropout(View out, ConstView x, RandomKey key, std::uint64_t first, double probability,
                               bool per_channel) {
  check::dropout(out, x, probability, per_channel);
  const std::uint32_t threshold = philox::keep_threshold(probability);
  const Input from(x);
  Output to(out);
  const auto drop = [&](std::int64_t i, std::uint32_t word) {
    to[i] = philox::keep(word, threshold) ? from[i] / (1 - probability) : 0;
  };
  if (!per_channel) return for_each_word(key, first, x.size(), drop);
  const std::int64_t pixels = x.shape[1] * x.shape[2], channels = x.shape[3];
  for_each_word(key, first, x.shape[0] * channels, [&](std::int64_t plane, std::uint32_t word) {
    const std::int64_t start = plane / channels * pixels * channels + plane % channels;
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) drop(start + pixel * channels, word);
  });
}

}  // namespace counterfoil
