#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/checks.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/parallel.h"
#include "kernels/error.h"

// Permute, slice, pad and concat: copies of runs, whatever the elements mean.
namespace counterfoil {

namespace {

using cpu::parallel_for;

constexpr std::int64_t kByteGrain = 1 << 16;

// A box inside two contiguous arrays: where each of its innermost runs lies in both. Axes along which the box spans
// both arrays are merged into longer runs.
struct BoxCopy {
  std::array<std::int64_t, kMaxRank> extent{}, target_stride{}, source_stride{};  // outermost first; strides in bytes
  int rank = 0;
  std::int64_t run = 0;  // bytes
  std::int64_t rows = 1;

  /// `box` is the copied extent; target and source are the whole arrays' shapes.
  BoxCopy(const Shape& box, const Shape& target, const Shape& source, std::size_t element) {
    std::int64_t target_step = static_cast<std::int64_t>(element), source_step = target_step;
    run = target_step;
    bool inner = true;  // still inside the contiguous run
    std::array<std::array<std::int64_t, 3>, kMaxRank> reversed{};
    for (int axis = box.rank() - 1; axis >= 0; --axis) {
      if (inner) {
        run *= box[axis];
        inner = box[axis] == target[axis] && box[axis] == source[axis];
      } else if (box[axis] != 1) {
        reversed[static_cast<std::size_t>(rank++)] = {box[axis], target_step, source_step};
        rows *= box[axis];
      }
      target_step *= target[axis];
      source_step *= source[axis];
    }
    for (int i = 0; i < rank; ++i) {
      const auto [size, to, from] = reversed[static_cast<std::size_t>(rank - 1 - i)];
      extent[static_cast<std::size_t>(i)] = size;
      target_stride[static_cast<std::size_t>(i)] = to;
      source_stride[static_cast<std::size_t>(i)] = from;
    }
  }

  void copy(std::byte* target, const std::byte* source) const {
    if (run == 0 || rows == 0) return;
    if (rows == 1 && run > kByteGrain) {
      parallel_for(run, kByteGrain, [&](std::int64_t begin, std::int64_t end) {
        std::memcpy(target + begin, source + begin, static_cast<std::size_t>(end - begin));
      });
      return;
    }
    parallel_for(rows, std::max<std::int64_t>(1, kByteGrain / run), [&](std::int64_t begin, std::int64_t end) {
      const std::size_t last = static_cast<std::size_t>(std::max(rank, 1) - 1);
      while (begin < end) {
        std::int64_t rest = begin, to = 0, from = 0, column = 0;
        for (int i = rank - 1; i >= 0; --i) {
          const auto axis = static_cast<std::size_t>(i);
          const std::int64_t index = rest % extent[axis];
          rest /= extent[axis];
          if (axis == last) column = index;
          to += index * target_stride[axis];
          from += index * source_stride[axis];
        }
        const std::int64_t count = rank == 0 ? 1 : std::min(extent[last] - column, end - begin);
        copy_runs(target + to, source + from, count, target_stride[last], source_stride[last]);
        begin += count;
      }
    });
  }

  void copy_runs(std::byte* target, const std::byte* source, std::int64_t count, std::int64_t target_step,
                 std::int64_t source_step) const {
    const auto fixed = [&](auto bytes) {
      for (std::int64_t i = 0; i < count; ++i) {
        std::memcpy(target + i * target_step, source + i * source_step, decltype(bytes)::value);
      }
    };
    switch (run) {  // short runs: a move instruction each
      case 4:
        return fixed(std::integral_constant<std::size_t, 4>());
      case 8:
        return fixed(std::integral_constant<std::size_t, 8>());
      case 16:
        return fixed(std::integral_constant<std::size_t, 16>());
      case 32:
        return fixed(std::integral_constant<std::size_t, 32>());
      case 64:
        return fixed(std::integral_constant<std::size_t, 64>());
      case 128:
        return fixed(std::integral_constant<std::size_t, 128>());
      default:
        for (std::int64_t i = 0; i < count; ++i) {
          std::memcpy(target + i * target_step, source + i * source_step, static_cast<std::size_t>(run));
        }
    }
  }
};

// Bytes before element `begin` of an array.
std::int64_t byte_offset(const Shape& shape, std::span<const std::int64_t> begin, std::size_t element) {
  std::int64_t offset = 0;
  for (int axis = 0; axis < shape.rank(); ++axis) offset = offset * shape[axis] + begin[static_cast<std::size_t>(axis)];
  return offset * static_cast<std::int64_t>(element);
}

void zero(View out) {
  const std::int64_t bytes = out.size() * static_cast<std::int64_t>(size_of(out.dtype));
  parallel_for(bytes, kByteGrain, [&](std::int64_t begin, std::int64_t end) {
    std::memset(out.as<std::byte>() + begin, 0, static_cast<std::size_t>(end - begin));
  });
}

struct PermuteAxis {
  std::int64_t extent, out_stride, x_stride;  // strides in elements
};

// out[i, j] = x[j, i] for a tile, in blocks small enough that both sides' cache lines stay.
template <typename T>
void transpose_tile(T* out, const T* x, std::int64_t rows, std::int64_t columns, std::int64_t out_stride,
                    std::int64_t x_stride) {
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) out[i * out_stride + j] = x[j * x_stride + i];
  }
}

// `axes` are out's, outermost first, already merged, the last not x's last.
template <typename T>
void permute_elements(T* out, const T* x, std::span<const PermuteAxis> axes) {
  constexpr std::int64_t kTile = 32;
  const PermuteAxis column = axes.back();
  std::size_t row_axis = 0;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (axes[i].x_stride == 1) row_axis = i;
  }
  const PermuteAxis row = axes[row_axis];
  std::int64_t outer = 1;
  for (std::size_t i = 0; i + 1 < axes.size(); ++i) outer *= i == row_axis ? 1 : axes[i].extent;
  const std::int64_t bands = cpu::chunk_count(row.extent, kTile);
  const std::int64_t cost = std::min(kTile, row.extent) * column.extent;
  parallel_for(outer * bands, std::max<std::int64_t>(1, cpu::kElementGrain / cost),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t task = begin; task < end; ++task) {
                   const std::int64_t first_row = task % bands * kTile;
                   std::int64_t rest = task / bands, to = first_row * row.out_stride, from = first_row;
                   for (std::size_t i = axes.size() - 1; i-- > 0;) {
                     if (i == row_axis) continue;
                     to += rest % axes[i].extent * axes[i].out_stride;
                     from += rest % axes[i].extent * axes[i].x_stride;
                     rest /= axes[i].extent;
                   }
                   for (std::int64_t first = 0; first < column.extent; first += kTile) {
                     transpose_tile(out + to + first, x + from + first * column.x_stride,
                                    std::min(kTile, row.extent - first_row), std::min(kTile, column.extent - first),
                                    row.out_stride, column.x_stride);
                   }
                 }
               });
}

// The last axis stays last: runs of it move whole.
void permute_runs(std::byte* out, const std::byte* x, std::span<const PermuteAxis> axes, std::size_t element) {
  const PermuteAxis inner = axes.back();
  const std::int64_t run = inner.extent * static_cast<std::int64_t>(element);
  std::int64_t rows = 1;
  for (std::size_t i = 0; i + 1 < axes.size(); ++i) rows *= axes[i].extent;
  parallel_for(rows, std::max<std::int64_t>(1, kByteGrain / run), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      std::int64_t rest = row, from = 0;
      for (std::size_t i = axes.size() - 1; i-- > 0;) {
        from += rest % axes[i].extent * axes[i].x_stride;
        rest /= axes[i].extent;
      }
      std::memcpy(out + row * run, x + from * static_cast<std::int64_t>(element), static_cast<std::size_t>(run));
    }
  });
}

}  // namespace

void CpuBackend::permute(View out, ConstView x, std::span<const int> order) {
  check::permute(out, x, order);
  if (out.size() == 0) return;
  std::array<std::int64_t, kMaxRank> stride{};
  std::int64_t step = 1;
  for (int axis = x.shape.rank() - 1; axis >= 0; step *= x.shape[axis--]) stride[static_cast<std::size_t>(axis)] = step;

  std::array<PermuteAxis, kMaxRank> merged{};
  std::size_t rank = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const PermuteAxis axis{x.shape[order[i]], 0, stride[static_cast<std::size_t>(order[i])]};
    if (axis.extent == 1) continue;
    if (rank > 0 && merged[rank - 1].x_stride == axis.extent * axis.x_stride) {
      merged[rank - 1] = {merged[rank - 1].extent * axis.extent, 0, axis.x_stride};
    } else {
      merged[rank++] = axis;
    }
  }
  if (rank == 0) merged[rank++] = {1, 1, 1};
  step = 1;
  for (std::size_t i = rank; i-- > 0; step *= merged[i].extent) merged[i].out_stride = step;

  const std::span<const PermuteAxis> axes(merged.data(), rank);
  const std::size_t element = size_of(x.dtype);
  if (axes.back().x_stride == 1) return permute_runs(out.as<std::byte>(), x.as<std::byte>(), axes, element);
  switch (element) {
    case 1:
      return permute_elements(out.as<std::uint8_t>(), x.as<std::uint8_t>(), axes);
    case 2:
      return permute_elements(out.as<std::uint16_t>(), x.as<std::uint16_t>(), axes);
    case 4:
      return permute_elements(out.as<std::uint32_t>(), x.as<std::uint32_t>(), axes);
    default:
      return permute_elements(out.as<std::uint64_t>(), x.as<std::uint64_t>(), axes);
  }
}

void CpuBackend::slice(View out, ConstView x, std::span<const std::int64_t> begin) {
  check::slice(out, x, begin);
  if (out.size() == 0) return;
  const std::size_t element = size_of(x.dtype);
  BoxCopy(out.shape, out.shape, x.shape, element)
      .copy(out.as<std::byte>(), x.as<std::byte>() + byte_offset(x.shape, begin, element));
}

void CpuBackend::pad(View out, ConstView x, std::span<const std::int64_t> begin) {
  check::pad(out, x, begin);
  if (out.size() != x.size()) zero(out);
  if (x.size() == 0) return;
  const std::size_t element = size_of(x.dtype);
  BoxCopy(x.shape, out.shape, x.shape, element)
      .copy(out.as<std::byte>() + byte_offset(out.shape, begin, element), x.as<std::byte>());
}

void CpuBackend::concat(View out, std::span<const ConstView> parts, int axis) {
  check::concat(out, parts, axis);
  const std::size_t element = size_of(out.dtype);
  std::array<std::int64_t, kMaxRank> begin{};
  for (const ConstView& part : parts) {
    if (part.size() > 0) {
      BoxCopy(part.shape, out.shape, part.shape, element)
          .copy(out.as<std::byte>() + byte_offset(out.shape, begin, element), part.as<std::byte>());
    }
    begin[static_cast<std::size_t>(axis)] += part.shape[axis];
  }
}

}  // namespace counterfoil
