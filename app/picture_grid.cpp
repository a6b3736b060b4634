#include "app/picture_grid.h"

#include <algorithm>

#include "data/stb.h"
#include "kernels/error.h"

namespace counterfoil::app {

namespace {

constexpr std::int64_t kSide = 56, kMargin = 8, kGap = 2, kGroupGap = 10, kTitle = 16;
constexpr std::uint8_t kInk = 60;

class Canvas {
 public:
  Canvas(std::int64_t height, std::int64_t width)
      : image_{height, width, 3, std::vector<std::uint8_t>(static_cast<std::size_t>(height * width * 3), 255)} {}

  void paste(const data::Image& picture, std::int64_t top, std::int64_t left, std::int64_t zoom) {
    for (std::int64_t y = 0; y < picture.height * zoom; ++y) {
      for (std::int64_t x = 0; x < picture.width * zoom; ++x) {
        const auto from = static_cast<std::size_t>((y / zoom * picture.width + x / zoom) * picture.channels);
        for (std::int64_t c = 0; c < 3; ++c)
          at(top + y, left + x, c) = picture.pixels[from + static_cast<std::size_t>(std::min(c, picture.channels - 1))];
      }
    }
  }

  void write(const std::string& text, std::int64_t top, std::int64_t left) {
    for (const data::stb::Rectangle& stroke : data::stb::letters(text)) {
      const std::int64_t bottom = std::min(image_.height, top + stroke.bottom);
      const std::int64_t right = std::min(image_.width, left + stroke.right);
      for (std::int64_t y = top + stroke.top; y < bottom; ++y) {
        for (std::int64_t x = left + stroke.left; x < right; ++x) {
          for (std::int64_t c = 0; c < 3; ++c) at(y, x, c) = kInk;
        }
      }
    }
  }

  data::Image image() && { return std::move(image_); }

 private:
  std::uint8_t& at(std::int64_t y, std::int64_t x, std::int64_t c) {
    return image_.pixels[static_cast<std::size_t>((y * image_.width + x) * 3 + c)];
  }

  data::Image image_;
};

}  // namespace

data::Image render_grid(const std::vector<GridRow>& rows, std::size_t group) {
  std::int64_t height = 0, width = 0;
  std::size_t columns = 0;
  for (const GridRow& row : rows) {
    columns = std::max(columns, row.pictures.size());
    for (const data::Image& picture : row.pictures) {
      if (picture.pixels.empty()) continue;
      if (height != 0 && (picture.height != height || picture.width != width)) {
        fail("picture grid: {} has a picture of {} x {}, another is {} x {}", row.title, picture.height, picture.width,
             height, width);
      }
      height = picture.height;
      width = picture.width;
    }
  }
  if (height == 0) fail("picture grid: no pictures");
  const std::int64_t zoom = std::max<std::int64_t>(1, (kSide + height - 1) / height);
  const auto left_of = [&](std::size_t column) {
    const auto gaps = static_cast<std::int64_t>(column), groups = static_cast<std::int64_t>(column / group);
    return kMargin + gaps * (width * zoom + kGap) + groups * (kGroupGap - kGap);
  };
  const std::int64_t row_height = kTitle + height * zoom + kGap;
  Canvas canvas(2 * kMargin + static_cast<std::int64_t>(rows.size()) * row_height,
                left_of(columns - 1) + width * zoom + kMargin);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::int64_t top = kMargin + static_cast<std::int64_t>(i) * row_height;
    canvas.write(rows[i].title, top + 3, kMargin);
    for (std::size_t column = 0; column < rows[i].pictures.size(); ++column) {
      const data::Image& picture = rows[i].pictures[column];
      if (!picture.pixels.empty()) canvas.paste(picture, top + kTitle, left_of(column), zoom);
    }
  }
  return std::move(canvas).image();
}

}  // namespace counterfoil::app
