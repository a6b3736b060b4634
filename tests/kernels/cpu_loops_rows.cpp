#include <algorithm>

#include "kernels/error.h"
#include "tests/kernels/cpu_loops.h"

namespace counterfoil::cpu_loops {
namespace {

const std::vector<Shape> kTables{{0, 3}, {1, 1}, {5, 2}, {64, 10}, {3, 1000}, {7, 33}, {300, 17}};

TEST(CpuLoopsRows, Softmax) {
  for (const Shape& shape : kTables) {
    const Floats x = uniform(shape, 1, -30, 30);
    for (const bool log : {false, true}) {
      const std::string what = describe("softmax", log, shape);
      expect_like_reference(
          shape, {x}, [log](Backend& b, View out, const std::vector<ConstView>& in) { b.softmax(out, in[0], log); },
          {2e-6, 1e-7}, what);
      Floats y(shape);
      cpu().softmax(y.view(), x.view(), log);
      expect_like_reference(
          shape, {y, uniform(shape, 2)},
          [log](Backend& b, View out, const std::vector<ConstView>& in) { b.softmax_backward(out, in[0], in[1], log); },
          {2e-6, 1e-6}, what + " backward");
      Floats in_place = x;
      cpu().softmax(in_place.view(), in_place.view(), log);
      EXPECT_TRUE(same_bits(in_place, y)) << what;
    }
  }
}

TEST(CpuLoopsRows, SoftmaxOfHugeLogits) {
  Floats x(Shape{2, 3}), y(Shape{2, 3});
  x.data = {1e30f, 1e30f, -1e30f, -1000, -1001, -1e38f};
  cpu().softmax(y.view(), x.view(), false);
  EXPECT_FLOAT_EQ(y.data[0], 0.5f);
  EXPECT_EQ(y.data[2], 0);
  EXPECT_FLOAT_EQ(y.data[3], static_cast<float>(1 / (1 + std::exp(-1.0))));
}

TEST(CpuLoopsRows, CrossEntropy) {
  for (const Shape& shape : kTables) {
    const Indices labels = random_indices(shape[0], static_cast<int>(shape[1]), 9);
    const Floats logits = uniform(shape, 1, -20, 20);
    expect_like_reference(
        {shape[0]}, {logits},
        [&](Backend& b, View out, const std::vector<ConstView>& in) { b.cross_entropy(out, in[0], labels.view()); },
        {1e-6, 2e-7}, "cross_entropy " + shape.to_string());
    expect_like_reference(
        shape, {logits, uniform({shape[0]}, 2)},
        [&](Backend& b, View out, const std::vector<ConstView>& in) {
          b.cross_entropy_backward(out, in[0], labels.view(), in[1]);
        },
        {2e-6, 2e-7}, "cross_entropy_backward " + shape.to_string());
  }
}

TEST(CpuLoopsRows, LabelsOutsideAreErrors) {
  const Floats logits(Shape{2, 3}), d_out(Shape{2});
  Floats out(Shape{2}), d_logits(Shape{2, 3});
  for (const std::int32_t bad : {-1, 3}) {
    const Indices labels(Shape{2}, {0, bad});
    EXPECT_THROW(cpu().cross_entropy(out.view(), logits.view(), labels.view()), Error);
    EXPECT_THROW(cpu().cross_entropy_backward(d_logits.view(), logits.view(), labels.view(), d_out.view()), Error);
    Floats gathered(Shape{2, 3}), table(Shape{3, 3});
    EXPECT_THROW(cpu().gather_rows(gathered.view(), table.view(), labels.view()), Error);
    EXPECT_THROW(cpu().scatter_add_rows(table.view(), gathered.view(), labels.view()), Error);
  }
}

TEST(CpuLoopsRows, GatherScatterAndOneHot) {
  for (const std::int64_t width : {1, 3, 16, 65}) {
    for (const std::int64_t rows : {0, 1, 37, 5000}) {
      const Indices index = random_indices(rows, 13, 4);
      expect_like_reference(
          {rows, width}, {uniform({13, width}, 1)},
          [&](Backend& b, View out, const std::vector<ConstView>& in) { b.gather_rows(out, in[0], index.view()); },
          {0, 0}, "gather_rows");
      expect_like_reference(
          {13, width}, {grid({rows, width}, 1)},
          [&](Backend& b, View out, const std::vector<ConstView>& in) { b.scatter_add_rows(out, in[0], index.view()); },
          {0, 0}, "scatter_add_rows");
    }
  }
  const Indices labels(Shape{5}, {2, 0, -1, 3, 1});
  expect_like_reference(
      {5, 3}, {}, [&](Backend& b, View out, const std::vector<ConstView>&) { b.one_hot(out, labels.view()); }, {0, 0},
      "one_hot");
  expect_like_reference(
      {5, 0}, {}, [&](Backend& b, View out, const std::vector<ConstView>&) { b.one_hot(out, labels.view()); }, {0, 0},
      "one_hot");
}

// Sums run in ascending m: 1e8 + 1 + ... loses every 1, while 1 + 1 + ... + 1e8 keeps them.
TEST(CpuLoopsRows, ScatterAddsInOrder) {
  Floats x(Shape{17, 1}, 1), out(Shape{2, 1});
  x.data[0] = 1e8f;
  const Indices all(Shape{17}, 1);
  cpu().scatter_add_rows(out.view(), x.view(), all.view());
  EXPECT_EQ(out.data[1], 1e8f);
  std::ranges::reverse(x.data);
  cpu().scatter_add_rows(out.view(), x.view(), all.view());
  EXPECT_EQ(out.data[1], 1e8f + 16);
}

TEST(CpuLoopsRows, ArgmaxTakesTheFirstAndNanCountsAsLargest) {
  Floats x(Shape{5, 4});
  const float nan = std::nanf("");
  x.data = {1, 3, 3, 2, -1, -1, -1, -1, 0, nan, 9, nan, -HUGE_VALF, -HUGE_VALF, 5, 5, nan, 1, 2, 3};
  Indices index(Shape{5});
  cpu().argmax(index.view(), x.view());
  EXPECT_EQ(index.data, (std::vector<std::int32_t>{1, 0, 1, 2, 0}));
  const Floats wide = grid({50, 999}, 3, -50, 50);
  Indices got(Shape{50}), want(Shape{50});
  cpu().argmax(got.view(), wide.view());
  reference().argmax(want.view(), wide.view());
  EXPECT_EQ(got.data, want.data);
}

TEST(CpuLoopsRows, OrderStatisticIsExact) {
  for (const std::int64_t columns : {1, 2, 17, 784, 5000}) {
    for (const bool ties : {false, true}) {
      const Floats x = ties ? grid({3, columns}, 1) : uniform({3, columns}, 1, -1e5f, 1e5f);
      for (const std::int64_t k : {std::int64_t{0}, columns / 3, columns / 2, columns - 1}) {
        Floats out(Shape{3});
        cpu().order_statistic(out.view(), x.view(), k);
        for (std::int64_t r = 0; r < 3; ++r) {
          std::vector<float> row(x.data.begin() + r * columns, x.data.begin() + (r + 1) * columns);
          std::ranges::sort(row);
          EXPECT_EQ(out.data[static_cast<std::size_t>(r)], row[static_cast<std::size_t>(k)]) << columns << " " << k;
        }
      }
    }
  }
  Floats x(Shape{1, 5}), out(Shape{1});
  x.data = {std::nanf(""), HUGE_VALF, -HUGE_VALF, 0, -1};
  cpu().order_statistic(out.view(), x.view(), 0);
  EXPECT_EQ(out.data[0], -HUGE_VALF);
  cpu().order_statistic(out.view(), x.view(), 3);
  EXPECT_EQ(out.data[0], HUGE_VALF);
  cpu().order_statistic(out.view(), x.view(), 4);
  EXPECT_TRUE(std::isnan(out.data[0]));
  EXPECT_THROW(cpu().order_statistic(out.view(), x.view(), 5), Error);
}

}  // namespace
}  // namespace counterfoil::cpu_loops
