#include "kernels/checks.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/elements.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/layout.h"

// Permute, broadcast, slice, pad and concat are copies between two strided layouts of one space. Elements that lie side
// by side in both arrays move together, up to 16 bytes at a time.

namespace counterfoil::cuda {

namespace {

template <typename T, typename Index>
__global__ void __launch_bounds__(kThreads)
    copy_strided_kernel(T* __restrict__ out, const T* __restrict__ x, std::int64_t n, Walk<Index, 2> walk) {
  for (std::int64_t i = first_item(); i < n; i += item_stride()) {
    Index at[2];
    walk.find(static_cast<Index>(i), at);
    out[at[0]] = x[at[1]];
  }
}

constexpr int kTile = 32;
constexpr int kTileRows = 8;  // threads along the second axis of a tile

/// Planes [rows, columns] where x is contiguous along the rows' axis and out along the columns': through a tile in
/// shared memory both are read and written in lines. blockIdx.x runs over the tiles of all planes.
template <typename T>
__global__ void __launch_bounds__(kTile* kTileRows)
    transpose_kernel(T* __restrict__ out, const T* __restrict__ x, std::int64_t rows, std::int64_t columns,
                     std::int64_t out_row_stride, std::int64_t x_column_stride, std::int64_t tiles,
                     Walk<std::uint64_t, 2> planes) {
  SHARED_ARRAY(T, tile, [kTile][kTile + 1]);
  const std::int64_t tiles_across = (columns + kTile - 1) / kTile, tiles_down = (rows + kTile - 1) / kTile;
  const auto across = static_cast<int>(threadIdx.x), down = static_cast<int>(threadIdx.y);
  for (std::int64_t t = blockIdx.x; t < tiles; t += gridDim.x) {
    std::uint64_t plane[2];
    planes.find(static_cast<std::uint64_t>(t / (tiles_across * tiles_down)), plane);
    const std::int64_t row0 = t / tiles_across % tiles_down * kTile, column0 = t % tiles_across * kTile;
    for (int c = down; c < kTile; c += kTileRows) {
      if (column0 + c < columns && row0 + across < rows) {
        tile[c][across] = x[static_cast<std::int64_t>(plane[1]) + (column0 + c) * x_column_stride + row0 + across];
      }
    }
    __syncthreads();
    for (int r = down; r < kTile; r += kTileRows) {
      if (row0 + r < rows && column0 + across < columns) {
        out[static_cast<std::int64_t>(plane[0]) + (row0 + r) * out_row_stride + column0 + across] = tile[across][r];
      }
    }
    __syncthreads();
  }
}

/// As many elements together, doubling up to 16 bytes, as the innermost axis and the addresses allow; the layout then
/// counts such groups. Returns the bytes of a group.
std::size_t widen(Layout<2>& layout, const void* out, const void* x, std::size_t bytes) {
  if (layout.rank == 0 || layout.strides[0][0] != 1 || layout.strides[1][0] != 1) return bytes;
  const auto addresses = reinterpret_cast<std::uintptr_t>(out) | reinterpret_cast<std::uintptr_t>(x);
  for (; bytes < 16 && addresses % (2 * bytes) == 0; bytes *= 2) {
    bool even = layout.extents[0] % 2 == 0;
    for (std::size_t axis = 1; axis < static_cast<std::size_t>(layout.rank); ++axis) {
      even &= (layout.strides[0][axis] | layout.strides[1][axis]) % 2 == 0;
    }
    if (!even) break;
    layout.extents[0] /= 2;
    layout.size /= 2;
    for (Axes& strides : layout.strides) {
      for (std::size_t axis = 1; axis < static_cast<std::size_t>(layout.rank); ++axis) strides[axis] /= 2;
    }
  }
  return bytes;
}

/// out[strides[0]] = x[strides[1]] for every position of a layout.
void copy_strided(void* out, const void* x, Layout<2> layout, std::size_t bytes, cudaStream_t stream) {
  bytes = widen(layout, out, x, bytes);
  with_bytes(bytes, [&](auto type) {
    using T = decltype(type);
    with_index(layout.reach(), [&](auto index) {
      using Index = decltype(index);
      launch(copy_strided_kernel<T, Index>, blocks_for(layout.size), kThreads, 0, stream, static_cast<T*>(out),
             static_cast<const T*>(x), layout.size, Walk<Index, 2>(layout));
    });
  });
}

/// The same, through tiles where out's innermost axis is not x's: `axis` is the one along which x is contiguous.
void transpose(void* out, const void* x, const Layout<2>& layout, std::size_t axis, std::size_t bytes,
               cudaStream_t stream) {
  Layout<2> planes;
  for (std::size_t other = 1; other < static_cast<std::size_t>(layout.rank); ++other) {
    if (other != axis) planes.append(layout.extents[other], {layout.strides[0][other], layout.strides[1][other]});
  }
  const std::int64_t rows = layout.extents[axis], columns = layout.extents[0];
  const std::int64_t tiles = planes.size * ((rows + kTile - 1) / kTile) * ((columns + kTile - 1) / kTile);
  with_bytes(bytes, [&](auto type) {
    using T = decltype(type);
    if constexpr (sizeof(T) <= 8) {
      launch(transpose_kernel<T>, blocks_for(tiles, 1), dim3(kTile, kTileRows), 0, stream, static_cast<T*>(out),
             static_cast<const T*>(x), rows, columns, layout.strides[0][axis], layout.strides[1][0], tiles,
             Walk<std::uint64_t, 2>(planes));
    }
  });
}

std::int64_t offset_of(const Shape& shape, std::span<const std::int64_t> begin) {
  std::int64_t offset = 0;
  for (int i = 0; i < shape.rank(); ++i) offset = offset * shape[i] + begin[static_cast<std::size_t>(i)];
  return offset;
}

/// The strides of a part inside a whole.
Axes strides_within(const Shape& part, const Shape& whole) {
  Axes strides = strides_of(whole);
  for (int i = 0; i < part.rank(); ++i) {
    if (part[i] == 1) strides[static_cast<std::size_t>(i)] = 0;
  }
  return strides;
}

}  // namespace

void CudaBackend::permute(View out, ConstView x, std::span<const int> order) {
  check::permute(out, x, order);
  const Axes x_strides = strides_of(x.shape);
  Axes strides{};
  for (std::size_t i = 0; i < order.size(); ++i) strides[i] = x_strides[static_cast<std::size_t>(order[i])];
  const Layout<2> layout(out.shape, {strides_of(out.shape), strides});
  const std::size_t bytes = size_of(x.dtype);
  std::size_t contiguous = 0;
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(layout.rank); ++axis) {
    if (layout.strides[1][axis] == 1) contiguous = axis;
  }
  constexpr std::int64_t kWorthATile = 8;
  if (contiguous > 0 && layout.extents[0] >= kWorthATile && layout.extents[contiguous] >= kWorthATile) {
    return transpose(out.data, x.data, layout, contiguous, bytes, stream_);
  }
  copy_strided(out.data, x.data, layout, bytes, stream_);
}

void CudaBackend::broadcast(View out, ConstView x) {
  check::broadcast(out, x);
  copy_strided(out.data, x.data, Layout<2>(out.shape, {strides_of(out.shape), strides_of(x.shape)}), size_of(x.dtype),
               stream_);
}

void CudaBackend::slice(View out, ConstView x, std::span<const std::int64_t> begin) {
  check::slice(out, x, begin);
  if (out.size() == 0) return;
  const std::size_t bytes = size_of(x.dtype);
  copy_strided(out.data, x.as<std::byte>() + static_cast<std::size_t>(offset_of(x.shape, begin)) * bytes,
               Layout<2>(out.shape, {strides_of(out.shape), strides_within(out.shape, x.shape)}), bytes, stream_);
}

void CudaBackend::pad(View out, ConstView x, std::span<const std::int64_t> begin) {
  check::pad(out, x, begin);
  if (x.size() < out.size()) fill(out, 0);
  if (x.size() == 0) return;
  const std::size_t bytes = size_of(x.dtype);
  copy_strided(out.as<std::byte>() + static_cast<std::size_t>(offset_of(out.shape, begin)) * bytes, x.data,
               Layout<2>(x.shape, {strides_within(x.shape, out.shape), strides_of(x.shape)}), bytes, stream_);
}

void CudaBackend::concat(View out, std::span<const ConstView> parts, int axis) {
  check::concat(out, parts, axis);
  if (out.size() == 0) return;
  const std::size_t bytes = size_of(out.dtype);
  std::array<std::int64_t, kMaxRank> begin{};
  for (const ConstView& part : parts) {
    if (part.size() > 0) {
      copy_strided(out.as<std::byte>() + static_cast<std::size_t>(offset_of(out.shape, begin)) * bytes, part.data,
                   Layout<2>(part.shape, {strides_within(part.shape, out.shape), strides_of(part.shape)}), bytes,
                   stream_);
    }
    begin[static_cast<std::size_t>(axis)] += part.shape[axis];
  }
}

}  // namespace counterfoil::cuda
