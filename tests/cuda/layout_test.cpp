#include "kernels/cuda/layout.h"

#include <gtest/gtest.h>

namespace counterfoil::cuda {
namespace {

TEST(CudaLayout, DivisorDividesEveryDividendBelow2To31) {
  constexpr std::int64_t kLast = (std::int64_t{1} << 31) - 1;
  for (const std::int64_t divisor :
       {std::int64_t{1}, std::int64_t{2}, std::int64_t{3}, std::int64_t{7}, std::int64_t{10}, std::int64_t{255},
        std::int64_t{65536}, std::int64_t{65537}, std::int64_t{641}, std::int64_t{1} << 30, kLast - 1, kLast}) {
    const Divisor<std::uint32_t> by(divisor);
    const auto expect = [&](std::int64_t n) {
      if (n < 0 || n > kLast) return;
      EXPECT_EQ(by.divide(static_cast<std::uint32_t>(n)), n / divisor) << n << " / " << divisor;
    };
    // Around the multiples, where a quotient is first wrong.
    for (std::int64_t step = 0; step < 1000; ++step) {
      const std::int64_t multiple = kLast / 1000 * step / divisor * divisor;
      for (const std::int64_t off : {-1, 0, 1}) expect(multiple + off);
    }
    for (std::int64_t n = 0; n < 3000; ++n) expect(n);
    for (std::int64_t n = kLast - 3000; n <= kLast; ++n) expect(n);
  }
}

TEST(CudaLayout, MergesWhatEveryArrayAllows) {
  const Shape images{4, 5, 6, 3};
  const Layout<2> same(images, {strides_of(images), strides_of(images)});
  EXPECT_EQ(same.rank, 1);
  EXPECT_EQ(same.extents[0], 360);
  const Layout<2> channels(images, {strides_of(images), strides_of(Shape{1, 1, 1, 3})});
  ASSERT_EQ(channels.rank, 2);
  EXPECT_EQ(channels.extents[0], 3);
  EXPECT_EQ(channels.extents[1], 120);
  EXPECT_EQ(channels.strides[1][0], 1);
  EXPECT_EQ(channels.strides[1][1], 0);
  const Layout<2> scalar(images, {strides_of(images), strides_of(Shape{1, 1, 1, 1})});
  ASSERT_EQ(scalar.rank, 1);
  EXPECT_EQ(scalar.strides[1][0], 0);
  const Layout<2> space(images, {strides_of(images), strides_of(Shape{4, 1, 1, 3})});
  EXPECT_EQ(space.rank, 3);
  EXPECT_EQ(Layout<1>(Shape{}, {Axes{}}).rank, 0);
}

/// The offsets of a position, from coordinates.
template <typename Index>
void expect_offsets(const Shape& space, const Shape& repeated, std::int64_t position) {
  const Layout<2> layout(space, {strides_of(space), strides_of(repeated)});
  const Axes strides = strides_of(repeated);
  std::int64_t rest = position, expected = 0;
  for (int axis = space.rank(); axis-- > 0;) {
    expected += rest % space[axis] * strides[static_cast<std::size_t>(axis)];
    rest /= space[axis];
  }
  Index found[2];
  Walk<Index, 2>(layout).find(static_cast<Index>(position), found);
  EXPECT_EQ(static_cast<std::int64_t>(found[0]), position);
  EXPECT_EQ(static_cast<std::int64_t>(found[1]), expected);
}

TEST(CudaLayout, FindsOffsetsIn32And64Bits) {
  const Shape space{3, 4, 5, 2, 7};
  for (const Shape& repeated :
       {Shape{3, 4, 5, 2, 7}, Shape{1, 4, 1, 2, 1}, Shape{3, 1, 5, 1, 7}, Shape{1, 1, 1, 1, 1}}) {
    for (std::int64_t i = 0; i < space.size(); ++i) {
      expect_offsets<std::uint32_t>(space, repeated, i);
      expect_offsets<std::uint64_t>(space, repeated, i);
    }
  }
}

TEST(CudaLayout, FindsOffsetsPast2To31) {
  const Shape space{70000, 7, 65537, 3};
  const Shape repeated{70000, 1, 65537, 1};
  for (const std::int64_t position :
       {std::int64_t{1} << 31, (std::int64_t{1} << 32) - 1, (std::int64_t{1} << 32) + 12345, space.size() - 1}) {
    expect_offsets<std::uint64_t>(space, repeated, position);
  }
}

TEST(CudaLayout, ChoosesTheIndexThatHoldsTheReach) {
  const auto bytes = [](const Shape& space, const Shape& x) {
    std::size_t chosen = 0;
    with_index(Layout<1>(space, {strides_of(x)}).reach(), [&](auto index) { chosen = sizeof index; });
    return chosen;
  };
  const std::int64_t half = std::int64_t{1} << 30;
  EXPECT_EQ(bytes({half, 1}, {half, 1}), 4u);
  EXPECT_EQ(bytes({half, 2}, {half, 1}), 8u) << "a small array, but many positions";
  EXPECT_EQ(bytes({half - 1, 2}, {half - 1, 2}), 4u);
  // Few positions far apart: a column of a matrix of 2^32 elements.
  Layout<1> column;
  column.append(1 << 16, {1 << 16});
  EXPECT_GT(column.reach(), std::int64_t{1} << 31);
}

}  // namespace
}  // namespace counterfoil::cuda
