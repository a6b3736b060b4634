#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "kernels/checks.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/parallel.h"
#include "kernels/error.h"
#include "kernels/require_f32.h"
#include "kernels/scratch.h"

namespace counterfoil {

namespace {

using cpu::kElementGrain;
using cpu::parallel_for;

std::int64_t rows_per_chunk(std::int64_t columns) {
  return std::max<std::int64_t>(1, kElementGrain / std::max<std::int64_t>(1, columns));
}

// Unsigned integers in the order of the floats: -inf < ... < -0 < +0 < ... < inf < NaN.
std::uint32_t ordered(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if (x != x) return 0xffffffffu;
  return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}
float from_ordered(std::uint32_t key) {
  return std::bit_cast<float>((key & 0x80000000u) != 0 ? key & 0x7fffffffu : ~key);
}

// Selection by radix: three histograms, each over the next bits of the keys that share the prefix found so far.
float select_rank(const float* x, std::int64_t count, std::int64_t rank) {
  constexpr std::array<int, 3> kShift{21, 10, 0};
  constexpr std::array<int, 3> kBits{11, 11, 10};
  std::array<std::int64_t, 2048> histogram;
  std::uint32_t prefix = 0, mask = 0;
  for (std::size_t pass = 0; pass < kShift.size(); ++pass) {
    const std::uint32_t digit_mask = (1u << kBits[pass]) - 1;
    histogram.fill(0);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::uint32_t key = ordered(x[i]);
      if ((key & mask) == prefix) ++histogram[(key >> kShift[pass]) & digit_mask];
    }
    std::uint32_t digit = 0;
    while (rank >= histogram[digit]) rank -= histogram[digit++];
    prefix |= digit << kShift[pass];
    mask |= digit_mask << kShift[pass];
  }
  return from_ordered(prefix);
}

void require_index(const char* name, std::int32_t index, std::int64_t position, std::int64_t end) {
  if (index < 0 || index >= end) fail("{}: index {} at position {} is outside [0, {})", name, index, position, end);
}

}  // namespace

void CpuBackend::gather_rows(View out, ConstView table, ConstView index) {
  check::gather_rows(out, table, index);
  require_f32("gather_rows", out);
  const std::int64_t rows = index.size();
  const std::int64_t table_rows = table.shape[0];
  const auto* const at = index.as<std::int32_t>();
  for (std::int64_t m = 0; m < rows; ++m) require_index("gather_rows", at[m], m, table_rows);
  const std::int64_t width = rows > 0 ? out.size() / rows : 0;
  if (width == 0) return;
  parallel_for(rows, rows_per_chunk(width), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t m = begin; m < end; ++m) {
      std::copy_n(table.as<float>() + at[m] * width, width, out.as<float>() + m * width);
    }
  });
}

// The rows of x are sorted by target first (stably, by counting), so that each target row is one thread's, and its sum
// runs in ascending m.
void CpuBackend::scatter_add_rows(View out, ConstView x, ConstView index) {
  check::scatter_add_rows(out, x, index);
  require_f32("scatter_add_rows", out);
  const std::int64_t rows = index.size(), targets = out.shape[0];
  const auto* const at = index.as<std::int32_t>();
  for (std::int64_t m = 0; m < rows; ++m) require_index("scatter_add_rows", at[m], m, targets);
  const std::int64_t width = targets > 0 ? out.size() / targets : 0;
  if (width == 0) return;
  const Scratch scratch(device_, static_cast<std::size_t>(targets + 1 + rows) * sizeof(std::int64_t));
  auto* const first = scratch.as<std::int64_t>();
  std::int64_t* const order = first + targets + 1;
  std::fill_n(first, targets + 1, 0);
  for (std::int64_t m = 0; m < rows; ++m) ++first[at[m] + 1];
  for (std::int64_t v = 0; v < targets; ++v) first[v + 1] += first[v];
  for (std::int64_t m = 0; m < rows; ++m) order[first[at[m]]++] = m;  // afterwards first[v] is the end of v's range
  const std::int64_t mean_rows = std::max<std::int64_t>(1, rows / targets);
  parallel_for(targets, rows_per_chunk(width * mean_rows), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t v = begin; v < end; ++v) {
      float* const target = out.as<float>() + v * width;
      std::fill_n(target, width, 0.0f);
      for (std::int64_t k = v > 0 ? first[v - 1] : 0; k < first[v]; ++k) {
        const float* const source = x.as<float>() + order[k] * width;
#pragma omp simd
        for (std::int64_t i = 0; i < width; ++i) target[i] += source[i];
      }
    }
  });
}

void CpuBackend::one_hot(View out, ConstView index) {
  check::one_hot(out, index);
  require_f32("one_hot", out);
  const std::int64_t classes = out.shape[1];
  parallel_for(out.shape[0], rows_per_chunk(classes), [&](std::int64_t begin, std::int64_t end) {
    float* const rows = out.as<float>();
    std::fill_n(rows + begin * classes, (end - begin) * classes, 0.0f);
    for (std::int64_t m = begin; m < end; ++m) {
      const std::int32_t label = index.as<std::int32_t>()[m];
      if (label >= 0 && label < classes) rows[m * classes + label] = 1.0f;
    }
  });
}

void CpuBackend::argmax(View index, ConstView x) {
  check::argmax(index, x);
  require_f32("argmax", x);
  const std::int64_t columns = x.shape[1];
  parallel_for(x.shape[0], rows_per_chunk(columns), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const float* const row = x.as<float>() + r * columns;
      std::int64_t best = 0;
      for (std::int64_t c = 1; c < columns; ++c) {
        if (row[c] > row[best] || (row[c] != row[c] && row[best] == row[best])) best = c;  // NaN counts as the largest
      }
      index.as<std::int32_t>()[r] = static_cast<std::int32_t>(best);
    }
  });
}

void CpuBackend::order_statistic(View out, ConstView x, std::int64_t k) {
  check::order_statistic(out, x, k);
  require_f32("order_statistic", out);
  const std::int64_t columns = x.shape[1];
  parallel_for(x.shape[0], rows_per_chunk(columns), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      out.as<float>()[r] = select_rank(x.as<float>() + r * columns, columns, k);
    }
  });
}

}  // namespace counterfoil
