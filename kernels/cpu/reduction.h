#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "kernels/cpu/parallel.h"
#include "kernels/scratch.h"
#include "kernels/view.h"

namespace counterfoil::cpu {

// Reductions over any set of axes, in an order fixed by the shapes alone. A Reducer brings
//   Value                       the accumulator (double for sums: exact enough for 10^7 elements without tricks)
//   identity()                  its start
//   load(i) -> float            the i-th term, by flat index into the reduced arrays
//   join(Value, Value)          associative but for rounding
//   finish(Value) -> float

/// Axes merged where neighbours are both kept or both reduced, as [kept0, reduced0, kept1, reduced1, kept2, reduced2]
/// from outermost to innermost; up to five axes always fit.
struct ReductionPlan {
  std::array<std::int64_t, 3> kept{1, 1, 1}, reduced{1, 1, 1};
  ReductionPlan(const Shape& out, const Shape& x);
};

inline ReductionPlan::ReductionPlan(const Shape& out, const Shape& x) {
  int level = 2;
  bool last_reduced = true;
  for (int axis = x.rank() - 1; axis >= 0; --axis) {
    if (x[axis] == 1) continue;
    const bool is_reduced = out[axis] != x[axis];
    if (is_reduced && !last_reduced) --level;
    (is_reduced ? reduced : kept)[static_cast<std::size_t>(level)] *= x[axis];
    last_reduced = is_reduced;
  }
}

inline constexpr std::int64_t kReduceSegment = 16384;  // elements that one partial result covers
inline constexpr std::int64_t kReduceLanes = 32;       // independent accumulators along a run

/// Joins the terms begin to end, contiguous. Flattened, since a loop vectorises only when all it calls is inlined.
template <typename Reducer>
[[gnu::flatten]] typename Reducer::Value reduce_run(Reducer reducer, std::int64_t begin, std::int64_t end) {
  using Value = typename Reducer::Value;
  alignas(64) std::array<Value, kReduceLanes> lane;
  lane.fill(reducer.identity());
  std::int64_t i = begin;
  for (; i + kReduceLanes <= end; i += kReduceLanes) {
#pragma omp simd
    for (std::int64_t k = 0; k < kReduceLanes; ++k) {
      auto& slot = lane[static_cast<std::size_t>(k)];
      slot = reducer.join(slot, static_cast<Value>(reducer.load(i + k)));
    }
  }
  for (std::int64_t k = 0; i < end; ++i, ++k) {
    auto& slot = lane[static_cast<std::size_t>(k)];
    slot = reducer.join(slot, static_cast<Value>(reducer.load(i)));
  }
  for (std::size_t width = kReduceLanes / 2; width > 0; width /= 2) {
    for (std::size_t k = 0; k < width; ++k) lane[k] = reducer.join(lane[k], lane[k + width]);
  }
  return lane[0];
}

/// Whole runs are reduced: one result per (kept0, kept1, kept2), long runs in segments.
template <typename Reducer>
void reduce_inner(float* out, const ReductionPlan& plan, const Reducer& reducer, Device& device) {
  using Value = typename Reducer::Value;
  const std::int64_t kept0 = plan.kept[0], kept1 = plan.kept[1], kept2 = plan.kept[2];
  const std::int64_t reduced0 = plan.reduced[0], reduced1 = plan.reduced[1], run = plan.reduced[2];
  const std::int64_t segments = std::max<std::int64_t>(1, chunk_count(run, kReduceSegment));
  const std::int64_t outputs = kept0 * kept1 * kept2;
  const std::int64_t cost = reduced0 * reduced1 * std::max<std::int64_t>(1, std::min(run, kReduceSegment));
  const Scratch partial(device, segments > 1 ? static_cast<std::size_t>(outputs * segments) * sizeof(Value) : 0);
  parallel_for(outputs * segments, std::max<std::int64_t>(1, kReduceSegment / cost),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t task = begin; task < end; ++task) {
                   const std::int64_t output = task / segments, segment = task % segments;
                   const std::int64_t k2 = output % kept2, k1 = output / kept2 % kept1, k0 = output / (kept2 * kept1);
                   Value value = reducer.identity();
                   for (std::int64_t r0 = 0; r0 < reduced0; ++r0) {
                     for (std::int64_t r1 = 0; r1 < reduced1; ++r1) {
                       const std::int64_t row = (((k0 * reduced0 + r0) * kept1 + k1) * reduced1 + r1) * kept2 + k2;
                       const std::int64_t first = row * run + segment * kReduceSegment;
                       const std::int64_t last = row * run + std::min(run, (segment + 1) * kReduceSegment);
                       value = reducer.join(value, reduce_run(reducer, first, last));
                     }
                   }
                   if (segments > 1) {
                     partial.as<Value>()[task] = value;
                   } else {
                     out[output] = reducer.finish(value);
                   }
                 }
               });
  for (std::int64_t output = 0; segments > 1 && output < outputs; ++output) {
    Value value = reducer.identity();
    for (std::int64_t s = 0; s < segments; ++s) value = reducer.join(value, partial.as<Value>()[output * segments + s]);
    out[output] = reducer.finish(value);
  }
}

/// Joins `rows` rows of `columns` terms, the first of each at first + row * columns, into value[columns]. Rows are
/// taken together until a block of them is long enough to vectorise over; the block's rows are joined at the end.
template <typename Reducer>
[[gnu::flatten]] void reduce_rows(typename Reducer::Value* value, Reducer reducer, std::int64_t first,
                                  std::int64_t rows, std::int64_t columns) {
  using Value = typename Reducer::Value;
  constexpr std::int64_t kTile = 256;
  alignas(64) std::array<Value, kTile> tile;
  Value* const t = tile.data();
  if (columns <= kTile / 2) {
    const std::int64_t together = kTile / columns, width = together * columns;
    tile.fill(reducer.identity());
    std::int64_t row = 0;
    for (; row + 4 * together <= rows; row += 4 * together) {
      const std::int64_t at = first + row * columns;
#pragma omp simd
      for (std::int64_t i = 0; i < width; ++i) {
        const Value upper =
            reducer.join(static_cast<Value>(reducer.load(at + i)), static_cast<Value>(reducer.load(at + width + i)));
        const Value lower = reducer.join(static_cast<Value>(reducer.load(at + 2 * width + i)),
                                         static_cast<Value>(reducer.load(at + 3 * width + i)));
        t[i] = reducer.join(t[i], reducer.join(upper, lower));
      }
    }
    for (; row < rows; row += together) {
      const std::int64_t length = std::min(width, (rows - row) * columns);
      const std::int64_t at = first + row * columns;
#pragma omp simd
      for (std::int64_t i = 0; i < length; ++i) t[i] = reducer.join(t[i], static_cast<Value>(reducer.load(at + i)));
    }
    for (std::int64_t c = 0; c < columns; ++c) {
      for (std::int64_t b = 0; b < together; ++b) value[c] = reducer.join(value[c], t[b * columns + c]);
    }
    return;
  }
  for (std::int64_t c0 = 0; c0 < columns; c0 += kTile) {
    const std::int64_t width = std::min(kTile, columns - c0);
    tile.fill(reducer.identity());
    std::int64_t row = 0;
    for (; row + 4 <= rows; row += 4) {
      const std::int64_t at = first + row * columns + c0;
#pragma omp simd
      for (std::int64_t i = 0; i < width; ++i) {
        const Value upper =
            reducer.join(static_cast<Value>(reducer.load(at + i)), static_cast<Value>(reducer.load(at + columns + i)));
        const Value lower = reducer.join(static_cast<Value>(reducer.load(at + 2 * columns + i)),
                                         static_cast<Value>(reducer.load(at + 3 * columns + i)));
        t[i] = reducer.join(t[i], reducer.join(upper, lower));
      }
    }
    for (; row < rows; ++row) {
      const std::int64_t at = first + row * columns + c0;
#pragma omp simd
      for (std::int64_t i = 0; i < width; ++i) t[i] = reducer.join(t[i], static_cast<Value>(reducer.load(at + i)));
    }
    for (std::int64_t i = 0; i < width; ++i) value[c0 + i] = reducer.join(value[c0 + i], t[i]);
  }
}

/// The innermost axis is kept: rows of kept2 results, vectorised along them, for each (kept0, kept1).
template <typename Reducer>
void reduce_outer(float* out, const ReductionPlan& plan, const Reducer& reducer, Device& device) {
  using Value = typename Reducer::Value;
  const std::int64_t kept0 = plan.kept[0], kept1 = plan.kept[1], columns = plan.kept[2];
  const std::int64_t reduced0 = plan.reduced[0], reduced1 = plan.reduced[1];
  const std::int64_t segment_rows = std::max<std::int64_t>(1, kReduceSegment / columns);
  const std::int64_t segments = std::max<std::int64_t>(1, chunk_count(reduced1, segment_rows));
  const std::int64_t outputs = kept0 * kept1;
  const std::int64_t cost = reduced0 * std::max<std::int64_t>(1, std::min(reduced1, segment_rows)) * columns;
  const Scratch partial(device, static_cast<std::size_t>(outputs * segments * columns) * sizeof(Value));
  parallel_for(outputs * segments, std::max<std::int64_t>(1, kReduceSegment / cost),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t task = begin; task < end; ++task) {
                   const std::int64_t output = task / segments, segment = task % segments;
                   const std::int64_t k1 = output % kept1, k0 = output / kept1;
                   Value* const value = partial.as<Value>() + task * columns;
                   std::fill_n(value, columns, reducer.identity());
                   const std::int64_t row = segment * segment_rows;
                   for (std::int64_t r0 = 0; r0 < reduced0; ++r0) {
                     const std::int64_t first = (((k0 * reduced0 + r0) * kept1 + k1) * reduced1 + row) * columns;
                     reduce_rows(value, reducer, first, std::min(segment_rows, reduced1 - row), columns);
                   }
                   if (segments > 1) continue;
                   for (std::int64_t c = 0; c < columns; ++c) out[output * columns + c] = reducer.finish(value[c]);
                 }
               });
  if (segments == 1) return;
  parallel_for(outputs * columns, std::max<std::int64_t>(1, kReduceSegment / segments),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) {
                   const Value* const value = partial.as<Value>() + i / columns * segments * columns + i % columns;
                   Value joined = reducer.identity();
                   for (std::int64_t s = 0; s < segments; ++s) joined = reducer.join(joined, value[s * columns]);
                   out[i] = reducer.finish(joined);
                 }
               });
}

/// out = reduction of an array of shape x over the axes on which out's extent is 1 and x's is not.
template <typename Reducer>
void reduce_axes(View out, const Shape& x, const Reducer& reducer, Device& device) {
  if (x.size() == 0) {
    std::fill_n(out.as<float>(), out.size(), reducer.finish(reducer.identity()));
    return;
  }
  const ReductionPlan plan(out.shape, x);
  if (plan.reduced[2] > 1) {
    reduce_inner(out.as<float>(), plan, reducer, device);
  } else {
    reduce_outer(out.as<float>(), plan, reducer, device);
  }
}

}  // namespace counterfoil::cpu
