#include "kernels/cpu/few_channels.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/tap_kernels.h"
#include "kernels/scratch.h"

namespace counterfoil::cpu {

namespace {

constexpr double kLeastFlops = 1e6;
constexpr std::int64_t kMostPartials = 16;
// Floats of padded input that one band of rows may need, so that it stays in the second-level cache.
constexpr std::int64_t kWindowFloats = 1 << 16;

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a >= 0 ? a / b : -((b - 1 - a) / b);
}

std::int64_t rounded_up(std::int64_t value) {
  return chunk_count(value, kLanes) * kLanes;
}

// A rectangle of an image, from row `top` and column `left` on, both of which may lie outside: zero there.
struct Window {
  std::int64_t top, left, rows, columns;
  std::int64_t floats(std::int64_t channels) const { return rows * columns * channels; }
};

void copy_window(float* out, const float* image, const Window& window, std::int64_t height, std::int64_t width,
                 std::int64_t channels) {
  const std::int64_t begin = std::clamp<std::int64_t>(-window.left, 0, window.columns);
  const std::int64_t end = std::clamp<std::int64_t>(width - window.left, begin, window.columns);
  for (std::int64_t i = 0; i < window.rows; ++i) {
    float* row = out + i * window.columns * channels;
    const std::int64_t from = window.top + i;
    if (from < 0 || from >= height) {
      std::fill_n(row, window.columns * channels, 0.0F);
      continue;
    }
    std::fill(row, row + begin * channels, 0.0F);
    const float* source = image + (from * width + window.left + begin) * channels;
    std::copy(source, source + (end - begin) * channels, row + begin * channels);
    std::fill(row + end * channels, row + window.columns * channels, 0.0F);
  }
}

// Bands of `rows` rows for each image, and how many bands make one chunk of work.
struct Bands {
  Bands(std::int64_t images, std::int64_t extent, std::int64_t floats_per_row, double flops, std::int64_t most_chunks) {
    const std::int64_t wanted = std::clamp<std::int64_t>(static_cast<std::int64_t>(flops / kLeastFlops), 1, 64);
    const std::int64_t pieces =
        std::max(chunk_count(wanted, images), chunk_count(extent * floats_per_row, kWindowFloats));
    rows = chunk_count(extent, std::min(pieces, extent));
    per_image = chunk_count(extent, rows);
    count = images * per_image;
    per_chunk = std::max(chunk_count(count, wanted), chunk_count(count, most_chunks));
  }
  std::int64_t chunks() const { return chunk_count(count, per_chunk); }

  std::int64_t rows, per_image, count, per_chunk;
};

// The taps of one phase of an input gradient: the pixels (h, w) of d_x with (h + pad_top) % stride_h == row and
// (w + pad_left) % stride_w == column see the same weights, shifted.
struct Phase {
  std::int64_t row, column;
  std::vector<std::int64_t> offsets;
  const float* weights;
};

}  // namespace

bool has_few_channels(const ConvolutionExtents& extents, const Conv2dGeometry& geometry) {
  return geometry.groups == 1 && (extents.c <= kFew || extents.k <= kFew);
}

void few_channels_forward(Device& device, float* y, const float* x, const float* weight, const float* bias,
                          const ConvolutionExtents& e, const Conv2dGeometry& g, Activation activation, float slope) {
  const bool broadcasts = e.c <= kFew;
  const Window whole{.top = -g.pad_top,
                     .left = -g.pad_left,
                     .rows = 0,
                     .columns = (e.q - 1) * g.stride_w + g.dilation_w * (e.s - 1) + 1};
  // Without padding the image is its own window.
  const bool copies = g.pad_top > 0 || g.pad_bottom > 0 || g.pad_left > 0 || g.pad_right > 0;
  const std::int64_t columns = copies ? whole.columns : e.w;
  const std::int64_t row_floats = columns * e.c;
  const Bands bands(e.n, e.p, row_floats * g.stride_h, e.flops(), 64);
  const std::int64_t window_rows = (bands.rows - 1) * g.stride_h + e.reach;

  std::vector<std::int64_t> offsets;
  for (std::int64_t r = 0; r < e.r; ++r)
    for (std::int64_t s = 0; s < e.s; ++s)
      for (std::int64_t c = 0; c < (broadcasts ? e.c : 1); ++c)
        offsets.push_back(r * g.dilation_h * row_floats + s * g.dilation_w * e.c + c);

  const std::int64_t ld = rounded_up(e.k), taps = static_cast<std::int64_t>(offsets.size());
  const std::int64_t weight_floats = broadcasts ? taps * ld : 0;
  const std::int64_t window_floats = copies ? rounded_up(window_rows * row_floats) : 0;
  const Scratch scratch(device,
                        sizeof(float) * static_cast<std::size_t>(weight_floats + thread_count() * window_floats));
  auto* turned = scratch.as<float>();
  if (broadcasts) {
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      for (std::int64_t k = 0; k < e.k; ++k) turned[tap * ld + k] = weight[k * taps + tap];
      std::fill(turned + tap * ld + e.k, turned + (tap + 1) * ld, 0.0F);
    }
  }
  parallel_for(bands.count, bands.per_chunk, [&](std::int64_t begin, std::int64_t end) {
    float* room = turned + weight_floats + worker_index() * window_floats;
    for (std::int64_t band = begin; band < end; ++band) {
      const std::int64_t image = band / bands.per_image, first = band % bands.per_image * bands.rows;
      const std::int64_t rows = std::min(bands.rows, e.p - first);
      const float* from = x + image * e.h * e.w * e.c;
      if (copies) {
        Window window = whole;
        window.top += first * g.stride_h;
        window.rows = (rows - 1) * g.stride_h + e.reach;
        copy_window(room, from, window, e.h, e.w, e.c);
      }
      float* out = y + (image * e.p + first) * e.q * e.k;
      const TapGrid grid{.rows = rows,
                         .columns = e.q,
                         .in = copies ? room : from + first * g.stride_h * row_floats,
                         .in_row = g.stride_h * row_floats,
                         .in_column = g.stride_w * e.c,
                         .out = out,
                         .out_row = e.q * e.k,
                         .out_column = e.k,
                         .offsets = offsets.data(),
                         .taps = taps,
                         .bias = bias};
      if (broadcasts)
        broadcast_taps(grid, turned, ld, e.k);
      else
        dot_taps(grid, weight, e.c, e.k);
      apply_epilogue(out, e.k, rows * e.q, e.k, nullptr, activation, slope);
    }
  });
}

// d_x[h, w, c] = sum over (r, s, k) with stride p = h + pad - dilation r of d_y[p, q, k] weight[k, r, s, c]: for each
// phase of (h + pad) modulo the stride a convolution of d_y with stride 1.
void few_channels_input_grad(Device& device, float* d_x, const float* d_y, const float* weight,
                             const ConvolutionExtents& e, const Conv2dGeometry& g) {
  const bool broadcasts = e.k <= kFew;
  const std::int64_t reach_w = g.dilation_w * (e.s - 1) + 1;
  // The rows of d_y that rows [first, last) of d_x look at.
  const auto window_of = [&](std::int64_t first, std::int64_t last) {
    const std::int64_t top = floor_divide(first + g.pad_top - e.reach + 1, g.stride_h);
    const std::int64_t left = floor_divide(g.pad_left - reach_w + 1, g.stride_w);
    return Window{.top = top,
                  .left = left,
                  .rows = floor_divide(last - 1 + g.pad_top, g.stride_h) - top + 1,
                  .columns = floor_divide(e.w - 1 + g.pad_left, g.stride_w) - left + 1};
  };
  const std::int64_t row_floats = window_of(0, e.h).columns * e.k;
  const Bands bands(e.n, e.h, chunk_count(row_floats, g.stride_h), e.flops(), 64);
  const std::int64_t window_floats = rounded_up((chunk_count(bands.rows + e.reach, g.stride_h) + 2) * row_floats);

  const std::int64_t ld = rounded_up(e.c);
  const std::int64_t weight_floats = e.r * e.s * e.k * (broadcasts ? ld : e.c);
  const Scratch scratch(device,
                        sizeof(float) * static_cast<std::size_t>(weight_floats + thread_count() * window_floats));
  auto* turned = scratch.as<float>();
  std::vector<Phase> phases;
  for (std::int64_t row = 0; row < std::min<std::int64_t>(g.stride_h, e.h); ++row) {
    for (std::int64_t column = 0; column < std::min<std::int64_t>(g.stride_w, e.w); ++column) {
      Phase phase{.row = row, .column = column, .offsets = {}, .weights = turned};
      const auto sees = [](std::int64_t at, std::int64_t tap, std::int64_t stride) { return (at - tap) % stride == 0; };
      std::vector<std::int64_t> sources;  // of each tap in weight[k]
      for (std::int64_t r = 0; r < e.r; ++r) {
        for (std::int64_t s = 0; s < e.s; ++s) {
          if (!sees(row, r * g.dilation_h, g.stride_h) || !sees(column, s * g.dilation_w, g.stride_w)) continue;
          const std::int64_t offset =
              (row - r * g.dilation_h) / g.stride_h * row_floats + (column - s * g.dilation_w) / g.stride_w * e.k;
          sources.push_back((r * e.s + s) * e.c);
          for (std::int64_t k = 0; k < (broadcasts ? e.k : 1); ++k) phase.offsets.push_back(offset + k);
        }
      }
      const std::int64_t per_k = e.r * e.s * e.c;
      if (broadcasts) {  // [tap, k][c]
        for (const std::int64_t source : sources) {
          for (std::int64_t k = 0; k < e.k; ++k, turned += ld) {
            std::copy_n(weight + k * per_k + source, e.c, turned);
            std::fill(turned + e.c, turned + ld, 0.0F);
          }
        }
      } else {  // [c][tap][k]
        for (std::int64_t c = 0; c < e.c; ++c)
          for (const std::int64_t source : sources)
            for (std::int64_t k = 0; k < e.k; ++k) *turned++ = weight[k * per_k + source + c];
      }
      phases.push_back(std::move(phase));
    }
  }
  parallel_for(bands.count, bands.per_chunk, [&](std::int64_t begin, std::int64_t end) {
    float* room = scratch.as<float>() + weight_floats + worker_index() * window_floats;
    for (std::int64_t band = begin; band < end; ++band) {
      const std::int64_t image = band / bands.per_image, first = band % bands.per_image * bands.rows;
      const std::int64_t last = std::min(first + bands.rows, e.h);
      const Window window = window_of(first, last);
      copy_window(room, d_y + image * e.p * e.q * e.k, window, e.p, e.q, e.k);
      for (const Phase& phase : phases) {
        // The phase's first pixel in the band: h + pad = stride i + phase.row.
        const std::int64_t i = -floor_divide(-(first + g.pad_top - phase.row), g.stride_h);
        const std::int64_t j = -floor_divide(-(g.pad_left - phase.column), g.stride_w);
        const std::int64_t h = g.stride_h * i + phase.row - g.pad_top, w = g.stride_w * j + phase.column - g.pad_left;
        if (h >= last || w >= e.w) continue;
        const TapGrid grid{.rows = chunk_count(last - h, g.stride_h),
                           .columns = chunk_count(e.w - w, g.stride_w),
                           .in = room + (i - window.top) * row_floats + (j - window.left) * e.k,
                           .in_row = row_floats,
                           .in_column = e.k,
                           .out = d_x + ((image * e.h + h) * e.w + w) * e.c,
                           .out_row = g.stride_h * e.w * e.c,
                           .out_column = g.stride_w * e.c,
                           .offsets = phase.offsets.data(),
                           .taps = static_cast<std::int64_t>(phase.offsets.size()),
                           .bias = nullptr};
        if (broadcasts)
          broadcast_taps(grid, phase.weights, ld, e.c);
        else
          dot_taps(grid, phase.weights, e.k, e.c);
      }
    }
  });
}

void few_channels_weight_grad(Device& device, float* d_weight, const float* x, const float* d_y,
                              const ConvolutionExtents& e, const Conv2dGeometry& g) {
  const bool correlates = e.c <= kFew;
  const Window whole{.top = -g.pad_top,
                     .left = -g.pad_left,
                     .rows = 0,
                     .columns = (e.q - 1) * g.stride_w + g.dilation_w * (e.s - 1) + 1};
  const std::int64_t row_floats = whole.columns * e.c;
  const Bands bands(e.n, e.p, row_floats * g.stride_h, e.flops(), kMostPartials);
  const std::int64_t window_rows = (bands.rows - 1) * g.stride_h + e.reach;
  const std::int64_t window_floats = correlates ? rounded_up(window_rows * row_floats) : 0;
  // correlate_taps sums [r, s, c][k], outer_products [k][r, s, c].
  const std::int64_t taps = e.r * e.s * e.c, ld = correlates ? rounded_up(e.k) : taps;
  const std::int64_t partial_floats = rounded_up(correlates ? taps * ld : e.k * taps);

  std::vector<std::int64_t> offsets;
  for (std::int64_t r = 0; r < e.r; ++r)
    for (std::int64_t s = 0; s < e.s; ++s)
      for (std::int64_t c = 0; c < e.c; ++c)
        offsets.push_back(r * g.dilation_h * row_floats + s * g.dilation_w * e.c + c);

  const Scratch scratch(device, sizeof(float) * static_cast<std::size_t>(bands.chunks() * partial_floats +
                                                                         thread_count() * window_floats));
  auto* partials = scratch.as<float>();
  parallel_for(bands.count, bands.per_chunk, [&](std::int64_t begin, std::int64_t end) {
    float* sums = partials + begin / bands.per_chunk * partial_floats;
    float* room = partials + bands.chunks() * partial_floats + worker_index() * window_floats;
    std::fill_n(sums, partial_floats, 0.0F);
    for (std::int64_t band = begin; band < end; ++band) {
      const std::int64_t image = band / bands.per_image, first = band % bands.per_image * bands.rows;
      const std::int64_t last = std::min(first + bands.rows, e.p);
      const float* image_x = x + image * e.h * e.w * e.c;
      const float* image_d_y = d_y + image * e.p * e.q * e.k;
      if (correlates) {
        Window window = whole;
        window.top += first * g.stride_h;
        window.rows = (last - first - 1) * g.stride_h + e.reach;
        copy_window(room, image_x, window, e.h, e.w, e.c);
        const TapGrid grid{.rows = last - first,
                           .columns = e.q,
                           .in = room,
                           .in_row = g.stride_h * row_floats,
                           .in_column = g.stride_w * e.c,
                           .out = const_cast<float*>(image_d_y) + first * e.q * e.k,
                           .out_row = e.q * e.k,
                           .out_column = e.k,
                           .offsets = offsets.data(),
                           .taps = taps,
                           .bias = nullptr};
        correlate_taps(grid, sums, ld, e.k);
        continue;
      }
      for (std::int64_t r = 0; r < e.r; ++r) {
        for (std::int64_t s = 0; s < e.s; ++s) {
          // The outputs whose tap (r, s) lies inside the image.
          const auto inside = [](std::int64_t shift, std::int64_t stride, std::int64_t extent, std::int64_t from,
                                 std::int64_t to) {
            return std::pair(std::max(from, -floor_divide(shift, stride)),
                             std::min(to, floor_divide(extent - 1 - shift, stride) + 1));
          };
          const std::int64_t down = r * g.dilation_h - g.pad_top, across = s * g.dilation_w - g.pad_left;
          const auto [top, bottom] = inside(down, g.stride_h, e.h, first, last);
          const auto [left, right] = inside(across, g.stride_w, e.w, 0, e.q);
          if (top >= bottom || left >= right) continue;
          const OuterGrid grid{.rows = bottom - top,
                               .columns = right - left,
                               .few = image_d_y + (top * e.q + left) * e.k,
                               .many = image_x + ((top * g.stride_h + down) * e.w + left * g.stride_w + across) * e.c,
                               .few_row = e.q * e.k,
                               .few_column = e.k,
                               .many_row = g.stride_h * e.w * e.c,
                               .many_column = g.stride_w * e.c};
          outer_products(grid, sums + (r * e.s + s) * e.c, ld, e.k, e.c);
        }
      }
    }
  });
  for (std::int64_t k = 0; k < e.k; ++k) {
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      const std::int64_t at = correlates ? tap * ld + k : k * ld + tap;
      float sum = 0;
      for (std::int64_t chunk = 0; chunk < bands.chunks(); ++chunk) sum += partials[chunk * partial_floats + at];
      d_weight[k * taps + tap] = sum;
    }
  }
}

}  // namespace counterfoil::cpu
