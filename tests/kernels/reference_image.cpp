#include <limits>
#include <numeric>

#include "tests/kernels/reference.h"

namespace counterfoil::test {
namespace {

TEST(ReferenceImage, SeparableFilterOfAnImpulseIsTheOuterProduct) {
  Doubles x({1, 5, 5, 1}), y({1, 5, 5, 1});
  x[12] = 1;  // the centre
  const Doubles down({3}, {1, 2, 3}), across({5}, {10, 20, 30, 40, 50});
  reference().separable_filter(y, x, down, across, Border::zero);
  // Cross-correlation: the taps come out turned around.
  EXPECT_EQ(y.data, (std::vector<double>{0,  0,  0,  0,  0,  150, 120, 90, 60, 30, 100, 80, 60,
                                         40, 20, 50, 40, 30, 20,  10,  0,  0,  0,  0,   0}));
}

TEST(ReferenceImage, ReplicatedBorderKeepsAConstant) {
  Doubles x({1, 4, 3, 2}), y({1, 4, 3, 2});
  reference().fill(x, 5);
  const Doubles down({5}, {0.1, 0.2, 0.4, 0.2, 0.1}), across({3}, {0.25, 0.5, 0.25});
  reference().separable_filter(y, x, down, across, Border::replicate);
  expect_near(y, x, 1e-14);
  reference().separable_filter(y, x, down, across, Border::zero);
  EXPECT_NEAR(y[0], 5 * 0.7 * 0.75, 1e-14);
}

TEST(ReferenceImage, SeparableFilterBackwardIsTheAdjoint) {
  const Doubles down = scattered({5}, 1), across = scattered({7}, 2);
  for (const Border border : {Border::zero, Border::replicate}) {
    expect_adjoint(
        {2, 6, 4, 3}, {2, 6, 4, 3},
        [&](View y, ConstView x) { reference().separable_filter(y, x, down, across, border); },
        [&](View d_x, ConstView d_y) { reference().separable_filter_backward(d_x, d_y, down, across, border); });
  }
}

TEST(ReferenceImage, AffineWarpMovesTurnsAndScales) {
  Doubles x({1, 3, 4, 1}), y({1, 3, 4, 1});
  std::iota(x.data.begin(), x.data.end(), 1.0);
  reference().affine_warp(y, x, Doubles({1, 2, 3}, {1, 0, 0, 0, 1, 0}));
  expect_near(y, x, 1e-14);
  // One column is 2 / 4 of the coordinate range: y shows x one column further right.
  reference().affine_warp(y, x, Doubles({1, 2, 3}, {1, 0, 0.5, 0, 1, 0}));
  expect_near(y, Doubles({1, 3, 4, 1}, {2, 3, 4, 0, 6, 7, 8, 0, 10, 11, 12, 0}), 1e-14);
  // A half turn, and the mirror image.
  reference().affine_warp(y, x, Doubles({1, 2, 3}, {-1, 0, 0, 0, -1, 0}));
  expect_near(y, Doubles({1, 3, 4, 1}, {12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}), 1e-13);
  reference().affine_warp(y, x, Doubles({1, 2, 3}, {-1, 0, 0, 0, 1, 0}));
  expect_near(y, Doubles({1, 3, 4, 1}, {4, 3, 2, 1, 8, 7, 6, 5, 12, 11, 10, 9}), 1e-13);
  // Half a pixel down: the mean of neighbouring rows, and zero enters at the edge.
  reference().affine_warp(y, x, Doubles({1, 2, 3}, {1, 0, 0, 0, 1, 1.0 / 3}));
  expect_near(y, Doubles({1, 3, 4, 1}, {3, 4, 5, 6, 7, 8, 9, 10, 4.5, 5, 5.5, 6}), 1e-13);
}

TEST(ReferenceImage, AffineWarpBackwardIsTheAdjoint) {
  const Doubles theta({2, 2, 3}, {0.9, 0.3, 0.1, -0.2, 1.1, -0.3, 1.7, 0, 0, 0.4, 0.5, 0.2});
  expect_adjoint(
      {2, 5, 4, 2}, {2, 6, 7, 2}, [&](View y, ConstView x) { reference().affine_warp(y, x, theta); },
      [&](View d_x, ConstView d_y) { reference().affine_warp_backward(d_x, d_y, theta); });
}

TEST(ReferenceImage, WildTransformsReadNothing) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Doubles y({2, 2, 2, 1});
  reference().affine_warp(y, scattered({2, 2, 2, 1}, 1),
                          Doubles({2, 2, 3}, {1e300, 0, 0, 0, 1, 0, 1, 0, nan, 0, 1, 0}));
  EXPECT_EQ(y.data, std::vector<double>(8));
}

TEST(ReferenceImage, DistancesAndNearestRows) {
  const Doubles a({2, 2}, {0, 0, 3, 4}), b({3, 2}, {3, 4, 0, 1, 0, -1});
  Doubles table({2, 3}), distance({2});
  Indices index({2});
  reference().pairwise_distance(table, a, b);
  EXPECT_EQ(table.data, (std::vector<double>{25, 1, 1, 0, 18, 34}));
  reference().nearest_row(distance, index, a, b);
  EXPECT_EQ(distance.data, (std::vector<double>{1, 0}));
  EXPECT_EQ(index.data, (std::vector<std::int32_t>{1, 0}));
}

TEST(ReferenceImage, ConnectedComponentsAreNumberedByTheirFirstPixel) {
  const Doubles mask(
      {
          1,
          4,
          5,
      },
      {0, 0, 1, 0, 1,  //
       1, 0, 1, 0, 1,  //
       0, 1, 1, 0, 0,  //
       0, 0, 0, 1, 1});
  Indices labels({1, 4, 5});
  reference().connected_components(labels, mask, 4);
  EXPECT_EQ(labels.data, (std::vector<std::int32_t>{0, 0, 1, 0, 2, 3, 0, 1, 0, 2, 0, 1, 1, 0, 0, 0, 0, 0, 4, 4}));
  reference().connected_components(labels, mask, 8);
  EXPECT_EQ(labels.data, (std::vector<std::int32_t>{0, 0, 1, 0, 2, 1, 0, 1, 0, 2, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1}));
}

TEST(ReferenceImage, ConnectedComponentsStartAnewInEveryImage) {
  Indices labels({2, 1, 3});
  reference().connected_components(labels, Doubles({2, 1, 3}, {1, 0, 1, 1, 1, 0}), 8);
  EXPECT_EQ(labels.data, (std::vector<std::int32_t>{1, 0, 2, 1, 1, 0}));
}

}  // namespace
}  // namespace counterfoil::test
