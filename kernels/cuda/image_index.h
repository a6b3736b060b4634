#pragma once

#include <cstdint>

#include "kernels/cuda/dialect.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/layout.h"
#include "kernels/error.h"
#include "kernels/view.h"

// Positions in NHWC arrays. A kernel that finds its element's position divides three times; in 32 bits that is a
// handful of instructions each, in 64 bits a hundred, more than the memory traffic of a pooling hides. So such kernels
// are built for both index types and launched with the narrow one where every array is small enough.

namespace counterfoil::cuda {

/// Extents of one image.
struct Image {
  int h, w, c;

  static Image of(const Shape& nhwc) {
    constexpr std::int64_t kMost = 1 << 30;
    if (nhwc[1] * nhwc[2] > kMost || nhwc[3] > kMost) {
      fail("cuda: an image of more than 2^30 pixels or channels; found {}", nhwc.to_string());
    }
    return {static_cast<int>(nhwc[1]), static_cast<int>(nhwc[2]), static_cast<int>(nhwc[3])};
  }
};

template <typename Index>
struct Element {
  Index n;
  int h, w, c;
};

template <typename Index>
__device__ __forceinline__ Element<Index> element_at(Index i, const Image& image) {
  const Index pixel = i / image.c, row = pixel / image.w;
  return {row / image.h, static_cast<int>(row % image.h), static_cast<int>(pixel % image.w),
          static_cast<int>(i % image.c)};
}

template <typename Index>
__device__ __forceinline__ Index offset_of(const Image& image, Index n, int h, int w, int c) {
  return ((n * image.h + h) * image.w + w) * image.c + c;
}

}  // namespace counterfoil::cuda
