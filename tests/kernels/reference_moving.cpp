#include <limits>
#include <numeric>

#include "kernels/error.h"
#include "tests/kernels/reference.h"

namespace counterfoil::test {
namespace {

Doubles counting(const Shape& shape) {
  Doubles array(shape);
  std::iota(array.data.begin(), array.data.end(), 0.0);
  return array;
}

TEST(ReferenceMoving, FillConvertsItsValue) {
  Array<float> floats({3});
  reference().fill(floats, 0.1);
  EXPECT_EQ(floats.data, (std::vector<float>{0.1F, 0.1F, 0.1F}));
  Array<std::uint8_t> bytes({2});
  reference().fill(bytes, 300);
  EXPECT_EQ(bytes.data, (std::vector<std::uint8_t>{255, 255}));
}

TEST(ReferenceMoving, ConvertRoundsToEvenAndSaturates) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  const Doubles x({10}, {0.5, 1.5, 2.5, -0.5, -1.5, 254.6, 1e30, -1e30, nan, infinity});
  Array<std::uint8_t> bytes({10});
  reference().convert(bytes, x, 1);
  EXPECT_EQ(bytes.data, (std::vector<std::uint8_t>{0, 2, 2, 0, 0, 255, 255, 0, 0, 255}));
  Indices integers({10});
  reference().convert(integers, x, 1);
  constexpr std::int32_t top = std::numeric_limits<std::int32_t>::max();
  EXPECT_EQ(integers.data, (std::vector<std::int32_t>{0, 2, 2, 0, -2, 255, top, -top - 1, 0, top}));
  Array<std::int64_t> wide({10});
  reference().convert(wide, x, 1);
  constexpr std::int64_t wide_top = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(wide.data, (std::vector<std::int64_t>{0, 2, 2, 0, -2, 255, wide_top, -wide_top - 1, 0, wide_top}));
}

TEST(ReferenceMoving, ConvertScalesBytesToTheUnitInterval) {
  const Array<std::uint8_t> bytes({3}, {0, 51, 255});
  Array<float> x({3});
  reference().convert(x, bytes, 1.0 / 255);
  EXPECT_EQ(x.data, (std::vector<float>{0.0F, 0.2F, 1.0F}));
}

TEST(ReferenceMoving, ConvertToBf16RoundsToNearestEven) {
  // bf16 has 8 significant bits: between 1 and 2 a step is 2^-7.
  const Array<float> x({6}, {1.0F, 1.0F + 0x1p-8F, 1.0F + 3 * 0x1p-8F, 1.0F + 0x1.8p-8F, -3.4e38F,
                             std::numeric_limits<float>::quiet_NaN()});
  std::vector<std::uint16_t> storage(6);
  const View bf16 = {storage.data(), Shape{6}, DType::bf16};
  reference().convert(bf16, x, 1);
  Array<float> back({6});
  reference().convert(back, bf16, 1);
  EXPECT_EQ(back[0], 1.0F);
  EXPECT_EQ(back[1], 1.0F);
  EXPECT_EQ(back[2], 1.0F + 0x1p-6F);
  EXPECT_EQ(back[3], 1.0F + 0x1p-7F);
  EXPECT_EQ(back[4], -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(back[5]));
}

TEST(ReferenceMoving, ConvertCopiesExactly) {
  const Array<std::int64_t> x({2}, {std::numeric_limits<std::int64_t>::max() - 1, -(std::int64_t{1} << 60) - 1});
  Array<std::int64_t> y({2});
  reference().convert(y, x, 1);
  EXPECT_EQ(y.data, x.data);
}

TEST(ReferenceMoving, PermutePutsAxesInOrder) {
  const Doubles x = counting({2, 3, 4});
  Doubles y({4, 2, 3});
  reference().permute(y, x, std::vector<int>{2, 0, 1});
  for (std::int64_t i = 0; i < 4; ++i) {
    for (std::int64_t j = 0; j < 2; ++j) {
      for (std::int64_t k = 0; k < 3; ++k) EXPECT_EQ(y[(i * 2 + j) * 3 + k], x[(j * 3 + k) * 4 + i]);
    }
  }
}

TEST(ReferenceMoving, BroadcastRepeatsAndSumIsItsAdjoint) {
  const Doubles x({2, 1, 3}, {1, 2, 3, 4, 5, 6});
  Doubles y({2, 2, 3});
  reference().broadcast(y, x);
  EXPECT_EQ(y.data, (std::vector<double>{1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6}));
  for (const Shape& small : {Shape{1, 4, 1, 3}, Shape{2, 1, 5, 1}, Shape{1, 1, 1, 1}, Shape{2, 4, 5, 3}}) {
    expect_adjoint(
        small, {2, 4, 5, 3}, [](View out, ConstView in) { reference().broadcast(out, in); },
        [](View out, ConstView in) { reference().reduce(ReduceOp::sum, out, in); });
  }
}

TEST(ReferenceMoving, SliceTakesABoxAndPadIsItsAdjoint) {
  const Doubles x = counting({3, 4});
  Doubles y({2, 2});
  reference().slice(y, x, std::vector<std::int64_t>{1, 2});
  EXPECT_EQ(y.data, (std::vector<double>{6, 7, 10, 11}));
  Doubles z({3, 3});
  reference().pad(z, y, std::vector<std::int64_t>{0, 1});
  EXPECT_EQ(z.data, (std::vector<double>{0, 6, 7, 0, 10, 11, 0, 0, 0}));
  const std::vector<std::int64_t> begin = {1, 0, 2, 3, 0};
  expect_adjoint(
      {2, 3, 4, 5, 2}, {1, 3, 2, 1, 2}, [&](View out, ConstView in) { reference().slice(out, in, begin); },
      [&](View out, ConstView in) { reference().pad(out, in, begin); });
}

TEST(ReferenceMoving, ConcatJoinsAlongAnAxis) {
  const Doubles a({2, 1}, {1, 2}), b({2, 2}, {3, 4, 5, 6}), none({2, 0}, {});
  Doubles y({2, 3});
  const std::vector<ConstView> parts = {a, none, b};
  reference().concat(y, parts, 1);
  EXPECT_EQ(y.data, (std::vector<double>{1, 3, 4, 2, 5, 6}));
}

TEST(ReferenceMoving, GatherTakesRowsAndScatterIsItsAdjoint) {
  const Doubles table({3, 2}, {1, 2, 3, 4, 5, 6});
  const Indices index({4}, {2, 0, 2, 1});
  Doubles rows({4, 2});
  reference().gather_rows(rows, table, index);
  EXPECT_EQ(rows.data, (std::vector<double>{5, 6, 1, 2, 5, 6, 3, 4}));
  expect_adjoint(
      {3, 2}, {4, 2}, [&](View out, ConstView in) { reference().gather_rows(out, in, index); },
      [&](View out, ConstView in) { reference().scatter_add_rows(out, in, index); });
  for (const std::int32_t bad : {-1, 3}) {
    EXPECT_THROW(reference().gather_rows(rows, table, Indices({4}, {0, 0, bad, 0})), Error);
  }
}

TEST(ReferenceMoving, OneHotMarksOneColumn) {
  Doubles y({4, 3});
  reference().one_hot(y, Indices({4}, {0, 2, 3, -1}));
  EXPECT_EQ(y.data, (std::vector<double>{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}));
}

TEST(ReferenceMoving, EmptyArraysAreLegal) {
  Doubles none({0, 3}), zeros({2, 3});
  reference().fill(none, 1);
  reference().broadcast(none, Doubles({1, 3}));
  reference().reduce(ReduceOp::sum, zeros, Doubles({2, 3}));
  Doubles sum({1, 3}, {7, 7, 7});
  reference().reduce(ReduceOp::sum, sum, none);
  EXPECT_EQ(sum.data, (std::vector<double>{0, 0, 0}));
  EXPECT_THROW(reference().reduce(ReduceOp::max, sum, none), Error);
}

}  // namespace
}  // namespace counterfoil::test
