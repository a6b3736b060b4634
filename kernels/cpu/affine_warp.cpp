#include <algorithm>
#include <cmath>

#include "kernels/checks.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/parallel.h"
#include "kernels/pointwise.h"
#include "kernels/require_f32.h"

namespace counterfoil {

namespace {

using cpu::parallel_for;

// Up to four pixels of an image and their bilinear weights; pixels outside are left out.
struct Corners {
  int count = 0;
  std::int64_t pixel[4];
  float weight[4];

  Corners(double row, double column, std::int64_t height, std::int64_t width) {
    // Also false for NaN, and before any conversion that could overflow.
    if (!(row > -1 && row < static_cast<double>(height) && column > -1 && column < static_cast<double>(width))) return;
    const double top = std::floor(row), left = std::floor(column);
    const double down = row - top, right = column - left;
    const auto h = static_cast<std::int64_t>(top), w = static_cast<std::int64_t>(left);
    add(h, w, (1 - down) * (1 - right), height, width);
    add(h, w + 1, (1 - down) * right, height, width);
    add(h + 1, w, down * (1 - right), height, width);
    add(h + 1, w + 1, down * right, height, width);
  }

 private:
  void add(std::int64_t h, std::int64_t w, double share, std::int64_t height, std::int64_t width) {
    if (h < 0 || h >= height || w < 0 || w >= width || share == 0) return;
    pixel[count] = h * width + w;
    weight[count++] = static_cast<float>(share);
  }
};

// Calls body(pixel of y, corners in x) for a row of y.
template <typename Body>
void for_each_sample(const float* theta, std::int64_t p, const Shape& y, const Shape& x, Body body) {
  const auto row = pointwise::centre_of_pixel<double>(p, y[1]);
  const std::int64_t width = y[2], x_height = x[1], x_width = x[2];
  for (std::int64_t q = 0; q < width; ++q) {
    const auto column = pointwise::centre_of_pixel<double>(q, width);
    const double source_column = theta[0] * column + theta[1] * row + theta[2];
    const double source_row = theta[3] * column + theta[4] * row + theta[5];
    body(p * width + q, Corners(pointwise::pixel_of_centre(source_row, x_height),
                                pointwise::pixel_of_centre(source_column, x_width), x_height, x_width));
  }
}

}  // namespace

void CpuBackend::affine_warp(View y, ConstView x, ConstView theta) {
  check::affine_warp("affine_warp", y, x, theta);
  require_f32("affine_warp", y);
  if (y.size() == 0) return;
  const std::int64_t height = y.shape[1], channels = y.shape[3], x_size = x.size() / x.shape[0];
  const std::int64_t y_size = y.size() / y.shape[0];
  const std::int64_t grain = std::max<std::int64_t>(1, cpu::kElementGrain / (y.shape[2] * channels) / 4);
  parallel_for(y.shape[0] * height, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t n = row / height;
      const float* const source = x.as<float>() + n * x_size;
      float* const image = y.as<float>() + n * y_size;
      for_each_sample(theta.as<float>() + 6 * n, row % height, y.shape, x.shape,
                      [&](std::int64_t pixel, const Corners& corners) {
                        float* const target = image + pixel * channels;
                        for (std::int64_t c = 0; c < channels; ++c) {
                          float sum = 0;
                          for (int k = 0; k < corners.count; ++k) {
                            sum += corners.weight[k] * source[corners.pixel[k] * channels + c];
                          }
                          target[c] = sum;
                        }
                      });
    }
  });
}

// One image is one thread's, so its pixels are added to in ascending output position.
void CpuBackend::affine_warp_backward(View d_x, ConstView d_y, ConstView theta) {
  check::affine_warp("affine_warp_backward", d_x, d_y, theta);
  require_f32("affine_warp_backward", d_x);
  if (d_x.size() == 0) return;
  const std::int64_t height = d_y.shape[1], channels = d_y.shape[3], x_size = d_x.size() / d_x.shape[0];
  const std::int64_t y_size = d_y.size() / d_y.shape[0];
  parallel_for(d_x.shape[0], 1, [&](std::int64_t n, std::int64_t) {
    const float* const source = d_y.as<float>() + n * y_size;
    float* const image = d_x.as<float>() + n * x_size;
    std::fill_n(image, x_size, 0.0f);
    for (std::int64_t p = 0; p < height; ++p) {
      for_each_sample(theta.as<float>() + 6 * n, p, d_y.shape, d_x.shape,
                      [&](std::int64_t pixel, const Corners& corners) {
                        for (int k = 0; k < corners.count; ++k) {
                          float* const target = image + corners.pixel[k] * channels;
                          const float* const d = source + pixel * channels;
                          for (std::int64_t c = 0; c < channels; ++c) target[c] += corners.weight[k] * d[c];
                        }
                      });
    }
  });
}

}  // namespace counterfoil
