#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "data/augmentation.h"
#include "data/batch_sampler.h"
#include "data/splits.h"
#include "data/synthetic.h"

namespace counterfoil::data {
namespace {

using testing::HasSubstr;

// A source without real images: the pixel of image i is i modulo 256.
Source made_up(std::int64_t train, std::int64_t test) {
  Source source;
  source.spec = "made up";
  const auto fill = [](Dataset& part, std::vector<std::int32_t>& places, std::int64_t count) {
    part = {1, 1, 1, {}, {}, {"a", "b"}};
    for (std::int64_t i = 0; i < count; ++i) {
      part.pixels.push_back(static_cast<std::uint8_t>(i));
      part.labels.push_back(static_cast<std::int32_t>(i % 2));
      places.push_back(static_cast<std::int32_t>(2 * i));  // every other image of the file
    }
  };
  fill(source.train, source.train_places, train);
  fill(source.test, source.test_places, test);
  source.train_file_size = 2 * train;
  source.test_file_size = 2 * test;
  return source;
}

std::vector<std::int32_t> places(const SplitSource& split, const char* part) {
  return nlohmann::json::parse(split.description)[part]["positions"];
}

TEST(Splits, AreDisjointSeededAndWhole) {
  const Source source = made_up(1000, 300);
  for (const char* name : {"standard", "syce"}) {
    const SplitSource a = split(source, {name, 0}), again = split(source, {name, 0}), other = split(source, {name, 1});
    EXPECT_EQ(a.description, again.description);
    EXPECT_NE(places(a, "train"), places(other, "train"));
    std::vector<std::int32_t> together = places(a, "train");
    const auto validation = places(a, "validation");
    together.insert(together.end(), validation.begin(), validation.end());
    std::ranges::sort(together);
    EXPECT_EQ(together, source.train_places) << name;
    EXPECT_EQ(a.splits.train.size(), std::ssize(places(a, "train")));
  }
}

TEST(Splits, SyceTakesTheFirstHalfOfTheTestFile) {
  const SplitSource result = split(made_up(1001, 300), {"syce", 0});
  EXPECT_EQ(result.splits.train.size(), 800);
  EXPECT_EQ(result.splits.validation.size(), 201);
  EXPECT_EQ(result.splits.test.size(), 150);
  EXPECT_EQ(places(result, "test").back(), 298);
}

TEST(Splits, StandardTestsOnTrainingImagesWhereThereAreNoOthers) {
  const SplitSource result = split(made_up(100, 0), {"standard", 0});
  EXPECT_EQ(result.splits.train.size(), 80);
  EXPECT_EQ(result.splits.test.size(), 10);
  std::set<std::int32_t> seen;
  for (const char* part : {"train", "validation", "test"}) {
    for (const std::int32_t place : places(result, part)) EXPECT_TRUE(seen.insert(place).second);
  }
  EXPECT_EQ(seen.size(), 100u);
}

TEST(Splits, ExplainGanCutsTheFileBeforeTheClasses) {
  const Source source = made_up(30000, 10);
  const SplitSource explainer = split(source, {"explaingan", 5}),
                    classifier = split(source, {"explaingan-classifier", 5});
  EXPECT_EQ(places(explainer, "validation"), places(classifier, "validation"));
  EXPECT_EQ(explainer.splits.train.size() + classifier.splits.train.size() + explainer.splits.validation.size(), 30000);
  EXPECT_NEAR(static_cast<double>(classifier.splits.train.size()), 1000, 100);
  EXPECT_NEAR(static_cast<double>(explainer.splits.validation.size()), 4000, 200);
  const auto a = places(explainer, "train"), b = places(classifier, "train");
  std::vector<std::int32_t> common;
  std::ranges::set_intersection(a, b, std::back_inserter(common));
  EXPECT_TRUE(common.empty());
  try {
    (void)split(made_up(100, 10), {"explaingan", 0});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("needs a training file of 60000 images, made up has 200"));
  }
}

TEST(Splits, ChangedPixelsChangeTheDescription) {
  Source source = made_up(100, 20);
  const std::string before = split(source, {}).description;
  source.test.pixels[3] = 99;
  EXPECT_NE(split(source, {}).description, before);
}

TEST(Splits, UnknownNamesAndEmptyPartsThrow) {
  EXPECT_THROW((void)split(made_up(100, 20), {"sycee", 0}), Error);
  EXPECT_THROW((void)split(made_up(3, 20), {"standard", 0}), Error);
}

TEST(BatchSampler, EveryImageOncePerEpoch) {
  BatchSampler sampler(10, 4, 1, "batches");
  std::vector<std::int32_t> drawn;
  for (int i = 0; i < 5; ++i) {
    const auto batch = sampler.next();
    ASSERT_EQ(batch.size(), 4u);
    drawn.insert(drawn.end(), batch.begin(), batch.end());
  }
  EXPECT_EQ(sampler.epoch(), 2);
  std::vector<std::int32_t> first(drawn.begin(), drawn.begin() + 10), second(drawn.begin() + 10, drawn.end());
  EXPECT_NE(first, second);
  std::ranges::sort(first);
  std::ranges::sort(second);
  std::vector<std::int32_t> all(10);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(first, all);
  EXPECT_EQ(second, all);
}

TEST(BatchSampler, GoesOnWhereItStopped) {
  BatchSampler straight(7, 3, 9, "batches"), stopped(7, 3, 9, "batches");
  for (int i = 0; i < 11; ++i) (void)straight.next();
  stopped.progress().seek(straight.progress().position());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(stopped.next(), straight.next());
}

TEST(BatchSampler, FillsABatchFromFewerImages) {
  BatchSampler sampler(2, 5, 0, "batches");
  EXPECT_EQ(sampler.next().size(), 5u);
  EXPECT_THROW((void)BatchSampler(0, 5, 0, "batches").next(), Error);
  EXPECT_THROW(BatchSampler(2, 0, 0, "batches"), Error);
}

// One white pixel off centre in a black image of 9 x 15.
Tensor one_pixel(std::int64_t row, std::int64_t column) {
  std::vector<float> pixels(9 * 15, 0.0F);
  pixels[static_cast<std::size_t>(row * 15 + column)] = 1;
  return Tensor::from(pixels, Shape{1, 9, 15, 1}, reference_device());
}

// Centre of mass of an image, (row, column), relative to the image's centre.
std::pair<double, double> centre(const Tensor& x) {
  const std::vector<float> pixels = x.to_vector<float>();
  double mass = 0, row = 0, column = 0;
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    mass += static_cast<double>(pixels[i]);
    row += static_cast<double>(pixels[i]) * (static_cast<double>(i / 15) - 4);
    column += static_cast<double>(pixels[i]) * (static_cast<double>(i % 15) - 7);
  }
  EXPECT_GT(mass, 0.3);
  return {row / mass, column / mass};
}

TEST(Augmentation, NothingAskedNothingDone) {
  Random random(1, "augment");
  const Tensor x = one_pixel(2, 3);
  EXPECT_TRUE(augment(x, {}, random).shares_storage(x));
  EXPECT_EQ(random.position(), 0u);
}

TEST(Augmentation, FlipsAreMirrors) {
  Random random(1, "augment");
  AugmentationOptions options;
  options.flip_horizontal = true;
  std::set<double> columns;
  for (int i = 0; i < 20; ++i) {
    const auto [row, column] = centre(augment(one_pixel(2, 4), options, random));
    EXPECT_NEAR(row, -2, 1e-5);
    columns.insert(std::round(column * 1e4) / 1e4);
  }
  EXPECT_EQ(columns, (std::set<double>{-3, 3}));
}

TEST(Augmentation, RotationKeepsDistancesInImagesThatAreNotSquare) {
  Random random(2, "augment");
  AugmentationOptions options;
  options.rotation = 90;
  double lowest = 1e9, highest = -1e9;
  for (int i = 0; i < 40; ++i) {
    const auto [row, column] = centre(augment(one_pixel(4, 10), options, random));
    EXPECT_NEAR(std::hypot(row, column), 3, 0.35);
    lowest = std::min(lowest, row);
    highest = std::max(highest, row);
  }
  EXPECT_LT(lowest, -2);
  EXPECT_GT(highest, 2);
}

TEST(Augmentation, ShiftAndZoomStayInTheirRanges) {
  Random random(3, "augment");
  AugmentationOptions shift;
  shift.shift = 0.2;
  AugmentationOptions zoom;
  zoom.zoom = 0.3;
  double farthest = 0, nearest = 1e9, widest = 0;
  for (int i = 0; i < 60; ++i) {
    const auto [row, column] = centre(augment(one_pixel(4, 7), shift, random));
    EXPECT_LE(std::abs(row), 0.2 * 9 + 0.01);
    EXPECT_LE(std::abs(column), 0.2 * 15 + 0.01);
    farthest = std::max(farthest, std::abs(column));
    const double zoomed = centre(augment(one_pixel(4, 10), zoom, random)).second;
    nearest = std::min(nearest, zoomed);
    widest = std::max(widest, zoomed);
  }
  EXPECT_GT(farthest, 2);
  EXPECT_GT(nearest, 3 * 0.7 - 0.3);
  EXPECT_LT(widest, 3 * 1.3 + 0.3);
  EXPECT_LT(nearest, 2.6);
  EXPECT_GT(widest, 3.4);
}

TEST(Augmentation, OutOfRangeThrows) {
  Random random(1, "augment");
  AugmentationOptions options;
  options.zoom = 1;
  EXPECT_THROW((void)augment(one_pixel(1, 1), options, random), Error);
}

TEST(Dataset, ImagesAreBytesOver255) {
  const Dataset dataset{1, 2, 1, {0, 255, 51, 102}, {0, 1}, {"a", "b"}};
  const Tensor x = dataset.images({1, 0, 1}, reference_device());
  EXPECT_EQ(x.shape(), (Shape{3, 1, 2, 1}));
  EXPECT_THAT(x.to_doubles(),
              testing::Pointwise(testing::DoubleNear(1e-7), std::vector<double>{0.2, 0.4, 0, 1, 0.2, 0.4}));
  EXPECT_THROW((void)dataset.images({2}, reference_device()), Error);
  EXPECT_THROW((void)dataset.subset({-1}), Error);
}

TEST(Synthetic, TwinsDifferExactlyInTheMask) {
  for (const Difference difference : {Difference::stroke, Difference::blob}) {
    const SyntheticPairs pairs = synthetic_pairs(difference, 20, 3);
    EXPECT_EQ(pairs.images.pixels, synthetic_pairs(difference, 20, 3).images.pixels);
    ASSERT_EQ(pairs.images.size(), 20);
    for (std::size_t i = 0; i < 20; ++i) {
      EXPECT_EQ(pairs.images.labels[i] + pairs.twins.labels[i], 1);
      const auto mask = pairs.masks.begin() + static_cast<std::ptrdiff_t>(i * 784);
      const auto marked = std::count(mask, mask + 784, 1);
      EXPECT_GT(marked, 10);
      EXPECT_LT(marked, 120);
    }
  }
}

TEST(Synthetic, ColoursDigits) {
  const Dataset grey{1, 1, 1, {10, 20, 30, 40, 50, 60}, {0, 1, 0, 1, 0, 1}, {"a", "b"}};
  const ColouredDigits coloured = coloured_digits(grey, 1);
  EXPECT_EQ(coloured.digits.labels, grey.labels);
  for (std::size_t i = 0; i < 6; ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      const bool its_own = c == static_cast<std::size_t>(coloured.colour[i]);
      EXPECT_EQ(coloured.digits.pixels[i * 3 + c], its_own ? grey.pixels[i] : 0);
    }
  }
}

}  // namespace
}  // namespace counterfoil::data
