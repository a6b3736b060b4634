#include "data/synthetic.h"

#include <algorithm>
#include <cmath>

#include "kernels/error.h"
#include "tensor/random.h"

namespace counterfoil::data {

namespace {

constexpr std::int64_t kSide = 28;

using Canvas = std::vector<double>;  // [kSide,kSide], 0 to 1

double& at(Canvas& canvas, std::int64_t row, std::int64_t column) {
  return canvas[static_cast<std::size_t>(row * kSide + column)];
}

// Paints, without erasing, a disc that fades to nothing between `radius` and `radius` + 1.
void paint_disc(Canvas& canvas, double row, double column, double radius, double value) {
  for (std::int64_t r = 0; r < kSide; ++r) {
    for (std::int64_t c = 0; c < kSide; ++c) {
      const double distance = std::hypot(static_cast<double>(r) - row, static_cast<double>(c) - column);
      const double edge = std::clamp(radius + 1 - distance, 0.0, 1.0);
      at(canvas, r, c) = std::max(at(canvas, r, c), value * edge);
    }
  }
}

// The left half of a ring and its right half: together closed, alone open.
void paint_half_ring(Canvas& canvas, double row, double column, double radius, bool right, double value) {
  for (std::int64_t r = 0; r < kSide; ++r) {
    for (std::int64_t c = 0; c < kSide; ++c) {
      const double down = static_cast<double>(r) - row, along = static_cast<double>(c) - column;
      if ((along >= 0) != right) continue;
      const double edge = std::clamp(1.5 - std::abs(std::hypot(down, along) - radius), 0.0, 1.0);
      at(canvas, r, c) = std::max(at(canvas, r, c), value * edge);
    }
  }
}

void append(Dataset& dataset, const Canvas& canvas, std::int32_t label) {
  for (const double value : canvas) {
    dataset.pixels.push_back(static_cast<std::uint8_t>(std::lround(255 * std::clamp(value, 0.0, 1.0))));
  }
  dataset.labels.push_back(label);
}

// Both classes of one drawing.
struct Drawing {
  Canvas without, with;
};

Drawing draw(Difference difference, Random& random) {
  Drawing drawing;
  Canvas canvas(kSide * kSide);
  for (double& pixel : canvas) pixel = 0.1 * random.uniform();
  const double value = 0.7 + 0.3 * random.uniform();
  if (difference == Difference::stroke) {
    const double row = 12 + 4 * random.uniform(), column = 12 + 4 * random.uniform();
    const double radius = 5 + 3 * random.uniform();
    paint_half_ring(canvas, row, column, radius, false, value);
    drawing = {canvas, canvas};
    paint_half_ring(drawing.with, row, column, radius, true, value);
  } else {
    paint_disc(canvas, 12 + 4 * random.uniform(), 12 + 4 * random.uniform(), 2 + 2 * random.uniform(), value);
    drawing = {canvas, canvas};
    const std::uint64_t corner = random.integer(4);
    paint_disc(drawing.with, corner < 2 ? 5 : 22, corner % 2 == 0 ? 5 : 22, 2, value);
  }
  return drawing;
}

}  // namespace

SyntheticPairs synthetic_pairs(Difference difference, std::int64_t count, std::uint64_t seed) {
  if (count < 0 || count > 1000000) fail("synthetic: expected 0 to 1000000 images, found {}", count);
  Random random(seed, difference == Difference::stroke ? "synthetic.stroke" : "synthetic.blob");
  SyntheticPairs pairs;
  pairs.images = {kSide, kSide, 1, {}, {}, {"without", "with"}};
  pairs.twins = pairs.images;
  for (std::int64_t i = 0; i < count; ++i) {
    const Drawing drawing = draw(difference, random);
    const auto label = static_cast<std::int32_t>(i % 2);
    append(pairs.images, label == 1 ? drawing.with : drawing.without, label);
    append(pairs.twins, label == 1 ? drawing.without : drawing.with, 1 - label);
  }
  for (std::size_t i = 0; i < pairs.images.pixels.size(); ++i) {
    pairs.masks.push_back(pairs.images.pixels[i] != pairs.twins.pixels[i] ? 1 : 0);
  }
  return pairs;
}

ColouredDigits coloured_digits(const Dataset& grey, std::uint64_t seed) {
  if (grey.channels != 1) fail("coloured digits: expected grey images, found {} channels", grey.channels);
  Random random(seed, "coloured digits");
  ColouredDigits coloured;
  coloured.digits = {grey.height, grey.width,      3, std::vector<std::uint8_t>(grey.pixels.size() * 3),
                     grey.labels, grey.class_names};
  const std::size_t pixels = static_cast<std::size_t>(grey.height * grey.width);
  for (std::size_t i = 0; i < grey.labels.size(); ++i) {
    const auto colour = static_cast<std::size_t>(random.integer(3));
    coloured.colour.push_back(static_cast<std::int32_t>(colour));
    for (std::size_t p = i * pixels; p < (i + 1) * pixels; ++p) coloured.digits.pixels[p * 3 + colour] = grey.pixels[p];
  }
  return coloured;
}

}  // namespace counterfoil::data
