#pragma once

#include <cstdint>

#include "kernels/backend.h"

namespace counterfoil::cpu {

/// The extents of one convolution, named as in Backend::conv2d.
struct ConvolutionExtents {
  ConvolutionExtents(const ConstView& x, const ConstView& weight, const ConstView& y, const Conv2dGeometry& geometry);

  std::int64_t n, h, w, c, p, q, k, r, s;
  std::int64_t reach;  ///< dilation_h * (r - 1) + 1, the rows one output row looks at
  double flops() const { return 2.0 * static_cast<double>(n * p * q * k * r * s) * static_cast<double>(group_c); }
  std::int64_t group_c;  ///< c / groups
};

/// What one chunk of a convolution works on: some images, or a band of rows of one image. As a convolution of its own
/// it reads x rows [x_begin, x_begin + x_rows) with these paddings and makes y rows [y_begin, y_begin + y_rows).
struct Tile {
  std::int64_t image = 0, images = 0;
  std::int64_t x_begin = 0, x_rows = 0, y_begin = 0, y_rows = 0;
  int pad_top = 0, pad_bottom = 0;
};

/// A fixed partition of a convolution into tiles, by y's rows (forward and weight gradient) or by x's rows (input
/// gradient). It depends on the extents and the geometry alone.
class Tiling {
 public:
  enum class By : std::uint8_t { y_rows, x_rows };
  /// At most about `most_tiles`, each of at least `least_flops` unless it is the only one.
  Tiling(const ConvolutionExtents& extents, const Conv2dGeometry& geometry, By by, std::int64_t most_tiles,
         double least_flops);

  std::int64_t count() const { return groups_ * bands_; }
  std::int64_t images_per_tile() const { return images_; }
  Tile operator[](std::int64_t index) const;

 private:
  Tile band(Tile tile, std::int64_t begin, std::int64_t end) const;

  const ConvolutionExtents& extents_;
  const Conv2dGeometry& geometry_;
  By by_;
  std::int64_t images_ = 1, groups_ = 0, rows_ = 0, bands_ = 1;
};

}  // namespace counterfoil::cpu
