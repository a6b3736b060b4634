#include <cstddef>

#include "kernels/checks.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/group.h"
#include "kernels/require_f32.h"

namespace counterfoil::cuda {

namespace {

/// vector = vector / max(norm, epsilon), by one block, which reads what it wrote.
__device__ __forceinline__ void normalise(float* vector, std::int64_t size, float epsilon) {
  SHARED_ARRAY(float, warps, [kThreads / 32]);
  float squares = 0.0f;
  for (std::int64_t i = threadIdx.x; i < size; i += kThreads) squares += vector[i] * vector[i];
  const float norm = max(sqrtf(group_join<kThreads, Sum>(squares, warps)), epsilon);
  for (std::int64_t i = threadIdx.x; i < size; i += kThreads) vector[i] /= norm;
}

/// The first version: everything in one block, no launches in between. W is read twice a round by one multiprocessor,
/// about 1/100 of a GPU's bandwidth: 128 KB take some 10 us, as long as the second version's four launches a round. It
/// stays for layers up to that size.
__global__ void __launch_bounds__(kThreads)
    power_iteration_v1_kernel(float* u, float* v, const float* __restrict__ weight, std::int64_t rows,
                              std::int64_t columns, int iterations, float epsilon) {
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  for (int iteration = 0; iteration < iterations; ++iteration) {
    for (std::int64_t column = threadIdx.x; column < columns; column += kThreads) {
      float sum = 0.0f;
      for (std::int64_t row = 0; row < rows; ++row) sum += __ldg(weight + row * columns + column) * u[row];
      v[column] = sum;
    }
    __syncthreads();
    normalise(v, columns, epsilon);
    __syncthreads();
    for (std::int64_t row = warp; row < rows; row += kThreads / 32) {
      float sum = 0.0f;
      for (std::int64_t column = lane; column < columns; column += 32) {
        sum += __ldg(weight + row * columns + column) * v[column];
      }
      sum = group_join<32, Sum>(sum, static_cast<float*>(nullptr));
      if (lane == 0) u[row] = sum;
    }
    __syncthreads();
    normalise(u, rows, epsilon);
    __syncthreads();
  }
}

/// The second, over the whole GPU. v = W^T u: a block has 32 columns by 8 lanes of rows. 4 bytes and 2 flops an element
/// of W: bound by memory, or by the second-level cache where W stays there between rounds.
__global__ void __launch_bounds__(kThreads)
    power_iteration_columns_v2_kernel(float* v, const float* __restrict__ weight, const float* __restrict__ u,
                                      std::int64_t rows, std::int64_t columns) {
  SHARED_ARRAY(float, sums, [8][33]);
  const int lane = static_cast<int>(threadIdx.x) % 32, row_lane = static_cast<int>(threadIdx.x) / 32;
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * 32 + lane;
  float sum = 0.0f;
  for (std::int64_t row = row_lane; column < columns && row < rows; row += 8) {
    sum += __ldg(weight + row * columns + column) * __ldg(u + row);
  }
  sums[row_lane][lane] = sum;
  __syncthreads();
  if (row_lane == 0 && column < columns) {
    for (int i = 1; i < 8; ++i) sum += sums[i][lane];
    v[column] = sum;
  }
}

/// u = W v: a block per row.
__global__ void __launch_bounds__(kThreads)
    power_iteration_rows_v2_kernel(float* u, const float* __restrict__ weight, const float* __restrict__ v,
                                   std::int64_t rows, std::int64_t columns) {
  SHARED_ARRAY(float, warps, [kThreads / 32]);
  for (std::int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    float sum = 0.0f;
    for (std::int64_t column = threadIdx.x; column < columns; column += kThreads) {
      sum += __ldg(weight + row * columns + column) * __ldg(v + column);
    }
    sum = group_join<kThreads, Sum>(sum, warps);
    if (threadIdx.x == 0) u[row] = sum;
  }
}

__global__ void __launch_bounds__(kThreads)
    power_iteration_normalise_v2_kernel(float* vector, std::int64_t size, float epsilon) {
  normalise(vector, size, epsilon);
}

}  // namespace

void CudaBackend::power_iteration(View u, View v, ConstView weight, int iterations, double epsilon) {
  check::power_iteration(u, v, weight, iterations);
  require_f32("power_iteration", weight);
  if (iterations == 0 || (u.size() == 0 && v.size() == 0)) return;
  const std::int64_t rows = weight.shape[0], columns = weight.shape[1];
  const auto least = static_cast<float>(epsilon);
  float *const left = u.as<float>(), *const right = v.as<float>();
  constexpr std::int64_t kSmall = 32 * 1024;
  if (rows * columns <= kSmall) {
    launch(power_iteration_v1_kernel, 1, kThreads, 0, stream_, left, right, weight.as<float>(), rows, columns,
           iterations, least);
    return;
  }
  for (int iteration = 0; iteration < iterations; ++iteration) {
    launch(power_iteration_columns_v2_kernel, block_each((columns + 31) / 32), kThreads, 0, stream_, right,
           weight.as<float>(), left, rows, columns);
    launch(power_iteration_normalise_v2_kernel, 1, kThreads, 0, stream_, right, columns, least);
    launch(power_iteration_rows_v2_kernel, blocks_for(rows, 1), kThreads, 0, stream_, left, weight.as<float>(), right,
           rows, columns);
    launch(power_iteration_normalise_v2_kernel, 1, kThreads, 0, stream_, left, rows, least);
  }
}

}  // namespace counterfoil::cuda
