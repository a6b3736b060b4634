#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cuda/grid.h"
#include "kernels/cuda/group.h"
#include "kernels/cuda/layout.h"
#include "kernels/scratch.h"

// Reductions over any axes, in an order that depends on the shapes alone. A long sum that too few threads would share
// is cut into chunks whose results are joined by a second launch.
//
// A term is what is reduced: a class with a type Join (group.h) and `float operator()(offset)`.

namespace counterfoil::cuda {

/// The space of a reduction from `x` to `out`, where out's extent is 1 on the axes that go: offsets of out's positions
/// in x, and of the elements that each of them joins.
struct ReductionSpace {
  Layout<1> kept, joined;

  ReductionSpace() = default;
  ReductionSpace(const Shape& out, const Shape& x) {
    const Axes strides = strides_of(x);
    for (int axis = x.rank(); axis-- > 0;) {
      Layout<1>& side = out[axis] == x[axis] ? kept : joined;
      side.append(x[axis], {strides[static_cast<std::size_t>(axis)]});
    }
  }
};

template <typename Join>
struct Partial {
  using JoinedBy = Join;
  const float* x;
  template <typename Index>
  COUNTERFOIL_HOST_DEVICE float operator()(Index i) const {
    return x[i];
  }
};

/// Elements a reduction's thread joins, and where the results go: out[output * output_stride + chunk * chunk_stride].
template <typename Index>
struct ReductionPlan {
  Index outputs, count, chunks, chunk;
  Index output_stride, chunk_stride;
  Walk<Index, 1> kept, joined;
  float scale;
};

#if defined(COUNTERFOIL_SIMT) || defined(__CUDACC__)

/// A group of `lanes` threads for each chunk of each output: where the innermost axis goes.
template <int lanes, typename Index, typename Term>
__global__ void __launch_bounds__(kThreads) reduce_rows_kernel(float* out, Term term, ReductionPlan<Index> plan) {
  using Join = typename Term::JoinedBy;
  SHARED_ARRAY(float, warps, [kThreads / 32]);
  constexpr Index kGroups = kThreads / lanes;
  const Index work = plan.outputs * plan.chunks;
  for (Index first = blockIdx.x * kGroups; first < work; first += gridDim.x * kGroups) {
    const Index mine = first + threadIdx.x / lanes;
    const Index output = mine / plan.chunks, chunk = mine - output * plan.chunks;
    float total = Join::first();
    if (mine < work) {
      const Index base = plan.kept(output), begin = chunk * plan.chunk;
      const Index end = min(plan.count, begin + plan.chunk);
#pragma unroll 4
      for (Index i = begin + threadIdx.x % lanes; i < end; i += lanes) {
        total = Join::join(total, term(base + plan.joined(i)));
      }
    }
    total = group_join<lanes, Join>(total, warps);
    if (mine < work && threadIdx.x % lanes == 0) {
      out[output * plan.output_stride + chunk * plan.chunk_stride] = total * plan.scale;
    }
  }
}

inline constexpr int kColumns = 32;
inline constexpr int kColumnRows = kThreads / kColumns;

/// A column of a block's threads for each output: where the innermost axis stays.
template <typename Index, typename Term>
__global__ void __launch_bounds__(kThreads) reduce_columns_kernel(float* out, Term term, ReductionPlan<Index> plan) {
  using Join = typename Term::JoinedBy;
  SHARED_ARRAY(float, totals, [kColumnRows][kColumns + 1]);
  const Index across = (plan.outputs + kColumns - 1) / kColumns;
  for (Index work = blockIdx.x; work < across * plan.chunks; work += gridDim.x) {
    const Index chunk = work / across, output = (work - chunk * across) * kColumns + threadIdx.x;
    float total = Join::first();
    if (output < plan.outputs) {
      const Index base = plan.kept(output), begin = chunk * plan.chunk;
      const Index end = min(plan.count, begin + plan.chunk);
#pragma unroll 4
      for (Index i = begin + threadIdx.y; i < end; i += kColumnRows) {
        total = Join::join(total, term(base + plan.joined(i)));
      }
    }
    totals[threadIdx.y][threadIdx.x] = total;
    __syncthreads();
    if (threadIdx.y == 0 && output < plan.outputs) {
      for (int row = 1; row < kColumnRows; ++row) total = Join::join(total, totals[row][threadIdx.x]);
      out[output * plan.output_stride + chunk * plan.chunk_stride] = total * plan.scale;
    }
    __syncthreads();
  }
}

/// out[position of space.kept] = scale * (the terms at space.joined, joined). What is joined may be nothing.
template <typename Term>
void reduce(Device& device, cudaStream_t stream, Term term, float* out, const ReductionSpace& space, float scale) {
  const std::int64_t outputs = space.kept.size, count = space.joined.size;
  if (outputs == 0) return;
  const bool columns = space.kept.rank > 0 && space.kept.strides[0][0] == 1 && space.kept.extents[0] >= 8;
  // Few outputs: a chunk for each of up to 1024 blocks, of at least 16 elements a thread.
  const std::int64_t per_block = columns ? kColumnRows : kThreads;
  const std::int64_t blocks = columns ? (outputs + kColumns - 1) / kColumns : outputs;
  const std::int64_t chunks =
      std::clamp<std::int64_t>(1024 / blocks, 1, std::max<std::int64_t>(1, count / (16 * per_block)));
  const Scratch scratch(device, chunks > 1 ? static_cast<std::size_t>(outputs * chunks) * sizeof(float) : 0);
  float* const target = chunks > 1 ? scratch.as<float>() : out;
  with_index(std::max(space.kept.reach() + space.joined.reach(), outputs * chunks + kThreads), [&](auto index) {
    using Index = decltype(index);
    ReductionPlan<Index> plan{};
    plan.outputs = static_cast<Index>(outputs);
    plan.count = static_cast<Index>(count);
    plan.chunks = static_cast<Index>(chunks);
    plan.chunk = static_cast<Index>((count + chunks - 1) / chunks);
    plan.output_stride = columns ? Index{1} : plan.chunks;
    plan.chunk_stride = columns ? plan.outputs : Index{1};
    plan.kept = Walk<Index, 1>(space.kept);
    plan.joined = Walk<Index, 1>(space.joined);
    plan.scale = chunks > 1 ? 1.0f : scale;
    if (columns) {
      launch(reduce_columns_kernel<Index, Term>, blocks_for(blocks * chunks, 1), dim3(kColumns, kColumnRows), 0, stream,
             target, term, plan);
    } else if (count <= 1024) {
      launch(reduce_rows_kernel<32, Index, Term>, blocks_for(outputs * 32), kThreads, 0, stream, target, term, plan);
    } else {
      launch(reduce_rows_kernel<kThreads, Index, Term>, blocks_for(outputs * chunks, 1), kThreads, 0, stream, target,
             term, plan);
    }
  });
  if (chunks == 1) return;
  using Join = typename Term::JoinedBy;
  ReductionSpace rest;
  rest.kept.append(outputs, {columns ? 1 : chunks});
  rest.joined.append(chunks, {columns ? outputs : 1});
  reduce(device, stream, Partial<Join>{target}, out, rest, scale);
}

#endif

}  // namespace counterfoil::cuda
