#include <algorithm>
#include <cstdint>

#include "kernels/checks.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"
#include "kernels/require_f32.h"

namespace counterfoil {

namespace {

using namespace cpu;

// Rows [begin, end) of a window that starts at `origin`, inside [0, extent).
struct Range {
  std::int64_t begin, end;
};
Range window(std::int64_t origin, std::int64_t kernel, std::int64_t extent) {
  return {std::max<std::int64_t>(origin, 0), std::min(origin + kernel, extent)};
}

// Rows of output per chunk, for rows of `elements` floats.
std::int64_t rows_per_chunk(std::int64_t elements) {
  return std::max<std::int64_t>(1, kElementGrain / std::max<std::int64_t>(elements, 1));
}

// Calls body(first channel, lanes) for the channels in vectors' worths.
template <typename Body>
void for_channel_blocks(std::int64_t channels, Body&& body) {
  std::int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) body(c, kLanes);
  if (c < channels) body(c, channels - c);
}

// Runs body(image, first channel, lanes) over blocks of channels of whole images: writes to one image stay in order.
template <typename Body>
void for_image_blocks(std::int64_t images, std::int64_t pixels, std::int64_t channels, Body&& body) {
  const std::int64_t block = 32, blocks = chunk_count(channels, block);
  const std::int64_t elements = std::max<std::int64_t>(pixels * std::min(channels, block), 1);
  parallel_for(images * blocks, std::max<std::int64_t>(1, kElementGrain / elements),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t task = begin; task < end; ++task) {
                   const std::int64_t c = task % blocks * block;
                   body(task / blocks, c, std::min(block, channels - c));
                 }
               });
}

}  // namespace

void CpuBackend::max_pool(View y, View index, ConstView x, const PoolGeometry& g) {
  check::max_pool(y, index, x, g);
  require_f32("max_pool", y);
  const std::int64_t h = x.shape[1], w = x.shape[2], c = x.shape[3], p = y.shape[1], q = y.shape[2];
  parallel_for(y.shape[0] * p, rows_per_chunk(q * c * g.kernel_h), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const float* image = x.as<float>() + row / p * h * w * c;
      const Range rows = window(row % p * g.stride_h - g.pad_top, g.kernel_h, h);
      for (std::int64_t column = 0; column < q; ++column) {
        const Range columns = window(column * g.stride_w - g.pad_left, g.kernel_w, w);
        const std::int64_t out = (row * q + column) * c;
        for_channel_blocks(c, [&](std::int64_t first, std::int64_t lanes) {
          const std::int64_t start = rows.begin * w + columns.begin;
          Lanes best = load(image + start * c + first, lanes);
          LaneMask winner = LaneMask{} + static_cast<std::int32_t>(start);
          for (std::int64_t i = rows.begin; i < rows.end; ++i) {
            for (std::int64_t j = columns.begin; j < columns.end; ++j) {
              const std::int64_t position = i * w + j;
              const Lanes value = load(image + position * c + first, lanes);
              const LaneMask takes = (value > best) | ((value != value) & (best == best));
              best = takes ? value : best;
              winner = takes ? LaneMask{} + static_cast<std::int32_t>(position) : winner;
            }
          }
          store(y.as<float>() + out + first, best, lanes);
          std::memcpy(index.as<std::int32_t>() + out + first, &winner, static_cast<std::size_t>(lanes) * 4);
        });
      }
    }
  });
}

void CpuBackend::pool_scatter(View d_x, ConstView d_y, ConstView index) {
  check::pool_scatter(d_x, d_y, index);
  require_f32("pool_scatter", d_x);
  const std::int64_t c = d_x.shape[3], pixels = d_x.shape[1] * d_x.shape[2], outputs = d_y.shape[1] * d_y.shape[2];
  for_image_blocks(d_x.shape[0], pixels, c, [&](std::int64_t image, std::int64_t first, std::int64_t lanes) {
    float* into = d_x.as<float>() + image * pixels * c + first;
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) std::fill_n(into + pixel * c, lanes, 0.0F);
    for (std::int64_t out = 0; out < outputs; ++out) {
      const std::int64_t at = (image * outputs + out) * c + first;
      const std::int32_t* winners = index.as<std::int32_t>() + at;
      const float* values = d_y.as<float>() + at;
      for (std::int64_t i = 0; i < lanes; ++i) into[winners[i] * c + i] += values[i];
    }
  });
}

void CpuBackend::pool_gather(View y, ConstView x, ConstView index) {
  check::pool_gather(y, x, index);
  require_f32("pool_gather", y);
  const std::int64_t c = x.shape[3], pixels = x.shape[1] * x.shape[2], outputs = y.shape[1] * y.shape[2];
  parallel_for(y.shape[0] * outputs, rows_per_chunk(c), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t out = begin; out < end; ++out) {
      const float* from = x.as<float>() + out / outputs * pixels * c;
      const std::int32_t* winners = index.as<std::int32_t>() + out * c;
      float* values = y.as<float>() + out * c;
      for (std::int64_t i = 0; i < c; ++i) values[i] = from[winners[i] * c + i];
    }
  });
}

namespace {

// The divisor of the window of output (row, column): its cells inside the image, or inside the padded image.
float pool_divisor(const PoolGeometry& g, std::int64_t h, std::int64_t w, std::int64_t row, std::int64_t column) {
  const std::int64_t top = row * g.stride_h - g.pad_top, left = column * g.stride_w - g.pad_left;
  if (g.count_padding) {
    return static_cast<float>((std::min(top + g.kernel_h, h + g.pad_bottom) - top) *
                              (std::min(left + g.kernel_w, w + g.pad_right) - left));
  }
  const Range rows = window(top, g.kernel_h, h), columns = window(left, g.kernel_w, w);
  return static_cast<float>((rows.end - rows.begin) * (columns.end - columns.begin));
}

}  // namespace

void CpuBackend::avg_pool(View y, ConstView x, const PoolGeometry& g) {
  check::avg_pool(y, x, g);
  require_f32("avg_pool", y);
  const std::int64_t h = x.shape[1], w = x.shape[2], c = x.shape[3], p = y.shape[1], q = y.shape[2];
  parallel_for(y.shape[0] * p, rows_per_chunk(q * c * g.kernel_h), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const float* image = x.as<float>() + row / p * h * w * c;
      const Range rows = window(row % p * g.stride_h - g.pad_top, g.kernel_h, h);
      for (std::int64_t column = 0; column < q; ++column) {
        const Range columns = window(column * g.stride_w - g.pad_left, g.kernel_w, w);
        const float divisor = pool_divisor(g, h, w, row % p, column);
        float* out = y.as<float>() + (row * q + column) * c;
        for_channel_blocks(c, [&](std::int64_t first, std::int64_t lanes) {
          Lanes sum{};
          for (std::int64_t i = rows.begin; i < rows.end; ++i)
            for (std::int64_t j = columns.begin; j < columns.end; ++j)
              sum += load(image + (i * w + j) * c + first, lanes);
          store(out + first, sum / divisor, lanes);
        });
      }
    }
  });
}

void CpuBackend::avg_pool_backward(View d_x, ConstView d_y, const PoolGeometry& g) {
  check::avg_pool_backward(d_x, d_y, g);
  require_f32("avg_pool_backward", d_x);
  const std::int64_t h = d_x.shape[1], w = d_x.shape[2], c = d_x.shape[3], p = d_y.shape[1], q = d_y.shape[2];
  // The outputs whose window holds the pixel at `position` (counted from the padded edge).
  const auto outputs_of = [](std::int64_t position, std::int64_t kernel, std::int64_t stride, std::int64_t extent) {
    return Range{chunk_count(std::max<std::int64_t>(position - kernel + 1, 0), stride),
                 std::min(position / stride + 1, extent)};
  };
  parallel_for(d_x.shape[0] * h, rows_per_chunk(w * c), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const float* image = d_y.as<float>() + row / h * p * q * c;
      const Range rows = outputs_of(row % h + g.pad_top, g.kernel_h, g.stride_h, p);
      for (std::int64_t column = 0; column < w; ++column) {
        const Range columns = outputs_of(column + g.pad_left, g.kernel_w, g.stride_w, q);
        float* into = d_x.as<float>() + (row * w + column) * c;
        for_channel_blocks(c, [&](std::int64_t first, std::int64_t lanes) {
          Lanes sum{};
          for (std::int64_t i = rows.begin; i < rows.end; ++i)
            for (std::int64_t j = columns.begin; j < columns.end; ++j)
              sum += load(image + (i * q + j) * c + first, lanes) * (1.0F / pool_divisor(g, h, w, i, j));
          store(into + first, sum, lanes);
        });
      }
    }
  });
}

}  // namespace counterfoil
