#include "methods/attributions/superpixels.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "tests/methods/attributions/perturbed_models.h"

namespace counterfoil::methods {
namespace {

std::vector<std::int64_t> sizes_of(const std::vector<std::int32_t>& labels) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(*std::ranges::max_element(labels)) + 1, 0);
  for (const std::int32_t label : labels) ++sizes.at(static_cast<std::size_t>(label));
  return sizes;
}

/// Labels 0 .. n - 1 by first pixel, each connected; returns n.
std::int64_t expect_segments(const Tensor& labels) {
  EXPECT_EQ(labels.dtype(), DType::i32);
  const std::vector<std::int32_t> values = labels.to_vector<std::int32_t>();
  std::int32_t next = 0;
  for (const std::int32_t label : values) {
    EXPECT_TRUE(label >= 0 && label <= next);
    if (label == next) ++next;
  }
  for (std::int32_t label = 0; label < next; ++label) {
    std::vector<float> mask;
    for (const std::int32_t value : values) mask.push_back(value == label ? 1 : 0);
    const Tensor components = connected_components(Tensor::from(mask, labels.shape(), reference_device()), 4);
    EXPECT_EQ(reduce(ReduceOp::max, components.to(DType::f32)).item(), 1) << label;
  }
  return next;
}

/// A disc of one colour on another.
Tensor disc(std::int64_t height, std::int64_t width, const std::vector<double>& inside,
            const std::vector<double>& outside) {
  std::vector<double> values;
  for (std::int64_t r = 0; r < height; ++r) {
    for (std::int64_t c = 0; c < width; ++c) {
      const bool in = std::hypot(static_cast<double>(2 * r + 1 - height), static_cast<double>(2 * c + 1 - width)) <
                      0.6 * static_cast<double>(std::min(height, width));
      values.insert(values.end(), in ? inside.begin() : outside.begin(), in ? inside.end() : outside.end());
    }
  }
  return Tensor::from(values, Shape{1, height, width, static_cast<std::int64_t>(inside.size())}, reference_device());
}

/// Random colours that change over a fifth of the image.
Tensor clouds(const Shape& shape) {
  return resize(uniform_images({shape[0], 5, 5, shape[3]}, "clouds"), shape[1], shape[2], ResizeMode::bilinear);
}

TEST(Superpixels, SlicCutsAnImageIntoConnectedSegmentsOfTheSizeAsked) {
  for (const Shape& shape : {Shape{1, 28, 28, 1}, Shape{1, 31, 45, 3}, Shape{1, 17, 9, 2}}) {
    for (const std::int64_t asked : {6, 24}) {
      const Tensor labels = slic_superpixels(clouds(shape), asked);
      const std::int64_t count = expect_segments(labels);
      EXPECT_LE(count, 2 * asked) << shape.to_string();
      EXPECT_GE(2 * count, asked) << shape.to_string();
      const Tensor in_noise = slic_superpixels(uniform_images(shape, "noise"), asked);
      expect_segments(in_noise);
      for (const Tensor& found : {labels, in_noise}) {
        for (const std::int64_t size : sizes_of(found.to_vector<std::int32_t>()))
          EXPECT_GE(4 * size * asked, shape[1] * shape[2]) << shape.to_string();
      }
    }
  }
}

TEST(Superpixels, SlicMatchesNumPy) {
  const golden::File file("attributions_perturbations");
  int cases = 0;
  for (const golden::Case& expected : file.cases()) {
    if (!expected.starts_with("slic")) continue;
    const Tensor labels = slic_superpixels(expected.tensor("x"), expected.attribute<std::int64_t>("segments"),
                                           expected.attribute<double>("compactness"));
    EXPECT_EQ(labels.to_vector<std::int32_t>(), expected.indices("labels").to_vector<std::int32_t>())
        << expected.name();
    ++cases;
  }
  EXPECT_EQ(cases, 3);
}

TEST(Superpixels, OfAnEvenImageAreNearlySquare) {
  const Tensor labels = slic_superpixels(Tensor::full({1, 40, 40, 1}, 0.5, DType::f64, reference_device()), 16);
  EXPECT_EQ(expect_segments(labels), 16);
  for (const std::int64_t size : sizes_of(labels.to_vector<std::int32_t>()))
    EXPECT_NEAR(static_cast<double>(size), 100, 30);
}

TEST(Superpixels, SlicFollowsTheEdgeOfADisc) {
  for (const auto& [inside, outside] : {std::pair<std::vector<double>, std::vector<double>>{{0.9}, {0.2}},
                                        {{0.8, 0.1, 0.1}, {0.1, 0.5, 0.1}},
                                        {{0.1, 0.9}, {0.3, 0.2}}}) {
    const Tensor x = disc(36, 40, inside, outside);
    const Tensor labels = slic_superpixels(x, 20);
    expect_segments(labels);
    const std::vector<std::int32_t> values = labels.to_vector<std::int32_t>();
    const std::vector<double> pixels = x.to_doubles();
    // Pixels in segments of the other colour, by majority.
    std::vector<std::array<std::int64_t, 2>> seen(sizes_of(values).size());
    for (std::size_t p = 0; p < values.size(); ++p)
      ++seen[static_cast<std::size_t>(values[p])][pixels[p * inside.size()] == inside[0] ? 1 : 0];
    std::int64_t wrong = 0;
    for (const auto& both : seen) wrong += std::min(both[0], both[1]);
    EXPECT_EQ(wrong, 0) << inside.size();
    // A grid does not.
    const std::vector<std::int32_t> cells = grid_superpixels(x, 20).to_vector<std::int32_t>();
    std::vector<std::array<std::int64_t, 2>> in_cells(sizes_of(cells).size());
    for (std::size_t p = 0; p < cells.size(); ++p)
      ++in_cells[static_cast<std::size_t>(cells[p])][pixels[p * inside.size()] == inside[0] ? 1 : 0];
    std::int64_t mixed = 0;
    for (const auto& both : in_cells) mixed += std::min(both[0], both[1]);
    EXPECT_GT(mixed, 50);
  }
}

TEST(Superpixels, OfAGreyImageAreThoseOfItsColouredForm) {
  const Tensor grey = uniform_images({2, 20, 20, 1}, "grey");
  const std::vector<Tensor> three = {grey, grey, grey};
  const std::vector<std::int32_t> a = slic_superpixels(grey, 12).to_vector<std::int32_t>();
  const std::vector<std::int32_t> b = slic_superpixels(concat(three, 3), 12).to_vector<std::int32_t>();
  std::size_t same = 0;
  for (std::size_t p = 0; p < a.size(); ++p) same += a[p] == b[p] ? 1 : 0;
  EXPECT_EQ(same, a.size());
}

TEST(Superpixels, AreTheSameTwiceAndForEachImageByItself) {
  const Tensor x = uniform_images({3, 24, 18, 3}, "images");
  const std::vector<std::int32_t> all = slic_superpixels(x, 15).to_vector<std::int32_t>();
  EXPECT_EQ(slic_superpixels(x, 15).to_vector<std::int32_t>(), all);
  const std::vector<std::int32_t> last = slic_superpixels(slice(x, 0, 2, 3), 15).to_vector<std::int32_t>();
  EXPECT_TRUE(std::equal(last.begin(), last.end(), all.end() - 24 * 18));
}

TEST(Superpixels, CompactnessSquares) {
  // The length of all borders shrinks.
  const auto border = [&](double compactness) {
    const Tensor labels = slic_superpixels(uniform_images({1, 30, 30, 1}, "noise"), 25, compactness);
    const std::vector<std::int32_t> values = labels.to_vector<std::int32_t>();
    std::int64_t length = 0;
    for (std::size_t p = 0; p + 30 < values.size(); ++p) length += values[p] != values[p + 30] ? 1 : 0;
    return length;
  };
  EXPECT_LT(border(200), border(5));
}

TEST(Superpixels, AGridHasEvenCells) {
  const Tensor labels = grid_superpixels(Tensor::zeros({2, 6, 9, 1}, DType::f32, reference_device()), 6);
  EXPECT_EQ(labels.shape(), (Shape{2, 6, 9}));
  EXPECT_EQ(expect_segments(slice(labels, 0, 1, 2)), 6);
  for (const std::int64_t size : sizes_of(labels.to_vector<std::int32_t>())) EXPECT_EQ(size, 2 * 9);
  const Tensor odd = grid_superpixels(Tensor::zeros({1, 7, 5, 1}, DType::f32, reference_device()), 4);
  EXPECT_EQ(expect_segments(odd), 4);
}

TEST(Superpixels, HoldAtTheEdges) {
  const Tensor x = uniform_images({1, 5, 4, 1}, "small");
  EXPECT_EQ(expect_segments(slic_superpixels(x, 1)), 1);
  EXPECT_EQ(expect_segments(slic_superpixels(x, 1000)), 20);
  EXPECT_EQ(expect_segments(grid_superpixels(x, 1000)), 20);
  EXPECT_GE(expect_segments(slic_superpixels(uniform_images({1, 1, 50, 3}, "line"), 5)), 3);
  EXPECT_THROW(slic_superpixels(x, 0), Error);
  EXPECT_THROW(slic_superpixels(x, 5, 0), Error);
  EXPECT_THROW(slic_superpixels(x.reshape({5, 4, 1}), 5), Error);
  EXPECT_THROW(slic_superpixels(unary(UnaryOp::log, unary(UnaryOp::affine, x, 0, -1)), 5), Error);  // NaN
}

}  // namespace
}  // namespace counterfoil::methods
