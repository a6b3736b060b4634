#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/checks.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"
#include "kernels/require_f32.h"

namespace counterfoil {

namespace {

using namespace cpu;

// x / max(|x|, epsilon)
void normalise(float* x, std::int64_t size, double epsilon) {
  double squares = 0;
  for (std::int64_t i = 0; i < size; ++i) squares += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  const auto scale = static_cast<float>(1.0 / std::max(std::sqrt(squares), epsilon));
  for (std::int64_t i = 0; i < size; ++i) x[i] *= scale;
}

float dot(const float* a, const float* b, std::int64_t size) {
  Lanes sums[4] = {};
  std::int64_t i = 0;
  for (; i + 4 * kLanes <= size; i += 4 * kLanes)
    for (int v = 0; v < 4; ++v) sums[v] += load_lanes(a + i + v * kLanes) * load_lanes(b + i + v * kLanes);
  for (; i < size; i += kLanes) {
    const std::int64_t lanes = std::min(kLanes, size - i);
    sums[0] += load_some(a + i, lanes) * load_some(b + i, lanes);
  }
  return sum_of((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

}  // namespace

void CpuBackend::power_iteration(View u, View v, ConstView weight, int iterations, double epsilon) {
  check::power_iteration(u, v, weight, iterations);
  require_f32("power_iteration", u);
  const std::int64_t rows = weight.shape[0], columns = weight.shape[1];
  const auto* w = weight.as<float>();
  auto *left = u.as<float>(), *right = v.as<float>();
  constexpr std::int64_t kColumnsPerChunk = 256;
  for (int iteration = 0; iteration < iterations; ++iteration) {
    parallel_for(columns, std::max(kColumnsPerChunk, 2 * kElementGrain / std::max<std::int64_t>(rows, 1)),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t j = begin; j < end; ++j) right[j] = 0;
                   for (std::int64_t i = 0; i < rows; ++i)
                     for (std::int64_t j = begin; j < end; ++j) right[j] += w[i * columns + j] * left[i];
                 });
    normalise(right, columns, epsilon);
    parallel_for(rows, std::max<std::int64_t>(1, 2 * kElementGrain / std::max<std::int64_t>(columns, 1)),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t i = begin; i < end; ++i) left[i] = dot(w + i * columns, right, columns);
                 });
    normalise(left, rows, epsilon);
  }
}

}  // namespace counterfoil
