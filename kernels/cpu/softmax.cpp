#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/checks.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"
#include "kernels/error.h"
#include "kernels/pointwise.h"
#include "kernels/require_f32.h"

namespace counterfoil {

namespace {

namespace vm = cpu::vector_math;

constexpr std::int64_t kLanes = 16;

// The joined terms of a row, in lanes: the same order on every run, whatever the row's address.
template <typename Value, typename Term, typename Join>
Value join_row(std::int64_t columns, Value identity, Term term, Join join) {
  alignas(64) std::array<Value, kLanes> lane;
  lane.fill(identity);
  std::int64_t c = 0;
  for (; c + kLanes <= columns; c += kLanes) {
#pragma omp simd
    for (std::int64_t k = 0; k < kLanes; ++k) {
      lane[static_cast<std::size_t>(k)] = join(lane[static_cast<std::size_t>(k)], static_cast<Value>(term(c + k)));
    }
  }
  Value result = identity;
  for (const Value value : lane) result = join(result, value);
  for (; c < columns; ++c) result = join(result, static_cast<Value>(term(c)));
  return result;
}

float row_maximum(const float* row, std::int64_t columns) {
  return join_row(
      columns, -HUGE_VALF, [row](std::int64_t c) { return row[c]; },
      [](float a, float b) { return pointwise::maximum(a, b); });
}

double row_sum_exp(const float* row, std::int64_t columns, float shift) {
  return join_row(
      columns, 0.0, [row, shift](std::int64_t c) { return vm::exp(row[c] - shift); },
      [](double a, double b) { return a + b; });
}

template <typename Row>
void for_each_row(std::int64_t rows, std::int64_t columns, Row row) {
  const std::int64_t grain = std::max<std::int64_t>(1, cpu::kElementGrain / std::max<std::int64_t>(1, columns) / 4);
  cpu::parallel_for(rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) row(r);
  });
}

void require_labels(const char* name, ConstView labels, std::int64_t classes) {
  const auto* const label = labels.as<std::int32_t>();
  for (std::int64_t r = 0; r < labels.size(); ++r) {
    if (label[r] < 0 || label[r] >= classes) {
      fail("{}: label {} of row {} is outside [0, {})", name, label[r], r, classes);
    }
  }
}

}  // namespace

void CpuBackend::softmax(View out, ConstView x, bool log) {
  check::softmax(out, x);
  require_f32("softmax", out);
  const std::int64_t columns = x.shape[1];
  for_each_row(x.shape[0], columns, [&](std::int64_t r) {
    const float* const row = x.as<float>() + r * columns;
    float* const to = out.as<float>() + r * columns;
    const float largest = row_maximum(row, columns);
    const double sum = row_sum_exp(row, columns, largest);
    if (log) {
      const auto log_sum = static_cast<float>(std::log(sum));
#pragma omp simd
      for (std::int64_t c = 0; c < columns; ++c) to[c] = (row[c] - largest) - log_sum;
    } else {
      const auto scale = static_cast<float>(1.0 / sum);
#pragma omp simd
      for (std::int64_t c = 0; c < columns; ++c) to[c] = vm::exp(row[c] - largest) * scale;
    }
  });
}

/// softmax: y (d_y - sum(d_y y)); its logarithm: d_y - exp(y) sum(d_y).
void CpuBackend::softmax_backward(View d_x, ConstView y, ConstView d_y, bool log) {
  check::softmax_backward(d_x, y, d_y);
  require_f32("softmax_backward", d_x);
  const std::int64_t columns = y.shape[1];
  const auto add = [](double a, double b) { return a + b; };
  for_each_row(y.shape[0], columns, [&](std::int64_t r) {
    const float* const p = y.as<float>() + r * columns;
    const float* const g = d_y.as<float>() + r * columns;
    float* const d = d_x.as<float>() + r * columns;
    if (log) {
      const auto sum = static_cast<float>(join_row(
          columns, 0.0, [g](std::int64_t c) { return g[c]; }, add));
#pragma omp simd
      for (std::int64_t c = 0; c < columns; ++c) d[c] = g[c] - vm::exp(p[c]) * sum;
    } else {
      const auto dot = static_cast<float>(join_row(
          columns, 0.0, [g, p](std::int64_t c) { return static_cast<double>(g[c]) * static_cast<double>(p[c]); }, add));
#pragma omp simd
      for (std::int64_t c = 0; c < columns; ++c) d[c] = p[c] * (g[c] - dot);
    }
  });
}

void CpuBackend::cross_entropy(View out, ConstView logits, ConstView labels) {
  check::cross_entropy(out, logits, labels);
  require_f32("cross_entropy", out);
  const std::int64_t classes = logits.shape[1];
  require_labels("cross_entropy", labels, classes);
  for_each_row(logits.shape[0], classes, [&](std::int64_t r) {
    const float* const row = logits.as<float>() + r * classes;
    const float largest = row_maximum(row, classes);
    const double chosen = row[labels.as<std::int32_t>()[r]];
    const double shifted = std::log(row_sum_exp(row, classes, largest));
    out.as<float>()[r] = static_cast<float>(shifted + (static_cast<double>(largest) - chosen));
  });
}

void CpuBackend::cross_entropy_backward(View d_logits, ConstView logits, ConstView labels, ConstView d_out) {
  check::cross_entropy_backward(d_logits, logits, labels, d_out);
  require_f32("cross_entropy_backward", d_logits);
  const std::int64_t classes = logits.shape[1];
  require_labels("cross_entropy_backward", labels, classes);
  for_each_row(logits.shape[0], classes, [&](std::int64_t r) {
    const float* const row = logits.as<float>() + r * classes;
    float* const d = d_logits.as<float>() + r * classes;
    const float largest = row_maximum(row, classes);
    const auto scale = static_cast<float>(1.0 / row_sum_exp(row, classes, largest));
    const float slope = d_out.as<float>()[r];
    const std::int32_t label = labels.as<std::int32_t>()[r];
    const float at_label = vm::exp(row[label] - largest) * scale - 1.0f;
#pragma omp simd
    for (std::int64_t c = 0; c < classes; ++c) d[c] = slope * (vm::exp(row[c] - largest) * scale);
    d[label] = slope * at_label;
  });
}

}  // namespace counterfoil
