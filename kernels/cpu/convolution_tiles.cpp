#include "kernels/cpu/convolution_tiles.h"

#include <algorithm>

#include "kernels/cpu/parallel.h"

namespace counterfoil::cpu {

ConvolutionExtents::ConvolutionExtents(const ConstView& x, const ConstView& weight, const ConstView& y,
                                       const Conv2dGeometry& geometry)
    : n(x.shape[0]),
      h(x.shape[1]),
      w(x.shape[2]),
      c(x.shape[3]),
      p(y.shape[1]),
      q(y.shape[2]),
      k(weight.shape[0]),
      r(weight.shape[1]),
      s(weight.shape[2]),
      reach(geometry.dilation_h * (r - 1) + 1),
      group_c(weight.shape[3]) {}

Tiling::Tiling(const ConvolutionExtents& extents, const Conv2dGeometry& geometry, By by, std::int64_t most_tiles,
               double least_flops)
    : extents_(extents), geometry_(geometry), by_(by), rows_(by == By::y_rows ? extents.p : extents.h) {
  if (extents.n == 0) return;
  const double flops = std::max(extents.flops(), 1.0);
  const std::int64_t wanted = std::clamp(static_cast<std::int64_t>(flops / least_flops), std::int64_t{1}, most_tiles);
  images_ = chunk_count(extents.n, wanted);
  groups_ = chunk_count(extents.n, images_);
  // A band looks at rows of x and y of its own only when no padding exceeds the kernel and no stride skips rows.
  const bool separable =
      geometry.pad_top < extents.reach && geometry.pad_bottom < extents.reach && geometry.stride_h <= extents.reach;
  if (images_ == 1 && separable) {
    const std::int64_t bands = std::clamp(wanted / extents.n, std::int64_t{1}, std::max<std::int64_t>(1, rows_ / 2));
    rows_ = chunk_count(rows_, bands);
    bands_ = chunk_count(by == By::y_rows ? extents.p : extents.h, rows_);
  }
}

Tile Tiling::operator[](std::int64_t index) const {
  Tile tile;
  tile.image = index / bands_ * images_;
  tile.images = std::min(images_, extents_.n - tile.image);
  if (bands_ == 1) {
    tile.x_rows = extents_.h;
    tile.y_rows = extents_.p;
    tile.pad_top = geometry_.pad_top;
    tile.pad_bottom = geometry_.pad_bottom;
    return tile;
  }
  const std::int64_t begin = index % bands_ * rows_;
  return band(tile, begin, std::min(begin + rows_, by_ == By::y_rows ? extents_.p : extents_.h));
}

Tile Tiling::band(Tile tile, std::int64_t begin, std::int64_t end) const {
  const std::int64_t stride = geometry_.stride_h, pad = geometry_.pad_top, reach = extents_.reach;
  if (by_ == By::y_rows) {
    // Row y looks at x rows [stride y - pad, stride y - pad + reach).
    const std::int64_t first = stride * begin - pad, last = stride * (end - 1) - pad + reach;
    tile.y_begin = begin;
    tile.y_rows = end - begin;
    tile.x_begin = std::max<std::int64_t>(first, 0);
    tile.x_rows = std::min(last, extents_.h) - tile.x_begin;
    tile.pad_top = static_cast<int>(tile.x_begin - first);
    tile.pad_bottom = static_cast<int>(last - tile.x_begin - tile.x_rows);
    return tile;
  }
  // Row x is looked at by the y with stride y - pad <= x < stride y - pad + reach.
  tile.x_begin = begin;
  tile.x_rows = end - begin;
  tile.y_begin = chunk_count(std::max<std::int64_t>(begin + pad - reach + 1, 0), stride);
  tile.y_rows = std::max<std::int64_t>(std::min(extents_.p, (end - 1 + pad) / stride + 1) - tile.y_begin, 0);
  const std::int64_t first = stride * tile.y_begin - pad, last = first + stride * (tile.y_rows - 1) + reach;
  tile.pad_top = static_cast<int>(begin - first);
  tile.pad_bottom = static_cast<int>(std::max<std::int64_t>(last - end, 0));
  return tile;
}

}  // namespace counterfoil::cpu
