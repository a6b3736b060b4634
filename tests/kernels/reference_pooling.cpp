#include <limits>

#include "tests/kernels/reference.h"

namespace counterfoil::test {
namespace {

TEST(ReferencePooling, MaxPoolNamesItsWinners) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Doubles x({1, 3, 4, 1}, {1, 2, 5, 5, 4, 3, 5, 0, nan, 9, -1, -2});
  Doubles y({1, 2, 2, 1});
  Indices index({1, 2, 2, 1});
  const PoolGeometry geometry = {.pad_bottom = 1};
  reference().max_pool(y, index, x, geometry);
  EXPECT_EQ(index.data, (std::vector<std::int32_t>{4, 2, 8, 10}));
  EXPECT_EQ(y[0], 4);
  EXPECT_EQ(y[1], 5);
  EXPECT_TRUE(std::isnan(y[2]));
  EXPECT_EQ(y[3], -1);
}

TEST(ReferencePooling, ScatterIsTheAdjointOfGatherAndAddsOverlaps) {
  const PoolGeometry geometry = PoolGeometry::square(3, 1, 1);
  const Shape shape = {2, 5, 4, 3};
  const Doubles x = scattered(shape, 1);
  Doubles y(shape), gathered(shape);
  Indices index(shape);
  reference().max_pool(y, index, x, geometry);
  reference().pool_gather(gathered, x, index);
  EXPECT_EQ(gathered.data, y.data);
  expect_adjoint(
      shape, shape, [&](View out, ConstView in) { reference().pool_gather(out, in, index); },
      [&](View out, ConstView in) { reference().pool_scatter(out, in, index); });
}

TEST(ReferencePooling, AveragePoolCountsPaddingOnlyWhenAsked) {
  const Doubles x({1, 2, 2, 1}, {1, 2, 3, 4});
  Doubles y({1, 1, 1, 1});
  PoolGeometry geometry = {.kernel_h = 3, .kernel_w = 3, .pad_top = 1, .pad_left = 1};
  reference().avg_pool(y, x, geometry);
  EXPECT_EQ(y[0], 2.5);
  geometry.count_padding = true;
  reference().avg_pool(y, x, geometry);
  EXPECT_EQ(y[0], 10.0 / 9);
}

TEST(ReferencePooling, AveragePoolBackwardIsTheAdjoint) {
  for (const bool count_padding : {false, true}) {
    const PoolGeometry geometry = {.kernel_h = 3,
                                   .kernel_w = 2,
                                   .stride_h = 2,
                                   .stride_w = 1,
                                   .pad_top = 1,
                                   .pad_right = 1,
                                   .count_padding = count_padding};
    const Shape x = {2, 6, 5, 3};
    expect_adjoint(
        x, pool_output_shape(x, geometry), [&](View out, ConstView in) { reference().avg_pool(out, in, geometry); },
        [&](View out, ConstView in) { reference().avg_pool_backward(out, in, geometry); });
  }
}

TEST(ReferenceResize, NearestTakesTheFloor) {
  const Doubles x({1, 1, 3, 1}, {1, 2, 3});
  Doubles up({1, 1, 5, 1}), down({1, 1, 2, 1});
  reference().resize(up, x, ResizeMode::nearest);
  EXPECT_EQ(up.data, (std::vector<double>{1, 1, 2, 2, 3}));
  reference().resize(down, x, ResizeMode::nearest);
  EXPECT_EQ(down.data, (std::vector<double>{1, 2}));
}

TEST(ReferenceResize, BilinearUsesHalfPixelCentres) {
  const Doubles x({1, 1, 2, 1}, {0, 4});
  Doubles doubled({1, 1, 4, 1}), halved({1, 1, 1, 1});
  reference().resize(doubled, x, ResizeMode::bilinear);
  EXPECT_EQ(doubled.data, (std::vector<double>{0, 1, 3, 4}));
  reference().resize(halved, x, ResizeMode::bilinear);
  EXPECT_EQ(halved[0], 2.0);
}

TEST(ReferenceResize, BilinearReproducesPlanes) {
  // A linear ramp stays linear wherever the source coordinate is not clamped.
  const std::int64_t height = 6, width = 7, p = 10, q = 17;
  Doubles x({1, height, width, 1}), y({1, p, q, 1});
  for (std::int64_t i = 0; i < x.size(); ++i)
    x[i] = 3.0 * static_cast<double>(i / width) - static_cast<double>(i % width);
  reference().resize(y, x, ResizeMode::bilinear);
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const double h = (static_cast<double>(i / q) + 0.5) * 0.6 - 0.5,
                 w = (static_cast<double>(i % q) + 0.5) * 7 / 17 - 0.5;
    if (h < 0 || w < 0 || h > 5 || w > 6) continue;
    EXPECT_NEAR(y[i], 3 * h - w, 1e-13);
  }
}

TEST(ReferenceResize, BackwardIsTheAdjoint) {
  for (const ResizeMode mode : {ResizeMode::nearest, ResizeMode::bilinear}) {
    for (const Shape& y : {Shape{2, 10, 3, 2}, Shape{2, 1, 1, 2}, Shape{2, 5, 4, 2}, Shape{2, 3, 9, 2}}) {
      expect_adjoint(
          {2, 5, 4, 2}, y, [&](View out, ConstView in) { reference().resize(out, in, mode); },
          [&](View out, ConstView in) { reference().resize_backward(out, in, mode); });
    }
  }
}

TEST(ReferenceResize, UpsampleConcatIsResizeThenConcat) {
  const Doubles low = scattered({2, 3, 2, 3}, 1), skip = scattered({2, 6, 4, 2}, 2);
  Doubles up({2, 6, 4, 3}), expected({2, 6, 4, 5}), y({2, 6, 4, 5});
  reference().resize(up, low, ResizeMode::nearest);
  reference().concat(expected, std::vector<ConstView>{up, skip}, 3);
  reference().upsample_concat(y, low, skip);
  EXPECT_EQ(y.data, expected.data);
}

TEST(ReferenceResize, UpsampleConcatBackwardIsTheAdjoint) {
  const Doubles low = scattered({2, 3, 2, 3}, 1), skip = scattered({2, 6, 4, 2}, 2), d_y = scattered({2, 6, 4, 5}, 3);
  Doubles y({2, 6, 4, 5}), d_low(low.shape), d_skip(skip.shape);
  reference().upsample_concat(y, low, skip);
  reference().upsample_concat_backward(d_low, d_skip, d_y);
  EXPECT_NEAR(dot(y, d_y), dot(low, d_low) + dot(skip, d_skip), 1e-12);
}

}  // namespace
}  // namespace counterfoil::test
