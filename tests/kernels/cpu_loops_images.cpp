#include <algorithm>

#include "kernels/error.h"
#include "tests/kernels/cpu_loops.h"

namespace counterfoil::cpu_loops {
namespace {

TEST(CpuLoopsImages, SeparableFilter) {
  for (const Shape& x : {Shape{0, 3, 3, 1}, Shape{1, 1, 1, 1}, Shape{2, 4, 3, 2}, Shape{1, 1, 9, 3},
                         Shape{2, 28, 28, 1}, Shape{1, 33, 70, 3}}) {
    for (const auto& [rows, columns] : {std::pair{1, 1}, std::pair{3, 5}, std::pair{11, 1}, std::pair{15, 15}}) {
      for (const Border border : {Border::zero, Border::replicate}) {
        const std::vector<Floats> in{uniform(x, 1), uniform({rows}, 2), uniform({columns}, 3)};
        const std::string what =
            "separable_filter " + x.to_string() + " " + std::to_string(rows) + "x" + std::to_string(columns);
        expect_like_reference(
            x, in,
            [border](Backend& b, View out, const std::vector<ConstView>& a) {
              b.separable_filter(out, a[0], a[1], a[2], border);
            },
            {1e-6, 1e-5}, what);
        expect_like_reference(
            x, in,
            [border](Backend& b, View out, const std::vector<ConstView>& a) {
              b.separable_filter_backward(out, a[0], a[1], a[2], border);
            },
            {1e-6, 1e-5}, what + " backward");
      }
    }
  }
  Floats x(Shape{1, 3, 3, 1}), even(Shape{4}), odd(Shape{3});
  EXPECT_THROW(cpu().separable_filter(x.view(), x.view(), even.view(), odd.view(), Border::zero), Error);
}

TEST(CpuLoopsImages, AffineWarp) {
  for (const auto& [x, y] :
       {std::pair{Shape{2, 7, 9, 3}, Shape{2, 7, 9, 3}}, std::pair{Shape{1, 1, 1, 1}, Shape{1, 5, 4, 1}},
        std::pair{Shape{3, 28, 28, 1}, Shape{3, 13, 40, 1}}, std::pair{Shape{0, 2, 2, 1}, Shape{0, 3, 3, 1}}}) {
    Floats theta = uniform({x[0], 2, 3}, 1);
    for (std::size_t i = 0; i < theta.data.size(); ++i)
      theta.data[i] = theta.data[i] * 0.4f + (i % 6 == 0 || i % 6 == 4 ? 1.0f : 0.0f);
    expect_like_reference(
        y, {uniform(x, 2), theta},
        [](Backend& b, View out, const std::vector<ConstView>& a) { b.affine_warp(out, a[0], a[1]); }, {1e-6, 1e-6},
        "affine_warp " + x.to_string());
    expect_like_reference(
        x, {uniform(y, 2), theta},
        [](Backend& b, View out, const std::vector<ConstView>& a) { b.affine_warp_backward(out, a[0], a[1]); },
        {1e-6, 1e-5}, "affine_warp_backward " + x.to_string());
  }
}

TEST(CpuLoopsImages, AffineWarpIdentityFarAndNan) {
  const Floats x = uniform({1, 5, 6, 2}, 1);
  Floats y(x.shape), theta(Shape{1, 2, 3});
  theta.data = {1, 0, 0, 0, 1, 0};
  cpu().affine_warp(y.view(), x.view(), theta.view());
  expect_close(y.data, std::vector<double>(x.data.begin(), x.data.end()), {0, 1e-6}, "identity");
  for (const float far : {1e30f, -1e30f, std::nanf(""), HUGE_VALF}) {
    theta.data[2] = far;
    cpu().affine_warp(y.view(), x.view(), theta.view());
    EXPECT_EQ(y.data, std::vector<float>(x.data.size(), 0)) << far;
  }
}

TEST(CpuLoopsImages, Distances) {
  for (const auto& [m, n, d] : {std::tuple{0, 3, 4}, std::tuple{1, 1, 1}, std::tuple{5, 7, 2}, std::tuple{3, 130, 17},
                                std::tuple{70, 66, 100}, std::tuple{4, 4, 5000}, std::tuple{2, 3, 0}}) {
    const std::vector<Floats> in{uniform({m, d}, 1), uniform({n, d}, 2)};
    expect_like_reference(
        {m, n}, in, [](Backend& b, View out, const std::vector<ConstView>& a) { b.pairwise_distance(out, a[0], a[1]); },
        {1e-6, 1e-9}, "pairwise_distance");
  }
}

// The table's distances and nearest_row's are the same bits, and the first of equals wins.
TEST(CpuLoopsImages, NearestRow) {
  for (const auto& [m, n, d] :
       {std::tuple{0, 3, 4}, std::tuple{1, 1, 3}, std::tuple{37, 200, 5}, std::tuple{18, 67, 50}}) {
    const Floats queries = grid({m, d}, 1, -1, 1), base = grid({n, d}, 2, -1, 1);
    Floats table(Shape{m, n}), distance(Shape{m});
    Indices index(Shape{m});
    cpu().pairwise_distance(table.view(), queries.view(), base.view());
    for (const int threads : {1, 2}) {
      const Threads scope(threads);
      cpu().nearest_row(distance.view(), index.view(), queries.view(), base.view());
      for (int i = 0; i < m; ++i) {
        const auto row = table.data.begin() + i * n;
        const auto best = std::min_element(row, row + n);
        EXPECT_EQ(distance.data[static_cast<std::size_t>(i)], *best);
        EXPECT_EQ(index.data[static_cast<std::size_t>(i)], best - row);
      }
    }
  }
  Floats queries(Shape{2, 3}), none(Shape{0, 3}), distance(Shape{2});
  Indices index(Shape{2});
  EXPECT_THROW(cpu().nearest_row(distance.view(), index.view(), queries.view(), none.view()), Error);
}

TEST(CpuLoopsImages, ConnectedComponents) {
  for (const Shape& shape :
       {Shape{0, 3, 3}, Shape{1, 1, 1}, Shape{3, 1, 40}, Shape{3, 40, 1}, Shape{5, 28, 28}, Shape{2, 63, 65}}) {
    for (const int neighbours : {4, 8}) {
      for (const int density : {1, 2, 3}) {
        Floats mask = grid(shape, 3, 0, 3);
        for (float& value : mask.data) value = value < static_cast<float>(density) ? -2.5f : 0.0f;
        Indices want(shape), got(shape);
        reference().connected_components(want.view(), mask.view(), neighbours);
        const Threads scope(2);
        cpu().connected_components(got.view(), mask.view(), neighbours);
        EXPECT_EQ(got.data, want.data) << shape.to_string() << " " << neighbours << " " << density;
      }
    }
  }
}

// A spiral: one region whose first pixel in row order is far from most of it along the path.
TEST(CpuLoopsImages, ConnectedComponentsOfASpiral) {
  Floats mask(Shape{1, 5, 6});
  mask.data = {1, 1, 1, 1, 1, 0,  //
               0, 0, 0, 0, 1, 0,  //
               1, 1, 1, 0, 1, 0,  //
               1, 0, 0, 0, 1, 0,  //
               1, 1, 1, 1, 1, 1};
  Indices labels(mask.shape);
  cpu().connected_components(labels.view(), mask.view(), 4);
  for (std::size_t i = 0; i < mask.data.size(); ++i) EXPECT_EQ(labels.data[i], mask.data[i] != 0 ? 1 : 0);
}

}  // namespace
}  // namespace counterfoil::cpu_loops
