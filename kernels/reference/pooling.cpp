#include <algorithm>
#include <cmath>

#include "kernels/checks.h"
#include "kernels/error.h"
#include "kernels/pointwise.h"
#include "kernels/reference/doubles.h"
#include "kernels/reference/reference_backend.h"

namespace counterfoil {

using reference::Input;
using reference::Output;

namespace {

/// The part of a window that lies inside the image.
struct Window {
  std::int64_t top, bottom, left, right;  ///< bottom and right are one past the end
};

/// Calls f(n, y_pixel, window) for every output pixel in row order.
template <typename F>
void for_each_window(const Shape& x, const Shape& y, const PoolGeometry& geometry, F&& f) {
  for (std::int64_t n = 0; n < y[0]; ++n) {
    for (std::int64_t p = 0; p < y[1]; ++p) {
      const std::int64_t top = p * geometry.stride_h - geometry.pad_top;
      for (std::int64_t q = 0; q < y[2]; ++q) {
        const std::int64_t left = q * geometry.stride_w - geometry.pad_left;
        const Window window = {.top = std::max<std::int64_t>(top, 0),
                               .bottom = std::min(top + geometry.kernel_h, x[1]),
                               .left = std::max<std::int64_t>(left, 0),
                               .right = std::min(left + geometry.kernel_w, x[2])};
        f(n, (n * y[1] + p) * y[2] + q, window);
      }
    }
  }
}

double divisor(const Window& window, const PoolGeometry& geometry) {
  const std::int64_t inside = (window.bottom - window.top) * (window.right - window.left);
  return static_cast<double>(geometry.count_padding ? std::int64_t{geometry.kernel_h} * geometry.kernel_w : inside);
}

/// Calls f(x_element, y_element) for every output element and the input element that its index names.
template <typename F>
void for_each_winner(const char* name, const Shape& x, const Shape& y, const ConstView& index, F&& f) {
  const std::int64_t pixels = x[1] * x[2], channels = y[3], outputs = y[1] * y[2] * channels;
  const std::int32_t* winner = index.as<std::int32_t>();
  for (std::int64_t n = 0; n < y[0]; ++n) {
    for (std::int64_t j = 0; j < outputs; ++j) {
      const std::int64_t i = n * outputs + j, pixel = winner[i];
      if (pixel < 0 || pixel >= pixels) fail("{}: index {} is outside the image {}", name, pixel, x.to_string());
      f((n * pixels + pixel) * channels + j % channels, i);
    }
  }
}

}  // namespace

void ReferenceBackend::max_pool(View y, View index, ConstView x, const PoolGeometry& geometry) {
  check::max_pool(y, index, x, geometry);
  const std::int64_t height = x.shape[1], width = x.shape[2], channels = x.shape[3];
  const Input from(x);
  Output to(y);
  for_each_window(x.shape, y.shape, geometry, [&](std::int64_t n, std::int64_t y_pixel, const Window& window) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const auto value = [&](std::int64_t pixel) { return from[(n * height * width + pixel) * channels + c]; };
      std::int64_t best = window.top * width + window.left;
      for (std::int64_t h = window.top; h < window.bottom; ++h) {
        for (std::int64_t w = window.left; w < window.right; ++w) {
          const double here = value(h * width + w), so_far = value(best);
          if (here > so_far || (std::isnan(here) && !std::isnan(so_far))) best = h * width + w;
        }
      }
      to[y_pixel * channels + c] = value(best);
      index.as<std::int32_t>()[y_pixel * channels + c] = static_cast<std::int32_t>(best);
    }
  });
}

void ReferenceBackend::pool_scatter(View d_x, ConstView d_y, ConstView index) {
  check::pool_scatter(d_x, d_y, index);
  const Input from(d_y);
  Output to(d_x);
  to.fill(0);
  for_each_winner("pool_scatter", d_x.shape, d_y.shape, index,
                  [&](std::int64_t x_element, std::int64_t y_element) { to[x_element] += from[y_element]; });
}

void ReferenceBackend::pool_gather(View y, ConstView x, ConstView index) {
  check::pool_gather(y, x, index);
  const Input from(x);
  Output to(y);
  for_each_winner("pool_gather", x.shape, y.shape, index,
                  [&](std::int64_t x_element, std::int64_t y_element) { to[y_element] = from[x_element]; });
}

void ReferenceBackend::avg_pool(View y, ConstView x, const PoolGeometry& geometry) {
  check::avg_pool(y, x, geometry);
  const std::int64_t height = x.shape[1], width = x.shape[2], channels = x.shape[3];
  const Input from(x);
  Output to(y);
  for_each_window(x.shape, y.shape, geometry, [&](std::int64_t n, std::int64_t y_pixel, const Window& window) {
    for (std::int64_t c = 0; c < channels; ++c) {
      double sum = 0;
      for (std::int64_t h = window.top; h < window.bottom; ++h) {
        for (std::int64_t w = window.left; w < window.right; ++w) {
          sum += from[((n * height + h) * width + w) * channels + c];
        }
      }
      to[y_pixel * channels + c] = sum / divisor(window, geometry);
    }
  });
}

void ReferenceBackend::avg_pool_backward(View d_x, ConstView d_y, const PoolGeometry& geometry) {
  check::avg_pool_backward(d_x, d_y, geometry);
  const std::int64_t height = d_x.shape[1], width = d_x.shape[2], channels = d_x.shape[3];
  const Input from(d_y);
  Output to(d_x);
  to.fill(0);
  for_each_window(d_x.shape, d_y.shape, geometry, [&](std::int64_t n, std::int64_t y_pixel, const Window& window) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const double share = from[y_pixel * channels + c] / divisor(window, geometry);
      for (std::int64_t h = window.top; h < window.bottom; ++h) {
        for (std::int64_t w = window.left; w < window.right; ++w) {
          to[((n * height + h) * width + w) * channels + c] += share;
        }
      }
    }
  });
}

namespace {

/// Calls f(x_element, y_element, weight) for every pair of elements that resizing connects.
template <typename F>
void for_each_resized(const Shape& x, const Shape& y, ResizeMode mode, F&& f) {
  const std::int64_t height = x[1], width = x[2], channels = x[3];
  const auto source = [mode](std::int64_t i, std::int64_t in, std::int64_t out) -> pointwise::Between<double> {
    if (mode == ResizeMode::bilinear) return pointwise::bilinear_source<double>(i, in, out);
    const std::int64_t nearest = pointwise::nearest_source(i, in, out);
    return {nearest, nearest, 0};
  };
  for (std::int64_t n = 0; n < y[0]; ++n) {
    for (std::int64_t p = 0; p < y[1]; ++p) {
      const auto rows = source(p, height, y[1]);
      for (std::int64_t q = 0; q < y[2]; ++q) {
        const auto columns = source(q, width, y[2]);
        const std::int64_t y_element = ((n * y[1] + p) * y[2] + q) * channels;
        const auto connect = [&](std::int64_t h, std::int64_t w, double weight) {
          if (weight == 0) return;
          const std::int64_t x_element = ((n * height + h) * width + w) * channels;
          for (std::int64_t c = 0; c < channels; ++c) f(x_element + c, y_element + c, weight);
        };
        connect(rows.low, columns.low, (1 - rows.weight) * (1 - columns.weight));
        connect(rows.low, columns.high, (1 - rows.weight) * columns.weight);
        connect(rows.high, columns.low, rows.weight * (1 - columns.weight));
        connect(rows.high, columns.high, rows.weight * columns.weight);
      }
    }
  }
}

}  // namespace

void ReferenceBackend::resize(View y, ConstView x, ResizeMode mode) {
  check::resize(y, x);
  const Input from(x);
  Output to(y);
  to.fill(0);
  for_each_resized(x.shape, y.shape, mode, [&](std::int64_t x_element, std::int64_t y_element, double weight) {
    to[y_element] += weight * from[x_element];
  });
}

void ReferenceBackend::resize_backward(View d_x, ConstView d_y, ResizeMode mode) {
  check::resize_backward(d_x, d_y);
  const Input from(d_y);
  Output to(d_x);
  to.fill(0);
  for_each_resized(d_x.shape, d_y.shape, mode, [&](std::int64_t x_element, std::int64_t y_element, double weight) {
    to[x_element] += weight * from[y_element];
  });
}

namespace {

/// Calls f(low_pixel, y_pixel) for every pixel of y [N,2H,2W,...] and the pixel of low [N,H,W,...] it doubles.
template <typename F>
void for_each_doubled(const Shape& low, F&& f) {
  const std::int64_t height = low[1], width = low[2];
  for (std::int64_t row = 0; row < low[0] * 2 * height; ++row) {  // the images' rows, one below the other
    for (std::int64_t q = 0; q < 2 * width; ++q) f(row / 2 * width + q / 2, row * 2 * width + q);
  }
}

}  // namespace

void ReferenceBackend::upsample_concat(View y, ConstView low, ConstView skip) {
  check::upsample_concat(y, low, skip);
  const std::int64_t a = low.shape[3], b = skip.shape[3];
  const Input coarse(low), fine(skip);
  Output to(y);
  for_each_doubled(low.shape, [&](std::int64_t low_pixel, std::int64_t y_pixel) {
    std::copy_n(coarse.data() + low_pixel * a, a, to.data() + y_pixel * (a + b));
    std::copy_n(fine.data() + y_pixel * b, b, to.data() + y_pixel * (a + b) + a);
  });
}

void ReferenceBackend::upsample_concat_backward(View d_low, View d_skip, ConstView d_y) {
  check::upsample_concat_backward(d_low, d_skip, d_y);
  const std::int64_t a = d_low.shape[3], b = d_skip.shape[3];
  const Input from(d_y);
  Output coarse(d_low), fine(d_skip);
  coarse.fill(0);
  for_each_doubled(d_low.shape, [&](std::int64_t low_pixel, std::int64_t y_pixel) {
    for (std::int64_t c = 0; c < a; ++c) coarse[low_pixel * a + c] += from[y_pixel * (a + b) + c];
    std::copy_n(from.data() + y_pixel * (a + b) + a, b, fine.data() + y_pixel * b);
  });
}

}  // namespace counterfoil
