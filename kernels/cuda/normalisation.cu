#include <algorithm>
#include <cstddef>

#include "kernels/checks.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/group.h"
#include "kernels/cuda/image_index.h"
#include "kernels/pointwise.h"
#include "kernels/require_f32.h"
#include "kernels/scratch.h"

// Batch, instance and conditional normalisation. Sums over pixels are made in chunks: a block sums a chunk of the rows
// (pixels) of a segment (the batch, or one image) for up to 32 channels, a warp per channel joins the chunks. Both
// orders are fixed by the shapes.

namespace counterfoil::cuda {

namespace {

/// How the sums of [segments, rows, channels] over rows are cut.
struct Chunks {
  std::int64_t rows, chunk_rows;
  int segments, channels, count;
  int lanes;  ///< threads side by side over channels, a power of two; the others lie over rows
  int tiles;  ///< of so many channels

  static Chunks of(const Shape& x, std::int64_t segments) {
    Chunks chunks{};
    chunks.rows = x.size() / x[3] / segments;
    chunks.segments = static_cast<int>(block_each(segments));
    chunks.channels = static_cast<int>(x[3]);
    for (chunks.lanes = 1; chunks.lanes < 32 && chunks.lanes < x[3];) chunks.lanes *= 2;
    chunks.tiles = (chunks.channels + chunks.lanes - 1) / chunks.lanes;
    // 16 rows a thread, or as many as make 256 chunks.
    const std::int64_t least = 16 * kThreads / chunks.lanes;
    chunks.chunk_rows = std::max(least, (chunks.rows + 255) / 256);
    chunks.count = static_cast<int>((chunks.rows + chunks.chunk_rows - 1) / chunks.chunk_rows);
    return chunks;
  }
  unsigned grid() const { return block_each(static_cast<std::int64_t>(tiles) * count * segments); }
  std::int64_t partials() const { return static_cast<std::int64_t>(segments) * count * 2 * channels; }
  unsigned warps_grid() const { return blocks_for(static_cast<std::int64_t>(segments) * channels * 32); }
};

/// Where a thread of a chunk's block stands.
struct ChunkPlace {
  int channel, row_lane, row_lanes, chunk, segment;
  std::int64_t begin, end;  ///< rows of the chunk within the segment

  __device__ explicit ChunkPlace(const Chunks& chunks) {
    const int thread = static_cast<int>(threadIdx.x);
    row_lanes = kThreads / chunks.lanes;
    row_lane = thread / chunks.lanes;
    chunk = static_cast<int>(blockIdx.x) % chunks.count;
    const int tile = static_cast<int>(blockIdx.x) / chunks.count;
    segment = tile / chunks.tiles;
    channel = tile % chunks.tiles * chunks.lanes + thread % chunks.lanes;
    begin = chunk * chunks.chunk_rows;
    end = min(begin + chunks.chunk_rows, chunks.rows);
  }
};

/// The sum over the row lanes of a thread's channel, to each of them. All threads of the block call it.
__device__ inline float channel_sum(float value, int lanes) {
  SHARED_ARRAY(float, sums, [kThreads]);
  const int thread = static_cast<int>(threadIdx.x);
  __syncthreads();  // for a second call: the first one's sum has been read
  sums[thread] = value;
  for (int half = kThreads / 2; half >= lanes; half /= 2) {
    __syncthreads();
    if (thread < half) sums[thread] += sums[thread + half];
  }
  __syncthreads();
  return sums[thread % lanes];
}

/// partial [segments, chunks, 2, C] = mean of a chunk, and sum of squares about that mean (the second pass over the
/// chunk comes from the first-level cache). 4 bytes and 4 flops an element: bound by memory.
__global__ void __launch_bounds__(kThreads)
    norm_statistics_chunk_kernel(float* partial, const float* __restrict__ x, Chunks chunks) {
  const ChunkPlace at(chunks);
  const bool inside = at.channel < chunks.channels;
  const float* const first = x + at.segment * chunks.rows * chunks.channels + at.channel;
  float sum = 0.0f;
  for (std::int64_t row = at.begin + at.row_lane; inside && row < at.end; row += at.row_lanes) {
    sum += __ldg(first + row * chunks.channels);
  }
  const float mean = channel_sum(sum, chunks.lanes) / static_cast<float>(at.end - at.begin);
  float squares = 0.0f;
  for (std::int64_t row = at.begin + at.row_lane; inside && row < at.end; row += at.row_lanes) {
    const float difference = __ldg(first + row * chunks.channels) - mean;
    squares += difference * difference;
  }
  squares = channel_sum(squares, chunks.lanes);
  if (inside && at.row_lane == 0) {
    float* const target =
        partial + (static_cast<std::int64_t>(at.segment) * chunks.count + at.chunk) * 2 * chunks.channels + at.channel;
    target[0] = mean;
    target[chunks.channels] = squares;
  }
}

/// Count, mean and sum of squares about the mean of some numbers; joined as in T. Chan et al., 1979.
struct Moments {
  float count, mean, squares;

  __device__ void join(const Moments& other) {
    const float total = count + other.count;
    if (other.count == 0.0f) return;
    const float share = other.count / total, difference = other.mean - mean;
    mean += difference * share;
    squares += other.squares + difference * difference * share * count;
    count = total;
  }
};

/// A warp per statistic joins its chunks.
__global__ void __launch_bounds__(kThreads, 4)
    norm_statistics_join_kernel(float* mean, float* variance, const float* __restrict__ partial, Chunks chunks) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const std::int64_t statistics = static_cast<std::int64_t>(chunks.segments) * chunks.channels;
  for (std::int64_t i = first_item() / 32; i < statistics; i += item_stride() / 32) {
    const float* const first = partial + i / chunks.channels * chunks.count * 2 * chunks.channels + i % chunks.channels;
    Moments moments{0.0f, 0.0f, 0.0f};
    for (int chunk = lane; chunk < chunks.count; chunk += 32) {
      const std::int64_t rows = min(chunks.chunk_rows, chunks.rows - chunk * chunks.chunk_rows);
      const float* const source = first + static_cast<std::int64_t>(chunk) * 2 * chunks.channels;
      moments.join({static_cast<float>(rows), source[0], source[chunks.channels]});
    }
#pragma unroll
    for (int lanes = 16; lanes > 0; lanes /= 2) {
      const Moments other{__shfl_down_sync(0xffffffffu, moments.count, lanes),
                          __shfl_down_sync(0xffffffffu, moments.mean, lanes),
                          __shfl_down_sync(0xffffffffu, moments.squares, lanes)};
      moments.join(other);
    }
    if (lane == 0) {
      mean[i] = moments.mean;
      variance[i] = moments.squares / moments.count;
    }
  }
}

/// The statistics and parameters of an element.
struct Operands {
  const float *mean, *variance, *gamma;
  float epsilon;
  bool own_statistics, own_parameters;  ///< of each image, or one for all

  __device__ __forceinline__ std::int64_t statistic(std::int64_t n, int c, int channels) const {
    return own_statistics ? n * channels + c : c;
  }
  __device__ __forceinline__ std::int64_t parameter(std::int64_t n, int c, int channels) const {
    return own_parameters ? n * channels + c : c;
  }
};

/// One thread per element: 8 bytes and about 5 flops, the statistics from cache.
template <Activation kActivation, typename Index>
__global__ void __launch_bounds__(kThreads)
    norm_apply_kernel(float* y, const float* x, Index count, Index per_image, int channels, Operands at,
                      const float* __restrict__ beta, float slope) {
  for (Index i = static_cast<Index>(first_item()); i < count; i += static_cast<Index>(item_stride())) {
    const int c = static_cast<int>(i % channels);
    const Index n = i / per_image;
    const std::int64_t s = at.statistic(n, c, channels), g = at.parameter(n, c, channels);
    const float normalised = (x[i] - __ldg(at.mean + s)) * rsqrtf(__ldg(at.variance + s) + at.epsilon);
    y[i] = pointwise::activate<kActivation, pointwise::StandardMath>(__ldg(at.gamma + g) * normalised + __ldg(beta + g),
                                                                     slope);
  }
}

/// partial [segments, chunks, 2, C] = sums of d_z and of d_z * xhat, where y = activation(z), z = gamma * xhat + beta.
/// 12 bytes an element.
template <Activation kActivation>
__global__ void __launch_bounds__(kThreads)
    norm_backward_chunk_kernel(float* partial, const float* __restrict__ d_y, const float* __restrict__ x,
                               const float* __restrict__ y, Operands operands, Chunks chunks, float slope) {
  const ChunkPlace at(chunks);
  const bool inside = at.channel < chunks.channels;
  float sum = 0.0f, sum_normalised = 0.0f;
  if (inside) {
    const std::int64_t first = at.segment * chunks.rows * chunks.channels + at.channel;
    const std::int64_t s = operands.statistic(at.segment, at.channel, chunks.channels);
    const float mean = __ldg(operands.mean + s), inverse = rsqrtf(__ldg(operands.variance + s) + operands.epsilon);
    for (std::int64_t row = at.begin + at.row_lane; row < at.end; row += at.row_lanes) {
      const std::int64_t i = first + row * chunks.channels;
      const float d_z = __ldg(d_y + i) * pointwise::activation_derivative<kActivation>(__ldg(y + i), slope);
      sum += d_z;
      sum_normalised += d_z * ((__ldg(x + i) - mean) * inverse);
    }
  }
  sum = channel_sum(sum, chunks.lanes);
  sum_normalised = channel_sum(sum_normalised, chunks.lanes);
  if (inside && at.row_lane == 0) {
    float* const target =
        partial + (static_cast<std::int64_t>(at.segment) * chunks.count + at.chunk) * 2 * chunks.channels + at.channel;
    target[0] = sum;
    target[chunks.channels] = sum_normalised;
  }
}

/// totals [segments, 2, C]: a warp per number adds up its chunks.
__global__ void __launch_bounds__(kThreads)
    norm_backward_join_kernel(float* totals, const float* __restrict__ partial, Chunks chunks) {
  const int lane = static_cast<int>(threadIdx.x) % 32, pair = 2 * chunks.channels;
  for (std::int64_t i = first_item() / 32; i < static_cast<std::int64_t>(chunks.segments) * pair;
       i += item_stride() / 32) {
    const float* const first = partial + i / pair * chunks.count * pair + i % pair;
    float sum = 0.0f;
    for (int chunk = lane; chunk < chunks.count; chunk += 32) sum += first[static_cast<std::int64_t>(chunk) * pair];
    sum = group_join<32, Sum>(sum, static_cast<float*>(nullptr));
    if (lane == 0) totals[i] = sum;
  }
}

/// d_beta and d_gamma [groups, C] = the totals of the group's segments, or, weighted by gamma, the sums [groups, C] of
/// d_xhat and d_xhat * xhat that the statistics' derivative is made of. In ascending order of segments.
__global__ void __launch_bounds__(kThreads)
    norm_backward_fold_kernel(float* sums, float* sums_normalised, const float* __restrict__ totals,
                              const float* __restrict__ gamma, bool own_parameters, int segments, int groups,
                              int channels) {
  for (std::int64_t i = first_item(); i < static_cast<std::int64_t>(groups) * channels; i += item_stride()) {
    const int c = static_cast<int>(i % channels);
    const std::int64_t begin = groups == 1 ? 0 : i / channels, end = groups == 1 ? segments : begin + 1;
    float sum = 0.0f, sum_normalised = 0.0f;
    for (std::int64_t segment = begin; segment < end; ++segment) {
      const float weight = gamma == nullptr ? 1.0f : __ldg(gamma + (own_parameters ? segment * channels : 0) + c);
      sum += weight * totals[2 * segment * channels + c];
      sum_normalised += weight * totals[(2 * segment + 1) * channels + c];
    }
    sums[i] = sum;
    sums_normalised[i] = sum_normalised;
  }
}

/// d_x = (d_xhat - share * (sum d_xhat + xhat * sum d_xhat xhat)) / deviation (S. Ioffe, C. Szegedy, ICML 2015, section
/// 3), share = 1 / rows, or 0 where the statistics are constants. 16 bytes an element.
template <Activation kActivation, typename Index>
__global__ void __launch_bounds__(kThreads)
    norm_backward_apply_kernel(float* d_x, const float* __restrict__ d_y, const float* __restrict__ x,
                               const float* __restrict__ y, const float* __restrict__ sums,
                               const float* __restrict__ sums_normalised, Index count, Index per_image, int channels,
                               Operands at, float share, float slope) {
  for (Index i = static_cast<Index>(first_item()); i < count; i += static_cast<Index>(item_stride())) {
    const int c = static_cast<int>(i % channels);
    const Index n = i / per_image;
    const std::int64_t s = at.statistic(n, c, channels), g = at.parameter(n, c, channels);
    const float inverse = rsqrtf(__ldg(at.variance + s) + at.epsilon);
    const float d_z = __ldg(d_y + i) * pointwise::activation_derivative<kActivation>(__ldg(y + i), slope);
    const float d_xhat = __ldg(at.gamma + g) * d_z, xhat = (__ldg(x + i) - __ldg(at.mean + s)) * inverse;
    d_x[i] = (d_xhat - share * (__ldg(sums + s) + xhat * __ldg(sums_normalised + s))) * inverse;
  }
}

}  // namespace

void CudaBackend::norm_statistics(View mean, View variance, ConstView x) {
  check::norm_statistics(mean, variance, x);
  require_f32("norm_statistics", x);
  if (mean.size() == 0) return;
  Image::of(x.shape);
  const Chunks chunks = Chunks::of(x.shape, mean.shape[0]);
  const Scratch partial(device_, static_cast<std::size_t>(chunks.partials()) * sizeof(float));
  launch(norm_statistics_chunk_kernel, chunks.grid(), kThreads, 0, stream_, partial.as<float>(), x.as<float>(), chunks);
  launch(norm_statistics_join_kernel, chunks.warps_grid(), kThreads, 0, stream_, mean.as<float>(), variance.as<float>(),
         partial.as<float>(), chunks);
}

void CudaBackend::norm_apply(View y, ConstView x, ConstView mean, ConstView variance, ConstView gamma, ConstView beta,
                             double epsilon, Activation activation, double slope) {
  check::norm_apply(y, x, mean, variance, gamma, beta);
  require_f32("norm_apply", y);
  if (y.size() == 0) return;
  const int channels = Image::of(x.shape).c;
  const Operands operands{mean.as<float>(),   variance.as<float>(), gamma.as<float>(), static_cast<float>(epsilon),
                          mean.shape[0] != 1, gamma.shape[0] != 1};
  with_index(x.size(), [&](auto zero) {
    using Index = decltype(zero);
    pointwise::with_activation(activation, [&](auto chosen) {
      launch(norm_apply_kernel<chosen(), Index>, blocks_for(x.size()), kThreads, 0, stream_, y.as<float>(),
             x.as<float>(), static_cast<Index>(x.size()), static_cast<Index>(x.size() / x.shape[0]), channels, operands,
             beta.as<float>(), static_cast<float>(slope));
    });
  });
}

void CudaBackend::norm_backward(View d_x, View d_gamma, View d_beta, ConstView d_y, ConstView x, ConstView y,
                                ConstView mean, ConstView variance, ConstView gamma, double epsilon,
                                Activation activation, double slope, bool differentiate_statistics) {
  check::norm_backward(d_x, d_gamma, d_beta, d_y, x, y, mean, variance, gamma);
  require_f32("norm_backward", d_x);
  if (x.size() == 0) {
    for (const View& sums : {d_gamma, d_beta}) {
      if (sums.size() != 0)
        check(cudaMemsetAsync(sums.data, 0, static_cast<std::size_t>(sums.size()) * sizeof(float), stream_),
              "cudaMemsetAsync");
    }
    return;
  }
  const int channels = Image::of(x.shape).c;
  const std::int64_t statistics = mean.shape[0], parameters = gamma.shape[0];
  const Chunks chunks = Chunks::of(x.shape, std::max(statistics, parameters));
  const Operands operands{mean.as<float>(), variance.as<float>(), gamma.as<float>(), static_cast<float>(epsilon),
                          statistics != 1,  parameters != 1};
  const float a = static_cast<float>(slope);
  const Scratch partial(device_, static_cast<std::size_t>(chunks.partials()) * sizeof(float));
  const Scratch totals(
      device_, static_cast<std::size_t>(chunks.segments) * 2 * static_cast<std::size_t>(channels) * sizeof(float));
  const Scratch sums(device_, static_cast<std::size_t>(2 * mean.size()) * sizeof(float));
  float* const sum = sums.as<float>();
  float* const sum_normalised = sum + mean.size();
  pointwise::with_activation(activation, [&](auto chosen) {
    launch(norm_backward_chunk_kernel<chosen()>, chunks.grid(), kThreads, 0, stream_, partial.as<float>(),
           d_y.as<float>(), x.as<float>(), y.as<float>(), operands, chunks, a);
  });
  launch(norm_backward_join_kernel, blocks_for(std::int64_t{chunks.segments} * 2 * channels * 32), kThreads, 0, stream_,
         totals.as<float>(), partial.as<float>(), chunks);
  const auto fold = [&](float* to, float* to_normalised, const float* weights, std::int64_t groups) {
    launch(norm_backward_fold_kernel, blocks_for(groups * channels), kThreads, 0, stream_, to, to_normalised,
           totals.as<float>(), weights, parameters != 1, chunks.segments, static_cast<int>(groups), channels);
  };
  fold(d_beta.as<float>(), d_gamma.as<float>(), nullptr, parameters);
  fold(sum, sum_normalised, gamma.as<float>(), statistics);
  const double rows = static_cast<double>(x.size() / x.shape[3] / statistics);
  const auto share = static_cast<float>(differentiate_statistics ? 1 / rows : 0);
  with_index(x.size(), [&](auto zero) {
    using Index = decltype(zero);
    pointwise::with_activation(activation, [&](auto chosen) {
      launch(norm_backward_apply_kernel<chosen(), Index>, blocks_for(x.size()), kThreads, 0, stream_, d_x.as<float>(),
             d_y.as<float>(), x.as<float>(), y.as<float>(), sum, sum_normalised, static_cast<Index>(x.size()),
             static_cast<Index>(x.size() / x.shape[0]), channels, operands, share, a);
    });
  });
}

}  // namespace counterfoil::cuda
