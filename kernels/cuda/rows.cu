#include "kernels/checks.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/vector.h"
#include "kernels/require_f32.h"
#include "kernels/scratch.h"

// Rows chosen by an index. An index outside the table cannot be reported without waiting for the device: such a row is
// zero, or adds nothing.

namespace counterfoil::cuda {

namespace {

/// width: elements of T in a row; T is uint4 where rows are whole vectors.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    gather_rows_kernel(T* __restrict__ out, const T* __restrict__ table, const std::int32_t* __restrict__ index,
                       std::int64_t n, std::int64_t width, std::int64_t rows) {
  for (std::int64_t i = first_item(); i < n; i += item_stride()) {
    const std::int64_t m = i / width;
    const std::int64_t row = index[m];
    out[i] = row >= 0 && row < rows ? table[row * width + (i - m * width)] : T{};
  }
}

__global__ void __launch_bounds__(kThreads)
    one_hot_kernel(float* __restrict__ out, const std::int32_t* __restrict__ index, std::int64_t n,
                   std::int64_t classes) {
  for (std::int64_t i = first_item(); i < n; i += item_stride()) {
    const std::int64_t m = i / classes;
    out[i] = index[m] == i - m * classes ? 1.0f : 0.0f;
  }
}

/// The first version: each element of out owned by a thread that looks at every index. One launch, but M comparisons an
/// element: 2^26 of them keep an A100 busy for some 25 us, as long as the second version's six launches take whatever
/// they do. It runs where there are fewer.
__global__ void __launch_bounds__(kThreads)
    scatter_add_rows_v1_kernel(float* __restrict__ out, const float* __restrict__ x,
                               const std::int32_t* __restrict__ index, std::int64_t n, std::int64_t width,
                               std::int64_t count) {
  for (std::int64_t i = first_item(); i < n; i += item_stride()) {
    const std::int64_t row = i / width, column = i - row * width;
    float sum = 0;
    for (std::int64_t m = 0; m < count; ++m) {
      if (index[m] == row) sum += x[m * width + column];
    }
    out[i] = sum;
  }
}

// The second version, a counting sort: how often each row is named; where its list begins; its list in any order; the
// list in ascending order; the sums. x and out are read and written once, beside some 60 bytes an index. The atomics'
// order shows only in the unordered list.

__global__ void __launch_bounds__(kThreads) scatter_count_v2_kernel(int* counts, const std::int32_t* __restrict__ index,
                                                                    std::int64_t count, std::int64_t rows) {
  for (std::int64_t m = first_item(); m < count; m += item_stride()) {
    if (index[m] >= 0 && index[m] < rows) atomicAdd(&counts[index[m]], 1);
  }
}

/// One block: starts[i] = counts[0] + ... + counts[i - 1], for i up to `rows`; cursors are the same.
__global__ void __launch_bounds__(1024) scatter_scan_v2_kernel(int* __restrict__ starts, int* __restrict__ cursors,
                                                               const int* __restrict__ counts, std::int64_t rows) {
  SHARED_ARRAY(int, sums, [1024]);
  const auto me = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  // Each thread adds up a stretch of its own; the stretches' sums are scanned in place.
  const std::int64_t stretch = (rows + threads - 1) / threads;
  const std::int64_t begin = min(rows, me * stretch), end = min(rows, begin + stretch);
  int sum = 0;
  for (std::int64_t i = begin; i < end; ++i) sum += counts[i];
  sums[me] = sum;
  __syncthreads();
  for (int distance = 1; distance < threads; distance *= 2) {
    const int before = me >= distance ? sums[me - distance] : 0;
    __syncthreads();
    sums[me] += before;
    __syncthreads();
  }
  int at = sums[me] - sum;
  for (std::int64_t i = begin; i < end; ++i) {
    starts[i] = at;
    cursors[i] = at;
    at += counts[i];
  }
  if (me == threads - 1) starts[rows] = at;
}

__global__ void __launch_bounds__(kThreads)
    scatter_list_v2_kernel(int* __restrict__ list, int* cursors, const std::int32_t* __restrict__ index,
                           std::int64_t count, std::int64_t rows) {
  for (std::int64_t m = first_item(); m < count; m += item_stride()) {
    if (index[m] >= 0 && index[m] < rows) list[atomicAdd(&cursors[index[m]], 1)] = static_cast<int>(m);
  }
}

/// An element's place in its row's list is the number of smaller ones there.
__global__ void __launch_bounds__(kThreads)
    scatter_order_v2_kernel(int* __restrict__ ordered, const int* __restrict__ list, const int* __restrict__ starts,
                            const std::int32_t* __restrict__ index, std::int64_t rows) {
  const std::int64_t count = starts[rows];
  for (std::int64_t i = first_item(); i < count; i += item_stride()) {
    const int m = list[i], row = index[m], begin = starts[row], end = starts[row + 1];
    int place = begin;
    for (int j = begin; j < end; ++j) place += list[j] < m ? 1 : 0;
    ordered[place] = m;
  }
}

__global__ void __launch_bounds__(kThreads)
    scatter_sum_v2_kernel(float* __restrict__ out, const float* __restrict__ x, const int* __restrict__ ordered,
                          const int* __restrict__ starts, std::int64_t n, std::int64_t width) {
  for (std::int64_t i = first_item(); i < n; i += item_stride()) {
    const std::int64_t row = i / width, column = i - row * width;
    float sum = 0;
    for (int j = starts[row]; j < starts[row + 1]; ++j) sum += x[ordered[j] * width + column];
    out[i] = sum;
  }
}

}  // namespace

void CudaBackend::gather_rows(View out, ConstView table, ConstView index) {
  check::gather_rows(out, table, index);
  require_f32("gather_rows", out);
  const std::int64_t rows = table.shape[0], width = table.shape.with(0, 1).size(), n = out.size();
  const auto* const chosen = index.as<std::int32_t>();
  if (width % 4 == 0 && aligned16({out.data, table.data})) {
    launch(gather_rows_kernel<float4>, blocks_for(n / 4), kThreads, 0, stream_, out.as<float4>(), table.as<float4>(),
           chosen, n / 4, width / 4, rows);
  } else {
    launch(gather_rows_kernel<float>, blocks_for(n), kThreads, 0, stream_, out.as<float>(), table.as<float>(), chosen,
           n, width, rows);
  }
}

void CudaBackend::scatter_add_rows(View out, ConstView x, ConstView index) {
  check::scatter_add_rows(out, x, index);
  require_f32("scatter_add_rows", out);
  const std::int64_t rows = out.shape[0], width = out.shape.with(0, 1).size(), count = index.size(), n = out.size();
  const auto* const row_of = index.as<std::int32_t>();
  if (n == 0) return;
  constexpr std::int64_t kFew = 256, kFewComparisons = 1 << 26;
  if (count <= kFew && count * n <= kFewComparisons) {
    launch(scatter_add_rows_v1_kernel, blocks_for(n), kThreads, 0, stream_, out.as<float>(), x.as<float>(), row_of, n,
           width, count);
    return;
  }
  if (count >= std::int64_t{1} << 31) fail("scatter_add_rows: expected fewer than 2^31 rows, found {}", count);
  const Scratch scratch(device_, static_cast<std::size_t>(3 * rows + 1 + 2 * count) * sizeof(int));
  int* const counts = scratch.as<int>();
  int *const starts = counts + rows, *const cursors = starts + rows + 1, *const list = cursors + rows,
             *const ordered = list + count;
  check(cudaMemsetAsync(counts, 0, static_cast<std::size_t>(rows) * sizeof(int), stream_), "cudaMemsetAsync");
  launch(scatter_count_v2_kernel, blocks_for(count), kThreads, 0, stream_, counts, row_of, count, rows);
  launch(scatter_scan_v2_kernel, 1, rows < 1024 ? kThreads : 1024, 0, stream_, starts, cursors, counts, rows);
  launch(scatter_list_v2_kernel, blocks_for(count), kThreads, 0, stream_, list, cursors, row_of, count, rows);
  launch(scatter_order_v2_kernel, blocks_for(count), kThreads, 0, stream_, ordered, list, starts, row_of, rows);
  launch(scatter_sum_v2_kernel, blocks_for(n), kThreads, 0, stream_, out.as<float>(), x.as<float>(), ordered, starts, n,
         width);
}

void CudaBackend::one_hot(View out, ConstView index) {
  check::one_hot(out, index);
  require_f32("one_hot", out);
  launch(one_hot_kernel, blocks_for(out.size()), kThreads, 0, stream_, out.as<float>(), index.as<std::int32_t>(),
         out.size(), out.shape[1]);
}

}  // namespace counterfoil::cuda
