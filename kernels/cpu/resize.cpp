#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/checks.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/parallel.h"
#include "kernels/pointwise.h"
#include "kernels/require_f32.h"

namespace counterfoil {

namespace {

using namespace cpu;
using pointwise::Between;

std::int64_t rows_per_chunk(std::int64_t elements) {
  return std::max<std::int64_t>(1, kElementGrain / std::max<std::int64_t>(elements, 1));
}

void copy_floats(float* to, const float* from, std::int64_t count) {
  std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
}

// The outputs that take their value from source pixel `i`: those with i <= o * in / out < i + 1.
std::int64_t first_taker(std::int64_t i, std::int64_t in, std::int64_t out) {
  return chunk_count(i * out, in);
}

}  // namespace

void CpuBackend::resize(View y, ConstView x, ResizeMode mode) {
  check::resize(y, x);
  require_f32("resize", y);
  const std::int64_t h = x.shape[1], w = x.shape[2], c = x.shape[3], p = y.shape[1], q = y.shape[2];
  parallel_for(y.shape[0] * p, rows_per_chunk(q * c), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const float* image = x.as<float>() + row / p * h * w * c;
      float* out = y.as<float>() + row * q * c;
      if (mode == ResizeMode::nearest) {
        const float* from = image + pointwise::nearest_source(row % p, h, p) * w * c;
        for (std::int64_t j = 0; j < q; ++j) copy_floats(out + j * c, from + pointwise::nearest_source(j, w, q) * c, c);
        continue;
      }
      const auto down = pointwise::bilinear_source<float>(row % p, h, p);
      const float *low = image + down.low * w * c, *high = image + down.high * w * c;
      for (std::int64_t j = 0; j < q; ++j) {
        const auto across = pointwise::bilinear_source<float>(j, w, q);
        const std::int64_t left = across.low * c, right = across.high * c;
#pragma omp simd
        for (std::int64_t i = 0; i < c; ++i) {
          const float above = low[left + i] + across.weight * (low[right + i] - low[left + i]);
          const float below = high[left + i] + across.weight * (high[right + i] - high[left + i]);
          out[j * c + i] = above + down.weight * (below - above);
        }
      }
    }
  });
}

void CpuBackend::resize_backward(View d_x, ConstView d_y, ResizeMode mode) {
  check::resize_backward(d_x, d_y);
  require_f32("resize_backward", d_x);
  const std::int64_t h = d_x.shape[1], w = d_x.shape[2], c = d_x.shape[3], p = d_y.shape[1], q = d_y.shape[2];
  if (mode == ResizeMode::nearest) {
    parallel_for(d_x.shape[0] * h, rows_per_chunk(w * c), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const float* image = d_y.as<float>() + row / h * p * q * c;
        const std::int64_t top = first_taker(row % h, h, p), bottom = first_taker(row % h + 1, h, p);
        for (std::int64_t j = 0; j < w; ++j) {
          const std::int64_t left = first_taker(j, w, q), right = first_taker(j + 1, w, q);
          float* into = d_x.as<float>() + (row * w + j) * c;
          std::fill_n(into, c, 0.0F);
          for (std::int64_t o = top; o < bottom; ++o) {
            for (std::int64_t k = left; k < right; ++k) {
              const float* from = image + (o * q + k) * c;
              for (std::int64_t i = 0; i < c; ++i) into[i] += from[i];
            }
          }
        }
      }
    });
    return;
  }
  // Outputs in ascending order, each to its four sources; images and blocks of channels are independent.
  const std::int64_t block = 32, blocks = chunk_count(c, block);
  parallel_for(d_x.shape[0] * blocks, rows_per_chunk(p * q * std::min(c, block)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t task = begin; task < end; ++task) {
                   const std::int64_t first = task % blocks * block, width = std::min(block, c - first);
                   float* into = d_x.as<float>() + task / blocks * h * w * c + first;
                   const float* from = d_y.as<float>() + task / blocks * p * q * c + first;
                   for (std::int64_t pixel = 0; pixel < h * w; ++pixel) std::fill_n(into + pixel * c, width, 0.0F);
                   for (std::int64_t o = 0; o < p; ++o) {
                     const auto down = pointwise::bilinear_source<float>(o, h, p);
                     for (std::int64_t k = 0; k < q; ++k) {
                       const auto across = pointwise::bilinear_source<float>(k, w, q);
                       const float* upstream = from + (o * q + k) * c;
                       const auto add = [&](std::int64_t row, std::int64_t column, float weight) {
                         float* target = into + (row * w + column) * c;
                         for (std::int64_t i = 0; i < width; ++i) target[i] += weight * upstream[i];
                       };
                       add(down.low, across.low, (1 - down.weight) * (1 - across.weight));
                       add(down.low, across.high, (1 - down.weight) * across.weight);
                       add(down.high, across.low, down.weight * (1 - across.weight));
                       add(down.high, across.high, down.weight * across.weight);
                     }
                   }
                 }
               });
}

void CpuBackend::upsample_concat(View y, ConstView low, ConstView skip) {
  check::upsample_concat(y, low, skip);
  require_f32("upsample_concat", y);
  const std::int64_t h = y.shape[1], w = y.shape[2], c = y.shape[3], a = low.shape[3], b = skip.shape[3];
  parallel_for(y.shape[0] * h, rows_per_chunk(w * c), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t low_row = row / h * (h / 2) + row % h / 2;
      const float* from_low = low.as<float>() + low_row * (w / 2) * a;
      const float* from_skip = skip.as<float>() + row * w * b;
      float* out = y.as<float>() + row * w * c;
      for (std::int64_t j = 0; j < w; ++j) {
        copy_floats(out + j * c, from_low + j / 2 * a, a);
        copy_floats(out + j * c + a, from_skip + j * b, b);
      }
    }
  });
}

void CpuBackend::upsample_concat_backward(View d_low, View d_skip, ConstView d_y) {
  check::upsample_concat_backward(d_low, d_skip, d_y);
  require_f32("upsample_concat_backward", d_low);
  const std::int64_t h = d_low.shape[1], w = d_y.shape[2], c = d_y.shape[3], a = d_low.shape[3], b = d_skip.shape[3];
  parallel_for(d_low.shape[0] * h, rows_per_chunk(2 * w * c), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const float* top = d_y.as<float>() + 2 * row * w * c;
      const float* bottom = top + w * c;
      float* low = d_low.as<float>() + row * (w / 2) * a;
      float* skip = d_skip.as<float>() + 2 * row * w * b;
      for (std::int64_t j = 0; j < w / 2; ++j) {
        const std::int64_t left = 2 * j * c, right = left + c;
#pragma omp simd
        for (std::int64_t i = 0; i < a; ++i)
          low[j * a + i] = (top[left + i] + top[right + i]) + (bottom[left + i] + bottom[right + i]);
      }
      for (std::int64_t j = 0; j < 2 * w; ++j) copy_floats(skip + j * b, top + j * c + a, b);
    }
  });
}

}  // namespace counterfoil
