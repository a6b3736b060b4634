#include <algorithm>
#include <cmath>

#include "kernels/checks.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/reduction.h"
#include "kernels/cpu/vector_math.h"
#include "kernels/pointwise.h"
#include "kernels/require_f32.h"
#include "kernels/scratch.h"

namespace counterfoil {

namespace {

using cpu::parallel_for;
using cpu::vector_math::Power;

// |d|^beta and its derivative, chosen once per call: f(term, slope).
template <typename F>
void with_variation(double beta, F&& f) {
  if (beta == 1) return f([](float d) { return std::fabs(d); }, [](float d) { return pointwise::sign(d); });
  if (beta == 2) return f([](float d) { return d * d; }, [](float d) { return 2.0f * d; });
  f([power = Power(beta)](float d) { return power(std::fabs(d)); },
    [power = Power(beta - 1), factor = static_cast<float>(beta)](float d) {
      return factor * power(std::fabs(d)) * pointwise::sign(d);
    });
}

// The terms between a contiguous run and the same run `step` elements further.
template <typename Term>
struct Differences {
  using Value = double;
  const float* x;
  std::int64_t step;
  Term term;
  static double identity() { return 0; }
  float load(std::int64_t i) const { return term(x[i + step] - x[i]); }
  static double join(double a, double b) { return a + b; }
};

}  // namespace

void CpuBackend::total_variation(View out, ConstView x, double beta) {
  check::total_variation(out, x, beta);
  require_f32("total_variation", out);
  const std::int64_t images = x.shape[0], height = x.shape[1], columns = x.shape[2] * x.shape[3], channels = x.shape[3];
  const Scratch scratch(device_, static_cast<std::size_t>(images * height) * sizeof(double));
  auto* const row_sum = scratch.as<double>();
  const std::int64_t grain = std::max<std::int64_t>(1, cpu::kElementGrain / std::max<std::int64_t>(1, columns));
  with_variation(beta, [&](auto term, auto) {
    parallel_for(images * height, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const float* const here = x.as<float>() + row * columns;
        const Differences<decltype(term)> across{here, channels, term}, down{here, columns, term};
        row_sum[row] = cpu::reduce_run(across, 0, std::max<std::int64_t>(0, columns - channels));
        if (row % height + 1 < height) row_sum[row] += cpu::reduce_run(down, 0, columns);
      }
    });
  });
  for (std::int64_t n = 0; n < images; ++n) {
    double sum = 0;
    for (std::int64_t h = 0; h < height; ++h) sum += row_sum[n * height + h];
    out.as<float>()[n] = static_cast<float>(sum);
  }
}

void CpuBackend::total_variation_backward(View d_x, ConstView x, ConstView d_out, double beta) {
  check::total_variation_backward(d_x, x, d_out, beta);
  require_f32("total_variation_backward", d_x);
  const std::int64_t height = x.shape[1], columns = x.shape[2] * x.shape[3], channels = x.shape[3];
  const std::int64_t grain = std::max<std::int64_t>(1, cpu::kElementGrain / std::max<std::int64_t>(1, columns));
  if (x.size() == 0) return;
  with_variation(beta, [&](auto, auto slope) {
    parallel_for(x.shape[0] * height, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const float* const here = x.as<float>() + row * columns;
        float* const d = d_x.as<float>() + row * columns;
        const float g = d_out.as<float>()[row / height];
        std::fill_n(d, columns, 0.0f);
        // Each difference pushes its later pixel up and its earlier pixel down.
        if (row % height > 0) {
#pragma omp simd
          for (std::int64_t i = 0; i < columns; ++i) d[i] += slope(here[i] - here[i - columns]);
        }
        if (row % height + 1 < height) {
#pragma omp simd
          for (std::int64_t i = 0; i < columns; ++i) d[i] -= slope(here[i + columns] - here[i]);
        }
#pragma omp simd
        for (std::int64_t i = channels; i < columns; ++i) d[i] += slope(here[i] - here[i - channels]);
#pragma omp simd
        for (std::int64_t i = 0; i < columns - channels; ++i) d[i] -= slope(here[i + channels] - here[i]);
#pragma omp simd
        for (std::int64_t i = 0; i < columns; ++i) d[i] *= g;
      }
    });
  });
}

}  // namespace counterfoil
