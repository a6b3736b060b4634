#include <algorithm>

#include "kernels/checks.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/parallel.h"
#include "kernels/require_f32.h"

namespace counterfoil {

namespace {

using cpu::parallel_for;

// Union-find over the pixels of one image, kept in the label array itself: parent[p] is the 1-based position of a pixel
// of the same region at or before p, 0 in the background. A root is thus its region's first pixel in row order.
class Forest {
 public:
  explicit Forest(std::int32_t* parent) : parent_(parent) {}

  std::int32_t root(std::int32_t pixel) {
    while (parent_[pixel - 1] != pixel) {
      parent_[pixel - 1] = parent_[parent_[pixel - 1] - 1];  // path halving
      pixel = parent_[pixel - 1];
    }
    return pixel;
  }

  void join(std::int32_t a, std::int32_t b) {
    a = root(a);
    b = root(b);
    parent_[std::max(a, b) - 1] = std::min(a, b);
  }

 private:
  std::int32_t* parent_;
};

void label_image(std::int32_t* labels, const float* mask, std::int64_t height, std::int64_t width, bool diagonals) {
  Forest forest(labels);
  for (std::int64_t h = 0; h < height; ++h) {
    for (std::int64_t w = 0; w < width; ++w) {
      const std::int64_t p = h * width + w;
      const auto pixel = static_cast<std::int32_t>(p + 1);
      labels[p] = mask[p] != 0.0f ? pixel : 0;
      if (labels[p] == 0) continue;
      const auto meet = [&](std::int64_t neighbour) {
        if (labels[neighbour] != 0) forest.join(pixel, static_cast<std::int32_t>(neighbour + 1));
      };
      if (w > 0) meet(p - 1);
      if (h == 0) continue;
      meet(p - width);
      if (diagonals && w > 0) meet(p - width - 1);
      if (diagonals && w + 1 < width) meet(p - width + 1);
    }
  }
  // In row order a pixel's parent has its final label already; final labels are negative until all are known.
  std::int32_t regions = 0;
  for (std::int64_t p = 0; p < height * width; ++p) {
    if (labels[p] == 0) continue;
    labels[p] = labels[p] == p + 1 ? -++regions : labels[labels[p] - 1];
  }
  for (std::int64_t p = 0; p < height * width; ++p) labels[p] = -labels[p];
}

}  // namespace

void CpuBackend::connected_components(View labels, ConstView mask, int neighbours) {
  check::connected_components(labels, mask, neighbours);
  require_f32("connected_components", mask);
  const std::int64_t height = mask.shape[1], width = mask.shape[2];
  parallel_for(mask.shape[0], std::max<std::int64_t>(1, 4096 / std::max<std::int64_t>(1, height * width)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t n = begin; n < end; ++n) {
                   label_image(labels.as<std::int32_t>() + n * height * width, mask.as<float>() + n * height * width,
                               height, width, neighbours == 8);
                 }
               });
}

}  // namespace counterfoil
