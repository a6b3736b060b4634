#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/kernels/arrays.h"

namespace counterfoil::test {
namespace {

Backend& cpu() {
  return cpu_device().backend();
}

struct Case {
  Shape x;
  PoolGeometry geometry;

  Shape y() const { return pool_output_shape(x, geometry); }
  std::string name() const {
    return fmt::format("{} kernel {},{} stride {},{}", x.to_string(), geometry.kernel_h, geometry.kernel_w,
                       geometry.stride_h, geometry.stride_w);
  }
};

std::vector<Case> cases() {
  std::vector<Case> list;
  for (const Shape& x : {Shape{5, 28, 28, 32}, Shape{2, 7, 9, 1}, Shape{1, 12, 13, 5}, Shape{3, 8, 8, 70},
                         Shape{1, 33, 31, 16}, Shape{0, 8, 8, 3}}) {
    list.push_back({x, PoolGeometry::square(2, 2)});
    list.push_back({x, PoolGeometry::square(3, 2, 1)});
    list.push_back({x, PoolGeometry::square(3, 1, 1)});
    PoolGeometry uneven{.kernel_h = 3, .kernel_w = 2, .stride_h = 2, .stride_w = 3, .pad_top = 2, .pad_right = 1};
    list.push_back({x, uneven});
    uneven.count_padding = true;
    list.push_back({x, uneven});
  }
  return list;
}

// Calls visit(y index, x index) for every cell inside the image of every window, in row order.
template <typename Visit>
void for_cells(const Case& at, Visit&& visit) {
  const PoolGeometry& g = at.geometry;
  const Shape y = at.y();
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const std::int64_t c = i % y[3], q = i / y[3] % y[2], p = i / y[3] / y[2] % y[1], n = i / y[3] / y[2] / y[1];
    for (std::int64_t r = 0; r < g.kernel_h; ++r)
      for (std::int64_t s = 0; s < g.kernel_w; ++s) {
        const std::int64_t row = p * g.stride_h - g.pad_top + r, column = q * g.stride_w - g.pad_left + s;
        if (row < 0 || row >= at.x[1] || column < 0 || column >= at.x[2]) continue;
        visit(i, ((n * at.x[1] + row) * at.x[2] + column) * at.x[3] + c);
      }
  }
}

TEST(CpuPooling, MaxPoolKeepsTheFirstLargest) {
  for (const Case& at : cases()) {
    Floats x = noise(at.x, 1);
    for (float& value : x.data) value = std::floor(4 * value);  // many ties
    if (x.size() > 40) x[37] = std::numeric_limits<float>::quiet_NaN();
    std::vector<std::int64_t> winner(static_cast<std::size_t>(at.y().size()), -1);
    for_cells(at, [&](std::int64_t y, std::int64_t in) {
      std::int64_t& best = winner[static_cast<std::size_t>(y)];
      if (best < 0 || x[in] > x[best] || (std::isnan(x[in]) && !std::isnan(x[best]))) best = in;
    });
    Array<std::int32_t> index(at.y());
    const Floats y = compute_stably(
        at.y(), [&](View out) { cpu().max_pool(out, index.view(), x.view(), at.geometry); }, at.name());
    const std::int64_t image = at.x[1] * at.x[2] * at.x[3];
    for (std::int64_t i = 0; i < y.size(); ++i) {
      const std::int64_t best = winner[static_cast<std::size_t>(i)];
      ASSERT_TRUE(y[i] == x[best] || (std::isnan(y[i]) && std::isnan(x[best]))) << at.name() << " element " << i;
      ASSERT_EQ(index[i], best % image / at.x[3]) << at.name() << " element " << i;
    }
    // The index carries gradients back and values forward.
    const Floats d_y = noise(at.y(), 2);
    Doubles d_x(at.x);
    for (std::int64_t i = 0; i < d_y.size(); ++i)
      d_x[winner[static_cast<std::size_t>(i)]] += static_cast<double>(d_y[i]);
    expect_close(compute_stably(
                     at.x, [&](View out) { cpu().pool_scatter(out, d_y.view(), index.view()); }, at.name()),
                 d_x, 1e-6, at.name());
    const Floats z = noise(at.x, 3);
    const Floats gathered = compute_stably(
        at.y(), [&](View out) { cpu().pool_gather(out, z.view(), index.view()); }, at.name());
    for (std::int64_t i = 0; i < gathered.size(); ++i) ASSERT_EQ(gathered[i], z[winner[static_cast<std::size_t>(i)]]);
  }
}

TEST(CpuPooling, AveragePoolAndItsAdjoint) {
  for (const Case& at : cases()) {
    const PoolGeometry& g = at.geometry;
    const Floats x = noise(at.x, 1), d_y = noise(at.y(), 2);
    const Shape shape = at.y();
    std::vector<double> cells(static_cast<std::size_t>(shape.size()));
    for_cells(at, [&](std::int64_t y, std::int64_t) { cells[static_cast<std::size_t>(y)] += 1; });
    if (g.count_padding) {
      for (std::int64_t i = 0; i < shape.size(); ++i) {
        const std::int64_t q = i / shape[3] % shape[2], p = i / shape[3] / shape[2] % shape[1];
        const std::int64_t top = p * g.stride_h - g.pad_top, left = q * g.stride_w - g.pad_left;
        cells[static_cast<std::size_t>(i)] =
            static_cast<double>(std::min(top + g.kernel_h, at.x[1] + g.pad_bottom) - top) *
            static_cast<double>(std::min(left + g.kernel_w, at.x[2] + g.pad_right) - left);
      }
    }
    Doubles y(shape), d_x(at.x);
    for_cells(at, [&](std::int64_t out, std::int64_t in) {
      y[out] += static_cast<double>(x[in]) / cells[static_cast<std::size_t>(out)];
      d_x[in] += static_cast<double>(d_y[out]) / cells[static_cast<std::size_t>(out)];
    });
    expect_close(compute_stably(
                     shape, [&](View out) { cpu().avg_pool(out, x.view(), g); }, at.name()),
                 y, 1e-6, at.name());
    expect_close(compute_stably(
                     at.x, [&](View out) { cpu().avg_pool_backward(out, d_y.view(), g); }, at.name()),
                 d_x, 1e-6, at.name());
  }
}

struct Resize {
  Shape x;
  std::int64_t p, q;
};

// Calls visit(output row and column, source row and column, weight).
template <typename Visit>
void for_sources(const Resize& at, ResizeMode mode, Visit&& visit) {
  const auto sources = [&](std::int64_t i, std::int64_t in, std::int64_t out) {
    if (mode == ResizeMode::nearest) return std::vector<std::pair<std::int64_t, double>>{{i * in / out, 1.0}};
    const double at_pixel = (static_cast<double>(i) + 0.5) * static_cast<double>(in) / static_cast<double>(out) - 0.5;
    const double clamped = std::min(std::max(at_pixel, 0.0), static_cast<double>(in - 1));
    const auto low = static_cast<std::int64_t>(clamped);
    const double weight = clamped - static_cast<double>(low);
    return std::vector<std::pair<std::int64_t, double>>{{low, 1 - weight}, {std::min(low + 1, in - 1), weight}};
  };
  for (std::int64_t i = 0; i < at.p; ++i)
    for (std::int64_t j = 0; j < at.q; ++j)
      for (const auto& [row, down] : sources(i, at.x[1], at.p))
        for (const auto& [column, across] : sources(j, at.x[2], at.q)) visit(i, j, row, column, down * across);
}

TEST(CpuResize, NearestAndBilinearWithTheirAdjoints) {
  for (const Resize& at : {Resize{{2, 7, 7, 32}, 14, 14}, Resize{{1, 5, 9, 1}, 7, 4}, Resize{{3, 8, 8, 37}, 3, 11},
                           Resize{{1, 1, 1, 4}, 5, 6}, Resize{{2, 6, 5, 3}, 6, 5}, Resize{{1, 16, 12, 70}, 1, 1}}) {
    for (const ResizeMode mode : {ResizeMode::nearest, ResizeMode::bilinear}) {
      const Shape shape{at.x[0], at.p, at.q, at.x[3]};
      const Floats x = noise(at.x, 1), d_y = noise(shape, 2);
      Doubles y(shape), d_x(at.x);
      const std::int64_t c = at.x[3];
      for (std::int64_t n = 0; n < at.x[0]; ++n)
        for_sources(at, mode,
                    [&](std::int64_t i, std::int64_t j, std::int64_t row, std::int64_t column, double weight) {
                      for (std::int64_t k = 0; k < c; ++k) {
                        const std::int64_t out = ((n * at.p + i) * at.q + j) * c + k;
                        const std::int64_t in = ((n * at.x[1] + row) * at.x[2] + column) * c + k;
                        y[out] += weight * static_cast<double>(x[in]);
                        d_x[in] += weight * static_cast<double>(d_y[out]);
                      }
                    });
      const std::string name = fmt::format("{} to {}x{}", at.x.to_string(), at.p, at.q);
      expect_close(compute_stably(
                       shape, [&](View out) { cpu().resize(out, x.view(), mode); }, name),
                   y, 1e-6, name);
      expect_close(compute_stably(
                       at.x, [&](View out) { cpu().resize_backward(out, d_y.view(), mode); }, name),
                   d_x, 1e-5, name);
    }
  }
}

TEST(CpuResize, UpsampleConcatAndItsAdjoint) {
  for (const auto& [n, h, w, a, b] : std::vector<std::array<std::int64_t, 5>>{
           {2, 7, 7, 32, 32}, {1, 3, 5, 1, 1}, {3, 4, 2, 5, 19}, {0, 4, 4, 3, 2}, {2, 14, 14, 16, 16}}) {
    const Floats low = noise({n, h, w, a}, 1), skip = noise({n, 2 * h, 2 * w, b}, 2);
    const Shape shape{n, 2 * h, 2 * w, a + b};
    const Floats y = compute_stably(
        shape, [&](View out) { cpu().upsample_concat(out, low.view(), skip.view()); }, shape.to_string());
    const Floats d_y = noise(shape, 3);
    Doubles d_low(low.shape), d_skip(skip.shape);
    for (std::int64_t i = 0; i < y.size(); ++i) {
      const std::int64_t c = i % (a + b), pixel = i / (a + b);
      const std::int64_t column = pixel % (2 * w), row = pixel / (2 * w) % (2 * h), image = pixel / (4 * w * h);
      const std::int64_t from_low = ((image * h + row / 2) * w + column / 2) * a + c, from_skip = pixel * b + c - a;
      ASSERT_EQ(y[i], c < a ? low[from_low] : skip[from_skip]);
      (c < a ? d_low[from_low] : d_skip[from_skip]) += static_cast<double>(d_y[i]);
    }
    Floats other_low(low.shape), other_skip(skip.shape);
    expect_close(
        compute_stably(
            low.shape, [&](View out) { cpu().upsample_concat_backward(out, other_skip.view(), d_y.view()); }, "low"),
        d_low, 1e-6, "low");
    expect_close(
        compute_stably(
            skip.shape, [&](View out) { cpu().upsample_concat_backward(other_low.view(), out, d_y.view()); }, "skip"),
        d_skip, 0, "skip");
  }
}

}  // namespace
}  // namespace counterfoil::test
