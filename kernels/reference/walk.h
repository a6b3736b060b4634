#pragma once

#include <array>
#include <cstdint>

#include "kernels/view.h"

namespace counterfoil::reference {

using Axes = std::array<std::int64_t, kMaxRank>;

/// The extents of a shape, with leading ones.
inline Axes extents_of(const Shape& shape) {
  Axes extents;
  extents.fill(1);
  for (int i = 1; i <= shape.rank(); ++i) extents[static_cast<std::size_t>(kMaxRank - i)] = shape[-i];
  return extents;
}

/// How far one step along each axis moves in a contiguous array; 0 along axes of extent 1, so that such an array can be
/// walked as if it were repeated.
inline Axes strides_of(const Shape& shape) {
  const Axes extents = extents_of(shape);
  Axes strides;
  std::int64_t stride = 1;
  for (std::size_t i = kMaxRank; i-- > 0;) {
    strides[i] = extents[i] == 1 ? 0 : stride;
    stride *= extents[i];
  }
  return strides;
}

/// Calls f(i, a, b) for every position of `space` in row order: i counts the positions, a and b are the offsets of the
/// position under two sets of strides.
template <typename F>
void walk(const Shape& space, const Axes& strides_a, const Axes& strides_b, F&& f) {
  const Axes n = extents_of(space);
  std::int64_t i = 0;
  for (std::int64_t i0 = 0; i0 < n[0]; ++i0) {
    for (std::int64_t i1 = 0; i1 < n[1]; ++i1) {
      for (std::int64_t i2 = 0; i2 < n[2]; ++i2) {
        for (std::int64_t i3 = 0; i3 < n[3]; ++i3) {
          std::int64_t a = i0 * strides_a[0] + i1 * strides_a[1] + i2 * strides_a[2] + i3 * strides_a[3];
          std::int64_t b = i0 * strides_b[0] + i1 * strides_b[1] + i2 * strides_b[2] + i3 * strides_b[3];
          for (std::int64_t i4 = 0; i4 < n[4]; ++i4) {
            f(i++, a, b);
            a += strides_a[4];
            b += strides_b[4];
          }
        }
      }
    }
  }
}

/// The same with one set of strides: f(i, a).
template <typename F>
void walk(const Shape& space, const Axes& strides, F&& f) {
  walk(space, strides, strides, [&](std::int64_t i, std::int64_t a, std::int64_t) { f(i, a); });
}

}  // namespace counterfoil::reference
