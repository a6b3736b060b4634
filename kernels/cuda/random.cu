#include "kernels/checks.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/grid.h"
#include "kernels/philox.h"
#include "kernels/require_f32.h"
#include "kernels/scratch.h"

// The bits of kernels/reference. A thread draws one Philox block: the words of up to four neighbouring elements.

namespace counterfoil::cuda {

namespace {

/// Calls draw(i, word) for elements 0 to n - 1, made of words first to first + n - 1.
template <typename Draw>
__device__ __forceinline__ void for_each_word(RandomKey key, std::uint64_t first, std::int64_t n, Draw draw) {
  const auto skipped = static_cast<std::int64_t>(first % 4);
  for (std::int64_t t = first_item(); 4 * t < n + skipped; t += item_stride()) {
    const philox::Block block = philox::block(key, first / 4 + static_cast<std::uint64_t>(t));
#pragma unroll
    for (int lane = 0; lane < 4; ++lane) {
      const std::int64_t i = 4 * t + lane - skipped;
      if (i >= 0 && i < n) draw(i, block.lane[lane]);
    }
  }
}

unsigned blocks_for_words(std::int64_t n) {
  return n == 0 ? 0 : blocks_for(n / 4 + 2);
}

__global__ void __launch_bounds__(kThreads)
    random_uniform_kernel(float* __restrict__ out, std::int64_t n, RandomKey key, std::uint64_t first, double low,
                          double range) {
  for_each_word(key, first, n, [=](std::int64_t i, std::uint32_t word) {
    out[i] = static_cast<float>(philox::uniform(word, low, range));
  });
}

__global__ void __launch_bounds__(kThreads) random_normal_kernel(float* __restrict__ out, std::int64_t n, RandomKey key,
                                                                 std::uint64_t first, double mean, double deviation) {
  for_each_word(key, first, n, [=](std::int64_t i, std::uint32_t word) {
    out[i] = static_cast<float>(philox::normal(word, mean, deviation));
  });
}

__device__ __forceinline__ float kept(float x, double keep_probability) {
  return static_cast<float>(static_cast<double>(x) / keep_probability);
}

__global__ void __launch_bounds__(kThreads)
    dropout_kernel(float* out, const float* x, std::int64_t n, RandomKey key, std::uint64_t first,
                   std::uint32_t threshold, double keep_probability) {
  for_each_word(key, first, n, [=](std::int64_t i, std::uint32_t word) {
    out[i] = philox::keep(word, threshold) ? kept(x[i], keep_probability) : 0.0f;
  });
}

/// 1 where the plane (n, c) is kept.
__global__ void __launch_bounds__(kThreads)
    dropout_planes_kernel(std::uint8_t* __restrict__ keep, std::int64_t n, RandomKey key, std::uint64_t first,
                          std::uint32_t threshold) {
  for_each_word(key, first, n,
                [=](std::int64_t i, std::uint32_t word) { keep[i] = philox::keep(word, threshold) ? 1 : 0; });
}

__global__ void __launch_bounds__(kThreads)
    dropout_apply_planes_kernel(float* out, const float* x, const std::uint8_t* __restrict__ keep, std::int64_t n,
                                std::int64_t image, std::int64_t channels, double keep_probability) {
  for (std::int64_t i = first_item(); i < n; i += item_stride()) {
    const std::int64_t plane = i / image * channels + i % channels;
    out[i] = keep[plane] != 0 ? kept(x[i], keep_probability) : 0.0f;
  }
}

}  // namespace

void CudaBackend::random_uniform(View out, RandomKey key, std::uint64_t first, double low, double high) {
  check::random(out);
  require_f32("random_uniform", out);
  launch(random_uniform_kernel, blocks_for_words(out.size()), kThreads, 0, stream_, out.as<float>(), out.size(), key,
         first, low, high - low);
}

void CudaBackend::random_normal(View out, RandomKey key, std::uint64_t first, double mean, double deviation) {
  check::random(out);
  require_f32("random_normal", out);
  launch(random_normal_kernel, blocks_for_words(out.size()), kThreads, 0, stream_, out.as<float>(), out.size(), key,
         first, mean, deviation);
}

void CudaBackend::dropout(View out, ConstView x, RandomKey key, std::uint64_t first, double probability,
                          bool per_channel) {
  check::dropout(out, x, probability, per_channel);
  require_f32("dropout", out);
  const std::uint32_t threshold = philox::keep_threshold(probability);
  const double keep_probability = 1 - probability;
  const std::int64_t n = x.size();
  if (n == 0) return;
  if (!per_channel) {
    launch(dropout_kernel, blocks_for_words(n), kThreads, 0, stream_, out.as<float>(), x.as<float>(), n, key, first,
           threshold, keep_probability);
    return;
  }
  const std::int64_t channels = x.shape[3], planes = x.shape[0] * channels;
  const Scratch scratch(device_, static_cast<std::size_t>(planes));
  auto* const keep = scratch.as<std::uint8_t>();
  launch(dropout_planes_kernel, blocks_for_words(planes), kThreads, 0, stream_, keep, planes, key, first, threshold);
  launch(dropout_apply_planes_kernel, blocks_for(n), kThreads, 0, stream_, out.as<float>(), x.as<float>(), keep, n,
         n / x.shape[0], channels, keep_probability);
}

}  // namespace counterfoil::cuda
