#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "kernels/cuda/dialect.h"
#include "kernels/host_device.h"
#include "kernels/view.h"

// Where the elements of several arrays lie for the positions of one space in row order. On the host: axes of extent 1
// are dropped, and neighbours are merged where every array allows it, so that most calls end with one or two axes. On
// the device: from a position to offsets, in 32 bits where everything fits and in 64 where not.

namespace counterfoil::cuda {

using Axes = std::array<std::int64_t, kMaxRank>;

/// How far one step along each axis of a contiguous array moves; 0 along axes of extent 1, which therefore repeat.
inline Axes strides_of(const Shape& shape) {
  Axes strides{};
  std::int64_t stride = 1;
  for (int axis = shape.rank(); axis-- > 0;) {
    strides[static_cast<std::size_t>(axis)] = shape[axis] == 1 ? 0 : stride;
    stride *= shape[axis];
  }
  return strides;
}

/// Axes are listed from the innermost.
template <int arrays>
struct Layout {
  int rank = 0;
  std::int64_t size = 1;  ///< positions
  Axes extents{};
  std::array<Axes, static_cast<std::size_t>(arrays)> strides{};

  Layout() = default;
  /// `strides`: one set for each array, outermost axis first, as strides_of gives them.
  Layout(const Shape& space, const std::array<Axes, static_cast<std::size_t>(arrays)>& all) {
    for (int axis = space.rank(); axis-- > 0;) {
      std::array<std::int64_t, static_cast<std::size_t>(arrays)> steps{};
      for (std::size_t a = 0; a < steps.size(); ++a) steps[a] = all[a][static_cast<std::size_t>(axis)];
      append(space[axis], steps);
    }
  }

  /// Adds an axis outside the ones there are.
  void append(std::int64_t extent, const std::array<std::int64_t, static_cast<std::size_t>(arrays)>& steps) {
    size *= extent;
    if (extent == 1) return;
    if (rank > 0) {
      const auto inner = static_cast<std::size_t>(rank - 1);
      bool merges = true;
      for (std::size_t a = 0; a < steps.size(); ++a) merges &= steps[a] == strides[a][inner] * extents[inner];
      if (merges) {
        extents[inner] *= extent;
        return;
      }
    }
    const auto axis = static_cast<std::size_t>(rank++);
    extents[axis] = extent;
    for (std::size_t a = 0; a < steps.size(); ++a) strides[a][axis] = steps[a];
  }

  /// The largest offset of any array, or the number of positions where that is more.
  std::int64_t reach() const {
    std::int64_t largest = size;
    for (const Axes& steps : strides) {
      std::int64_t last = 0;
      for (std::size_t axis = 0; axis < static_cast<std::size_t>(rank); ++axis)
        last += (extents[axis] - 1) * steps[axis];
      largest = last > largest ? last : largest;
    }
    return largest;
  }
};

/// Division of 0 <= n < 2^31 by a constant without a division: q = (hi(n * multiplier) + n) >> shift with
/// shift = ceil(log2 divisor) and multiplier = floor(2^32 (2^shift - divisor) / divisor) + 1
/// (T. Granlund, P. Montgomery, "Division by invariant integers using multiplication", PLDI 1994). In 64 bits a plain
/// division.
template <typename Index>
class Divisor;

template <>
class Divisor<std::uint32_t> {
 public:
  Divisor() = default;
  /// 1 <= divisor < 2^31
  explicit Divisor(std::int64_t divisor) : divisor_(static_cast<std::uint32_t>(divisor)) {
    while ((std::uint64_t{1} << shift_) < divisor_) ++shift_;
    const std::uint64_t excess = (std::uint64_t{1} << shift_) - divisor_;
    multiplier_ = static_cast<std::uint32_t>((excess << 32) / divisor_ + 1);
  }
  COUNTERFOIL_HOST_DEVICE std::uint32_t divide(std::uint32_t n) const {
    return (static_cast<std::uint32_t>((std::uint64_t{n} * multiplier_) >> 32) + n) >> shift_;
  }
  COUNTERFOIL_HOST_DEVICE std::uint32_t divisor() const { return divisor_; }

 private:
  std::uint32_t divisor_ = 1, multiplier_ = 1, shift_ = 0;
};

template <>
class Divisor<std::uint64_t> {
 public:
  Divisor() = default;
  explicit Divisor(std::int64_t divisor) : divisor_(static_cast<std::uint64_t>(divisor)) {}
  COUNTERFOIL_HOST_DEVICE std::uint64_t divide(std::uint64_t n) const { return n / divisor_; }
  COUNTERFOIL_HOST_DEVICE std::uint64_t divisor() const { return divisor_; }

 private:
  std::uint64_t divisor_ = 1;
};

/// A layout as kernels read it.
template <typename Index, int arrays>
class Walk {
 public:
  Walk() = default;
  explicit Walk(const Layout<arrays>& layout) : inner_axes_(layout.rank > 0 ? layout.rank - 1 : 0) {
    for (int axis = 0; axis < layout.rank; ++axis) {
      const auto from = static_cast<std::size_t>(axis);
      for (int a = 0; a < arrays; ++a) {
        const auto stride = static_cast<Index>(layout.strides[static_cast<std::size_t>(a)][from]);
        if (axis < inner_axes_) {
          strides_[a][axis] = stride;
        } else {
          outermost_[a] = stride;
        }
      }
      if (axis < inner_axes_) extents_[axis] = Divisor<Index>(std::max<std::int64_t>(1, layout.extents[from]));
    }
  }

  /// The offsets of a position in each array.
  COUNTERFOIL_HOST_DEVICE void find(Index position, Index (&offsets)[arrays]) const {
    for (int a = 0; a < arrays; ++a) offsets[a] = 0;
    for (int axis = 0; axis < kMaxRank - 1; ++axis) {
      if (axis < inner_axes_) {
        const Index above = extents_[axis].divide(position);
        const Index here = position - above * extents_[axis].divisor();
        for (int a = 0; a < arrays; ++a) offsets[a] += here * strides_[a][axis];
        position = above;
      }
    }
    for (int a = 0; a < arrays; ++a) offsets[a] += position * outermost_[a];
  }
  /// With one array: its offset.
  COUNTERFOIL_HOST_DEVICE Index operator()(Index position) const {
    static_assert(arrays == 1);
    Index offset[1];
    find(position, offset);
    return offset[0];
  }

 private:
  int inner_axes_ = 0;  // all but the outermost
  Divisor<Index> extents_[kMaxRank - 1];
  Index strides_[arrays][kMaxRank - 1] = {};
  Index outermost_[arrays] = {};
};

/// f(Index()) for the smallest index type that holds every position and offset.
template <typename F>
void with_index(std::int64_t reach, F&& f) {
  if (reach < (std::int64_t{1} << 31)) {
    f(std::uint32_t());
  } else {
    f(std::uint64_t());
  }
}

}  // namespace counterfoil::cuda
