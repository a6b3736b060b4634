#include <algorithm>

#include "kernels/checks.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/parallel.h"
#include "kernels/require_f32.h"
#include "kernels/scratch.h"

namespace counterfoil {

namespace {

using cpu::parallel_for;

// One axis of the filter: y[o] = sum over t of taps[t] x[o + t - radius], where positions outside [0, extent) are
// dropped (zero border) or moved to the edge (replicate).
class Taps {
 public:
  Taps(ConstView taps, Border border, bool adjoint)
      : taps_(taps.as<float>()), radius_(taps.size() / 2), border_(border), adjoint_(adjoint) {}

  std::int64_t radius() const { return radius_; }

  /// The weight of source position `from` in result position `to`, for an axis of `extent` positions. The adjoint's
  /// result positions are the filter's sources.
  float weight(std::int64_t to, std::int64_t from, std::int64_t extent) const {
    const std::int64_t source = adjoint_ ? to : from;
    const std::int64_t centre = adjoint_ ? from : to;
    std::int64_t low = source - centre + radius_, high = low;
    if (border_ == Border::replicate) {  // an edge gathers every tap that falls beyond it
      if (source == 0) low = 0;
      if (source == extent - 1) high = 2 * radius_;
    }
    float sum = 0;
    for (std::int64_t t = std::max<std::int64_t>(0, low); t <= std::min(high, 2 * radius_); ++t) sum += taps_[t];
    return sum;
  }

  /// The same far from both edges, by distance.
  float interior_weight(std::int64_t distance) const { return taps_[radius_ + (adjoint_ ? -distance : distance)]; }

 private:
  const float* taps_;
  std::int64_t radius_;
  Border border_;
  bool adjoint_;
};

void add_scaled(float* y, const float* x, float weight, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) y[i] += weight * x[i];
}

// Along W: the pixels away from the edges in one sweep per tap, the others one by one.
void filter_row(float* y, const float* x, const Taps& taps, std::int64_t width, std::int64_t channels) {
  std::fill_n(y, width * channels, 0.0f);
  const std::int64_t radius = taps.radius();
  const std::int64_t first = std::min(width, radius), last = std::max(first, width - radius);
  for (std::int64_t distance = -radius; distance <= radius && first < last; ++distance) {
    add_scaled(y + first * channels, x + (first + distance) * channels, taps.interior_weight(distance),
               (last - first) * channels);
  }
  for (std::int64_t to = 0; to < width; ++to) {
    if (to == first) to = last;
    if (to == width) break;
    for (std::int64_t from = std::max<std::int64_t>(0, to - radius); from <= std::min(width - 1, to + radius); ++from) {
      add_scaled(y + to * channels, x + from * channels, taps.weight(to, from, width), channels);
    }
  }
}

// Along W into scratch, then along H.
void filter(View y, ConstView x, const Taps& rows, const Taps& columns, Device& device) {
  const std::int64_t height = x.shape[1], width = x.shape[2], channels = x.shape[3], length = width * channels;
  if (x.size() == 0) return;
  const Scratch scratch(device, static_cast<std::size_t>(x.size()) * sizeof(float));
  auto* const between = scratch.as<float>();
  const std::int64_t grain = std::max<std::int64_t>(1, cpu::kElementGrain / length);
  parallel_for(x.shape[0] * height, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      filter_row(between + row * length, x.as<float>() + row * length, columns, width, channels);
    }
  });
  parallel_for(x.shape[0] * height, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t to = row % height;
      const float* const image = between + (row - to) * length;
      float* const target = y.as<float>() + row * length;
      std::fill_n(target, length, 0.0f);
      for (std::int64_t from = std::max<std::int64_t>(0, to - rows.radius());
           from <= std::min(height - 1, to + rows.radius()); ++from) {
        add_scaled(target, image + from * length, rows.weight(to, from, height), length);
      }
    }
  });
}

}  // namespace

void CpuBackend::separable_filter(View y, ConstView x, ConstView row_taps, ConstView column_taps, Border border) {
  check::separable_filter("separable_filter", y, x, row_taps, column_taps);
  require_f32("separable_filter", y);
  filter(y, x, Taps(row_taps, border, false), Taps(column_taps, border, false), device_);
}

void CpuBackend::separable_filter_backward(View d_x, ConstView d_y, ConstView row_taps, ConstView column_taps,
                                           Border border) {
  check::separable_filter("separable_filter_backward", d_x, d_y, row_taps, column_taps);
  require_f32("separable_filter_backward", d_x);
  filter(d_x, d_y, Taps(row_taps, border, true), Taps(column_taps, border, true), device_);
}

}  // namespace counterfoil
