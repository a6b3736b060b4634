#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/checks.h"
#include "kernels/pointwise.h"
#include "kernels/reference/doubles.h"
#include "kernels/reference/reference_backend.h"

namespace counterfoil {

using reference::Input;
using reference::Output;

namespace {

/// One pass of a separable filter along the middle axis of [outer, extent, inner]. Calls f(target, source, tap) for
/// every element, in row order, and every tap whose source exists.
template <typename F>
void for_each_tap(std::int64_t outer, std::int64_t extent, std::int64_t inner, std::int64_t taps, Border border,
                  F&& f) {
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t i = 0; i < extent; ++i) {
      for (std::int64_t t = 0; t < taps; ++t) {
        std::int64_t from = i + t - taps / 2;
        if (border == Border::replicate) from = std::clamp<std::int64_t>(from, 0, extent - 1);
        if (from < 0 || from >= extent) continue;
        for (std::int64_t j = 0; j < inner; ++j) f((o * extent + i) * inner + j, (o * extent + from) * inner + j, t);
      }
    }
  }
}

}  // namespace

void ReferenceBackend::separable_filter(View y, ConstView x, ConstView row_taps, ConstView column_taps, Border border) {
  check::separable_filter("separable_filter", y, x, row_taps, column_taps);
  const std::int64_t n = x.shape[0], height = x.shape[1], width = x.shape[2], channels = x.shape[3];
  const Input from(x), down(row_taps), across(column_taps);
  std::vector<double> between(static_cast<std::size_t>(x.size()));
  Output to(y);
  to.fill(0);
  for_each_tap(n, height, width * channels, row_taps.size(), border,
               [&](std::int64_t target, std::int64_t source, std::int64_t tap) {
                 between[static_cast<std::size_t>(target)] += down[tap] * from[source];
               });
  for_each_tap(n * height, width, channels, column_taps.size(), border,
               [&](std::int64_t target, std::int64_t source, std::int64_t tap) {
                 to[target] += across[tap] * between[static_cast<std::size_t>(source)];
               });
}

void ReferenceBackend::separable_filter_backward(View d_x, ConstView d_y, ConstView row_taps, ConstView column_taps,
                                                 Border border) {
  check::separable_filter("separable_filter_backward", d_x, d_y, row_taps, column_taps);
  const std::int64_t n = d_x.shape[0], height = d_x.shape[1], width = d_x.shape[2], channels = d_x.shape[3];
  const Input from(d_y), down(row_taps), across(column_taps);
  std::vector<double> between(static_cast<std::size_t>(d_x.size()));
  Output to(d_x);
  to.fill(0);
  // The passes of the filter with source and target exchanged, in the opposite order.
  for_each_tap(n * height, width, channels, column_taps.size(), border,
               [&](std::int64_t source, std::int64_t target, std::int64_t tap) {
                 between[static_cast<std::size_t>(target)] += across[tap] * from[source];
               });
  for_each_tap(n, height, width * channels, row_taps.size(), border,
               [&](std::int64_t source, std::int64_t target, std::int64_t tap) {
                 to[target] += down[tap] * between[static_cast<std::size_t>(source)];
               });
}

namespace {

/// Calls f(x_element, y_element, weight) for every element of y [N,P,Q,C] and the at most four neighbours in
/// x [N,H,W,C] that it is interpolated from.
template <typename F>
void for_each_warped(const Shape& x, const Shape& y, const Input& theta, F&& f) {
  const std::int64_t height = x[1], width = x[2], channels = x[3];
  for (std::int64_t n = 0; n < y[0]; ++n) {
    const double* t = theta.data() + 6 * n;
    for (std::int64_t p = 0; p < y[1]; ++p) {
      for (std::int64_t q = 0; q < y[2]; ++q) {
        const double across = pointwise::centre_of_pixel<double>(q, y[2]);
        const double down = pointwise::centre_of_pixel<double>(p, y[1]);
        const double column = pointwise::pixel_of_centre(t[0] * across + t[1] * down + t[2], width);
        const double row = pointwise::pixel_of_centre(t[3] * across + t[4] * down + t[5], height);
        // False for NaN too. What passes is small enough for an integer.
        const bool near =
            column > -1 && column < static_cast<double>(width) && row > -1 && row < static_cast<double>(height);
        if (!near) continue;
        const double left = std::floor(column), top = std::floor(row);
        const auto connect = [&](std::int64_t h, std::int64_t w, double weight) {
          if (h < 0 || h >= height || w < 0 || w >= width) return;
          const std::int64_t x_element = ((n * height + h) * width + w) * channels;
          const std::int64_t y_element = ((n * y[1] + p) * y[2] + q) * channels;
          for (std::int64_t c = 0; c < channels; ++c) f(x_element + c, y_element + c, weight);
        };
        const auto h = static_cast<std::int64_t>(top), w = static_cast<std::int64_t>(left);
        const double a = row - top, b = column - left;
        connect(h, w, (1 - a) * (1 - b));
        connect(h, w + 1, (1 - a) * b);
        connect(h + 1, w, a * (1 - b));
        connect(h + 1, w + 1, a * b);
      }
    }
  }
}

}  // namespace

void ReferenceBackend::affine_warp(View y, ConstView x, ConstView theta) {
  check::affine_warp("affine_warp", y, x, theta);
  const Input from(x), map(theta);
  Output to(y);
  to.fill(0);
  for_each_warped(x.shape, y.shape, map, [&](std::int64_t x_element, std::int64_t y_element, double weight) {
    to[y_element] += weight * from[x_element];
  });
}

void ReferenceBackend::affine_warp_backward(View d_x, ConstView d_y, ConstView theta) {
  check::affine_warp("affine_warp_backward", d_x, d_y, theta);
  const Input from(d_y), map(theta);
  Output to(d_x);
  to.fill(0);
  for_each_warped(d_x.shape, d_y.shape, map, [&](std::int64_t x_element, std::int64_t y_element, double weight) {
    to[x_element] += weight * from[y_element];
  });
}

namespace {

double squared_distance(const double* a, const double* b, std::int64_t dimensions) {
  double sum = 0;
  for (std::int64_t i = 0; i < dimensions; ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

}  // namespace

void ReferenceBackend::pairwise_distance(View out, ConstView a, ConstView b) {
  check::pairwise_distance(out, a, b);
  const std::int64_t rows = a.shape[0], columns = b.shape[0], dimensions = a.shape[1];
  const Input left(a), right(b);
  Output to(out);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      to[i * columns + j] = squared_distance(left.data() + i * dimensions, right.data() + j * dimensions, dimensions);
    }
  }
}

void ReferenceBackend::nearest_row(View distance, View index, ConstView queries, ConstView base) {
  check::nearest_row(distance, index, queries, base);
  const std::int64_t dimensions = queries.shape[1];
  const Input left(queries), right(base);
  Output to(distance);
  for (std::int64_t i = 0; i < queries.shape[0]; ++i) {
    std::int64_t best = 0;
    double least = squared_distance(left.data() + i * dimensions, right.data(), dimensions);
    for (std::int64_t j = 1; j < base.shape[0]; ++j) {
      const double here = squared_distance(left.data() + i * dimensions, right.data() + j * dimensions, dimensions);
      if (here < least) {
        least = here;
        best = j;
      }
    }
    to[i] = least;
    index.as<std::int32_t>()[i] = static_cast<std::int32_t>(best);
  }
}

void ReferenceBackend::connected_components(View labels, ConstView mask, int neighbours) {
  check::connected_components(labels, mask, neighbours);
  const std::int64_t height = mask.shape[1], width = mask.shape[2];
  const Input inside(mask);
  auto* label = labels.as<std::int32_t>();
  std::fill_n(label, labels.size(), 0);
  std::vector<std::int64_t> front;  // pixels of the region whose neighbours are still to be seen
  for (std::int64_t image = 0; image < labels.size(); image += height * width) {
    std::int32_t regions = 0;
    for (std::int64_t first = 0; first < height * width; ++first) {
      if (inside[image + first] == 0 || label[image + first] != 0) continue;
      label[image + first] = ++regions;
      front.push_back(first);
      while (!front.empty()) {
        const std::int64_t h = front.back() / width, w = front.back() % width;
        front.pop_back();
        for (std::int64_t i = std::max<std::int64_t>(h - 1, 0); i <= std::min(h + 1, height - 1); ++i) {
          for (std::int64_t j = std::max<std::int64_t>(w - 1, 0); j <= std::min(w + 1, width - 1); ++j) {
            const std::int64_t pixel = i * width + j;
            if (neighbours == 4 && i != h && j != w) continue;
            if (inside[image + pixel] == 0 || label[image + pixel] != 0) continue;
            label[image + pixel] = regions;
            front.push_back(pixel);
          }
        }
      }
    }
  }
}

}  // namespace counterfoil
