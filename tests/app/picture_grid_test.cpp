#include "app/picture_grid.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "data/stb.h"
#include "kernels/error.h"

namespace counterfoil::app {
namespace {

data::Image flat(std::int64_t side, std::int64_t channels, const std::vector<std::uint8_t>& colour) {
  data::Image image{side, side, channels, {}};
  for (std::int64_t i = 0; i < side * side; ++i) image.pixels.insert(image.pixels.end(), colour.begin(), colour.end());
  return image;
}

std::vector<std::uint8_t> pixel(const data::Image& image, std::int64_t y, std::int64_t x) {
  const auto at = image.pixels.begin() + (y * image.width + x) * 3;
  return {at, at + 3};
}

TEST(PictureGrid, PicturesStandMagnifiedInTheirPlaces) {
  const std::vector<std::uint8_t> red = {200, 10, 20}, white = {255, 255, 255};
  const data::Image grid = render_grid({{"", {flat(28, 1, {90}), {}, flat(28, 3, red)}}}, 2);
  EXPECT_EQ(grid.height, 2 * 8 + 16 + 56 + 2);
  EXPECT_EQ(grid.width, 2 * 8 + 3 * 56 + 2 + 10);
  for (const std::int64_t y : {24, 79}) {
    for (const std::int64_t x : {8, 63}) EXPECT_EQ(pixel(grid, y, x), (std::vector<std::uint8_t>{90, 90, 90}));
    for (const std::int64_t x : {66, 121}) EXPECT_EQ(pixel(grid, y, x), white);  // the one without pixels
    for (const std::int64_t x : {132, 187}) EXPECT_EQ(pixel(grid, y, x), red);
  }
  EXPECT_EQ(pixel(grid, 23, 8), white);
  EXPECT_EQ(pixel(grid, 24, 64), white);
}

TEST(PictureGrid, TitlesAreWrittenAboveTheirRows) {
  const auto ink = [](const std::string& title) {
    const data::Image grid = render_grid({{title, {flat(60, 1, {255}), flat(60, 1, {255})}}}, 2);
    return std::ranges::count_if(grid.pixels, [](std::uint8_t value) { return value != 255; });
  };
  EXPECT_EQ(ink(""), 0);
  EXPECT_GT(ink("syce"), 3 * 20);
  EXPECT_NE(ink("syce"), ink("mgen"));
}

TEST(PictureGrid, LettersFillTheirBox) {
  int right = 0, bottom = 0;
  for (const data::stb::Rectangle& stroke : data::stb::letters("progressive-exaggeration")) {
    EXPECT_LT(stroke.left, stroke.right);
    EXPECT_LT(stroke.top, stroke.bottom);
    EXPECT_GE(stroke.left, 0);
    EXPECT_GE(stroke.top, 0);
    right = std::max(right, stroke.right);
    bottom = std::max(bottom, stroke.bottom);
  }
  EXPECT_GT(right, 24 * 4);
  EXPECT_LT(right, 24 * 9);
  EXPECT_LE(bottom, 12);
}

TEST(PictureGrid, WrongPicturesAreRefused) {
  EXPECT_THROW(render_grid({}, 1), Error);
  EXPECT_THROW(render_grid({{"a", {{}}}}, 1), Error);
  EXPECT_THROW(render_grid({{"a", {flat(4, 1, {0}), flat(5, 1, {0})}}}, 1), Error);
}

}  // namespace
}  // namespace counterfoil::app
