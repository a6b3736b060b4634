#include "kernels/checks.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/layout.h"
#include "kernels/cuda/recording.h"
#include "kernels/philox.h"
#include "kernels/require_f32.h"
#include "kernels/scratch.h"

// The bits of kernels/reference. A thread draws one Philox block: the words of up to four neighbouring elements.

namespace counterfoil::cuda {

namespace {

/// Which words of a stream a launch draws: from first on, or in a graph from first + *advance on (recording.h).
struct Words {
  RandomKey key;
  std::uint64_t first;
  const std::uint64_t* advance;

  Words(RandomKey stream, std::uint64_t begin, std::int64_t count)
      : key(stream), first(begin), advance(recorded_draw(stream, begin, count)) {}
};

/// Calls draw(i, word) for elements 0 to n - 1, made of n words.
template <typename Draw>
__device__ __forceinline__ void for_each_word(const Words& words, std::int64_t n, Draw draw) {
  const std::uint64_t first = words.first + (words.advance != nullptr ? *words.advance : 0);
  const auto skipped = static_cast<std::int64_t>(first % 4);
  for (std::int64_t t = first_item(); 4 * t < n + skipped; t += item_stride()) {
    const philox::Block block = philox::block(words.key, first / 4 + static_cast<std::uint64_t>(t));
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
    random_uniform_kernel(float* __restrict__ out, std::int64_t n, Words words, double low, double range) {
  for_each_word(words, n, [=](std::int64_t i, std::uint32_t word) {
    out[i] = static_cast<float>(philox::uniform(word, low, range));
  });
}

__global__ void __launch_bounds__(kThreads)
    random_normal_kernel(float* __restrict__ out, std::int64_t n, Words words, double mean, double deviation) {
  for_each_word(words, n, [=](std::int64_t i, std::uint32_t word) {
    out[i] = static_cast<float>(philox::normal(word, mean, deviation));
  });
}

/// x / probability as the correctly rounded double, then as a float, without a division: with the rounded reciprocal
/// the remainder r of q = x * reciprocal corrects q (P. Markstein, "Computation of elementary functions on the IBM RISC
/// System/6000 processor", 1990). An exact q keeps its sign of zero, an infinite one has no remainder.
struct Keeping {
  double probability, reciprocal;

  explicit Keeping(double p) : probability(p), reciprocal(1 / p) {}
  __device__ float operator()(float x) const {
    const double value = static_cast<double>(x), q = value * reciprocal, r = ::fma(-q, probability, value);
    return static_cast<float>(r == 0 || r != r ? q : ::fma(r, reciprocal, q));
  }
};

__global__ void __launch_bounds__(kThreads)
    dropout_kernel(float* out, const float* x, std::int64_t n, Words words, std::uint32_t threshold, Keeping kept) {
  for_each_word(words, n, [=](std::int64_t i, std::uint32_t word) {
    out[i] = philox::keep(word, threshold) ? kept(x[i]) : 0.0f;
  });
}

/// 1 where the plane (n, c) is kept.
__global__ void __launch_bounds__(kThreads)
    dropout_planes_kernel(std::uint8_t* __restrict__ keep, std::int64_t n, Words words, std::uint32_t threshold) {
  for_each_word(words, n, [=](std::int64_t i, std::uint32_t word) { keep[i] = philox::keep(word, threshold) ? 1 : 0; });
}

template <typename Index>
__global__ void __launch_bounds__(kThreads)
    dropout_apply_planes_kernel(float* out, const float* x, const std::uint8_t* __restrict__ keep, std::int64_t n,
                                Walk<Index, 1> planes, Keeping kept) {
  for (std::int64_t i = first_item(); i < n; i += item_stride()) {
    out[i] = keep[planes(static_cast<Index>(i))] != 0 ? kept(x[i]) : 0.0f;
  }
}

}  // namespace

void CudaBackend::random_uniform(View out, RandomKey key, std::uint64_t first, double low, double high) {
  check::random("random_uniform", out);
  require_f32("random_uniform", out);
  launch(random_uniform_kernel, blocks_for_words(out.size()), kThreads, 0, stream_, out.as<float>(), out.size(),
         Words(key, first, out.size()), low, high - low);
}

void CudaBackend::random_normal(View out, RandomKey key, std::uint64_t first, double mean, double deviation) {
  check::random("random_normal", out);
  require_f32("random_normal", out);
  launch(random_normal_kernel, blocks_for_words(out.size()), kThreads, 0, stream_, out.as<float>(), out.size(),
         Words(key, first, out.size()), mean, deviation);
}

void CudaBackend::dropout(View out, ConstView x, RandomKey key, std::uint64_t first, double probability,
                          bool per_channel) {
  check::dropout(out, x, probability, per_channel);
  require_f32("dropout", out);
  const std::uint32_t threshold = philox::keep_threshold(probability);
  const Keeping kept(1 - probability);
  const std::int64_t n = x.size();
  if (n == 0) return;
  if (!per_channel) {
    launch(dropout_kernel, blocks_for_words(n), kThreads, 0, stream_, out.as<float>(), x.as<float>(), n,
           Words(key, first, n), threshold, kept);
    return;
  }
  const std::int64_t channels = x.shape[3], planes = x.shape[0] * channels;
  const Scratch scratch(device_, static_cast<std::size_t>(planes));
  auto* const keep = scratch.as<std::uint8_t>();
  launch(dropout_planes_kernel, blocks_for_words(planes), kThreads, 0, stream_, keep, planes, Words(key, first, planes),
         threshold);
  const Shape plane_shape{x.shape[0], 1, 1, channels};
  const Layout<1> layout(x.shape, {strides_of(plane_shape)});
  with_index(layout.reach(), [&](auto index) {
    using Index = decltype(index);
    launch(dropout_apply_planes_kernel<Index>, blocks_for(n), kThreads, 0, stream_, out.as<float>(), x.as<float>(),
           keep, n, Walk<Index, 1>(layout), kept);
  });
}

}  // namespace counterfoil::cuda
