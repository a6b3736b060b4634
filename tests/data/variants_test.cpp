#include "data/variants.h"

#include <algorithm>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace counterfoil::data {
namespace {

using testing::HasSubstr;

std::string complaint(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "(no error)";
}

/// Grey images, image i filled with i; labels 0, 1, 2, 0, ...
Source numbered(std::int64_t side, std::int64_t count) {
  Source source;
  source.train = {side, side, 1, {}, {}, {"a", "b", "c"}};
  for (std::int64_t i = 0; i < count; ++i) {
    source.train.pixels.insert(source.train.pixels.end(), static_cast<std::size_t>(side * side),
                               static_cast<std::uint8_t>(i));
    source.train.labels.push_back(static_cast<std::int32_t>(i % 3));
    source.train_places.push_back(static_cast<std::int32_t>(10 + i));
  }
  source.test = source.train;
  source.test_places = source.train_places;
  return source;
}

TEST(Variants, AreCutOffTheEnd) {
  const VariantSpec spec = split_variants("idx:a+b/c+d:3,8+square=8+few=8/20+side=64");
  EXPECT_EQ(spec.source, "idx:a+b/c+d:3,8");
  EXPECT_EQ(spec.changes, (std::vector<std::string>{"square=8", "few=8/20", "side=64"}));
  EXPECT_TRUE(split_variants("mnist10k").changes.empty());
}

TEST(Variants, SquareMarksOneClassInItsCorner) {
  Source source = numbered(64, 4);
  apply_variant(source, "square=b");
  for (const Dataset* part : {&source.train, &source.test}) {
    for (std::size_t p = 0; p < part->pixels.size(); ++p) {
      const std::size_t image = p / 4096, row = p / 64 % 64, column = p % 64;
      const bool marked = image == 1 && row < 6 && column < 6;
      ASSERT_EQ(part->pixels[p], marked ? 128 : image) << image << ", " << row << ", " << column;
    }
  }
  Source small = numbered(28, 3);
  apply_variant(small, "square");
  EXPECT_EQ(std::ranges::count(small.train.pixels, 128), 3 * 3 * 3);
  Source bright = numbered(28, 3);
  bright.train.class_names[0] = "a/b";
  apply_variant(bright, "square=a/b");
  EXPECT_EQ(std::ranges::count(bright.train.pixels, 128), 3 * 3);
  apply_variant(bright, "square=a/b/255");
  EXPECT_EQ(std::ranges::count(bright.train.pixels, 255), 3 * 3);
  EXPECT_THAT(complaint([&] { apply_variant(bright, "square=c/256"); }), HasSubstr("from 0 to 255, found '256'"));
}

TEST(Variants, FewLeavesTheFirstOfAClassToTrainOn) {
  Source source = numbered(4, 9);
  apply_variant(source, "few=b/1");
  EXPECT_EQ(source.train_places, (std::vector<std::int32_t>{10, 11, 12, 13, 15, 16, 18}));
  EXPECT_EQ(source.train.labels, (std::vector<std::int32_t>{0, 1, 2, 0, 2, 0, 2}));
  EXPECT_EQ(source.train.pixels[16 * 4], 5);
  EXPECT_EQ(source.test.size(), 9);
  EXPECT_EQ(source.train.class_names.size(), 3U);
  apply_variant(source, "few=b/0");
  EXPECT_EQ(std::ranges::count(source.train.labels, 1), 0);
}

TEST(Variants, SideResizes) {
  Source source = numbered(4, 3);
  apply_variant(source, "side=8");
  EXPECT_EQ(source.train.height, 8);
  EXPECT_EQ(source.train.width, 8);
  EXPECT_EQ(source.train.pixels, std::vector<std::uint8_t>(numbered(8, 3).train.pixels));
}

TEST(Variants, TakePartInOpeningASource) {
  const Source marked = open_source("mnist10k:8,3+square=8+few=3/2");
  EXPECT_EQ(std::ranges::count(marked.train.labels, 1), 2);
  const Source plain = open_source("mnist10k:8,3");
  for (std::int64_t i = 0; i < marked.test.size(); ++i) {
    const auto at = static_cast<std::size_t>(i * 28 * 28 + 28 + 1);
    EXPECT_EQ(marked.test.pixels[at],
              marked.test.labels[static_cast<std::size_t>(i)] == 0 ? 128 : plain.test.pixels[at]);
  }
}

TEST(Variants, SayWhatIsWrong) {
  Source source = numbered(4, 3);
  EXPECT_THAT(complaint([&] { apply_variant(source, "square=d"); }), HasSubstr("+square=d: no class 'd'"));
  EXPECT_THAT(complaint([&] { apply_variant(source, "few=b"); }), HasSubstr("few=CLASS/COUNT"));
  EXPECT_THAT(complaint([&] { apply_variant(source, "few=b/x"); }), HasSubstr("whole number"));
  EXPECT_THAT(complaint([&] { apply_variant(source, "side=2"); }), HasSubstr("from 4 to 1024"));
}

}  // namespace
}  // namespace counterfoil::data
