#include "kernels/checks.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/group.h"
#include "kernels/require_f32.h"

// Rows of scores, each by a warp where it is short and by a block where it is long. In place is safe: a thread writes
// the elements that it alone has read.

namespace counterfoil::cuda {

using pointwise::StandardMath;

namespace {

/// log(sum(exp(row))), as the largest score and the sum of the exponentials below it: no overflow.
struct Normaliser {
  float largest, sum;
};

template <int lanes>
__device__ __forceinline__ Normaliser normaliser_of(const float* row, std::int64_t columns, float* shared) {
  Normaliser result{-INFINITY, 0};
  for (std::int64_t j = threadIdx.x % lanes; j < columns; j += lanes) {
    result.largest = pointwise::maximum(result.largest, row[j]);
  }
  result.largest = group_join<lanes, Maximum>(result.largest, shared);
  for (std::int64_t j = threadIdx.x % lanes; j < columns; j += lanes) {
    result.sum += StandardMath::exp(row[j] - result.largest);
  }
  result.sum = group_join<lanes, Sum>(result.sum, shared);
  return result;
}

/// Calls body(row, columns) for the rows of a group's own; beyond the last row with no columns, since all threads of a
/// block take part in its joins.
template <int lanes, typename Body>
__device__ __forceinline__ void for_each_row(std::int64_t rows, std::int64_t columns, Body body) {
  constexpr int kGroups = kThreads / lanes;
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kGroups;
  for (std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kGroups; first < rows; first += step) {
    const std::int64_t row = first + threadIdx.x / lanes;
    body(row < rows ? row : first, row < rows ? columns : 0);
  }
}

template <int lanes, bool log>
__global__ void __launch_bounds__(kThreads)
    softmax_kernel(float* out, const float* x, std::int64_t rows, std::int64_t columns) {
  SHARED_ARRAY(float, shared, [kThreads / 32]);
  for_each_row<lanes>(rows, columns, [&](std::int64_t row, std::int64_t count) {
    const float* const from = x + row * columns;
    float* const to = out + row * columns;
    const Normaliser normaliser = normaliser_of<lanes>(from, count, shared);
    const float log_sum = log ? StandardMath::log(normaliser.sum) : 0.0f;
    for (std::int64_t j = threadIdx.x % lanes; j < count; j += lanes) {
      const float shifted = from[j] - normaliser.largest;
      to[j] = log ? shifted - log_sum : StandardMath::exp(shifted) / normaliser.sum;
    }
  });
}

/// softmax: d_x = y (d_y - sum(d_y y)); its logarithm: d_x = d_y - exp(y) sum(d_y)
template <int lanes, bool log>
__global__ void __launch_bounds__(kThreads)
    softmax_backward_kernel(float* d_x, const float* y, const float* d_y, std::int64_t rows, std::int64_t columns) {
  SHARED_ARRAY(float, shared, [kThreads / 32]);
  for_each_row<lanes>(rows, columns, [&](std::int64_t row, std::int64_t count) {
    const float *const at = y + row * columns, *const from = d_y + row * columns;
    float* const to = d_x + row * columns;
    float sum = 0;
    for (std::int64_t j = threadIdx.x % lanes; j < count; j += lanes) sum += log ? from[j] : from[j] * at[j];
    sum = group_join<lanes, Sum>(sum, shared);
    for (std::int64_t j = threadIdx.x % lanes; j < count; j += lanes) {
      to[j] = log ? from[j] - StandardMath::exp(at[j]) * sum : at[j] * (from[j] - sum);
    }
  });
}

template <int lanes>
__global__ void __launch_bounds__(kThreads)
    cross_entropy_kernel(float* __restrict__ out, const float* __restrict__ logits,
                         const std::int32_t* __restrict__ labels, std::int64_t rows, std::int64_t classes) {
  SHARED_ARRAY(float, shared, [kThreads / 32]);
  for_each_row<lanes>(rows, classes, [&](std::int64_t row, std::int64_t count) {
    const float* const scores = logits + row * classes;
    const Normaliser normaliser = normaliser_of<lanes>(scores, count, shared);
    if (threadIdx.x % lanes != 0 || count == 0) return;
    const std::int64_t label = labels[row];
    out[row] =
        label >= 0 && label < classes ? StandardMath::log(normaliser.sum) + (normaliser.largest - scores[label]) : NAN;
  });
}

template <int lanes>
__global__ void __launch_bounds__(kThreads)
    cross_entropy_backward_kernel(float* __restrict__ d_logits, const float* __restrict__ logits,
                                  const std::int32_t* __restrict__ labels, const float* __restrict__ d_out,
                                  std::int64_t rows, std::int64_t classes) {
  SHARED_ARRAY(float, shared, [kThreads / 32]);
  for_each_row<lanes>(rows, classes, [&](std::int64_t row, std::int64_t count) {
    const float* const scores = logits + row * classes;
    const Normaliser normaliser = normaliser_of<lanes>(scores, count, shared);
    const std::int64_t label = labels[row];
    for (std::int64_t j = threadIdx.x % lanes; j < count; j += lanes) {
      const float probability = StandardMath::exp(scores[j] - normaliser.largest) / normaliser.sum;
      d_logits[row * classes + j] = d_out[row] * (probability - (j == label ? 1.0f : 0.0f));
    }
  });
}

/// f(Constant<lanes>(), blocks) for the group that suits rows of so many columns.
template <typename F>
void with_group(std::int64_t rows, std::int64_t columns, F&& f) {
  constexpr std::int64_t kLong = 1024;
  if (columns <= kLong) {
    f(pointwise::Constant<32>(), blocks_for(rows * 32));
  } else {
    f(pointwise::Constant<kThreads>(), blocks_for(rows, 1));
  }
}

}  // namespace

void CudaBackend::softmax(View out, ConstView x, bool log) {
  check::softmax(out, x);
  require_f32("softmax", out);
  const std::int64_t rows = x.shape[0], columns = x.shape[1];
  with_group(rows, columns, [&](auto lanes, unsigned blocks) {
    constexpr int kLanes = decltype(lanes)::value;
    launch(log ? softmax_kernel<kLanes, true> : softmax_kernel<kLanes, false>, blocks, kThreads, 0, stream_,
           out.as<float>(), x.as<float>(), rows, columns);
  });
}

void CudaBackend::softmax_backward(View d_x, ConstView y, ConstView d_y, bool log) {
  check::softmax_backward(d_x, y, d_y);
  require_f32("softmax_backward", d_x);
  const std::int64_t rows = y.shape[0], columns = y.shape[1];
  with_group(rows, columns, [&](auto lanes, unsigned blocks) {
    constexpr int kLanes = decltype(lanes)::value;
    launch(log ? softmax_backward_kernel<kLanes, true> : softmax_backward_kernel<kLanes, false>, blocks, kThreads, 0,
           stream_, d_x.as<float>(), y.as<float>(), d_y.as<float>(), rows, columns);
  });
}

void CudaBackend::cross_entropy(View out, ConstView logits, ConstView labels) {
  check::cross_entropy(out, logits, labels);
  require_f32("cross_entropy", out);
  const std::int64_t rows = logits.shape[0], classes = logits.shape[1];
  with_group(rows, classes, [&](auto lanes, unsigned blocks) {
    launch(cross_entropy_kernel<decltype(lanes)::value>, blocks, kThreads, 0, stream_, out.as<float>(),
           logits.as<float>(), labels.as<std::int32_t>(), rows, classes);
  });
}

void CudaBackend::cross_entropy_backward(View d_logits, ConstView logits, ConstView labels, ConstView d_out) {
  check::cross_entropy_backward(d_logits, logits, labels, d_out);
  require_f32("cross_entropy_backward", d_logits);
  const std::int64_t rows = logits.shape[0], classes = logits.shape[1];
  with_group(rows, classes, [&](auto lanes, unsigned blocks) {
    launch(cross_entropy_backward_kernel<decltype(lanes)::value>, blocks, kThreads, 0, stream_, d_logits.as<float>(),
           logits.as<float>(), labels.as<std::int32_t>(), d_out.as<float>(), rows, classes);
  });
}

}  // namespace counterfoil::cuda
