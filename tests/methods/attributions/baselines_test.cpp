#include "methods/attributions/baselines.h"

#include <cmath>
#include <set>

#include <gmock/gmock.h>

#include "tensor/ops.h"
#include "tests/methods/attributions/closed_forms.h"

namespace counterfoil::methods {
namespace {

using testing::Each;
using testing::ElementsAre;

/// Images of 1 x 2 pixels, each of one grey p in 0 .. count - 1, of class p % 3.
data::Dataset greys(int count) {
  data::Dataset dataset{1, 2, 1, {}, {}, {"a", "b", "c"}};
  for (int p = 0; p < count; ++p) {
    dataset.pixels.insert(dataset.pixels.end(), 2, static_cast<std::uint8_t>(p));
    dataset.labels.push_back(p % 3);
  }
  return dataset;
}

/// Images of the greys p.
Tensor grey_images(const std::vector<double>& greys) {
  std::vector<double> pixels;
  for (const double p : greys) pixels.insert(pixels.end(), 2, p / 255);
  return f64(pixels, {static_cast<std::int64_t>(greys.size()), 1, 2, 1});
}

/// The grey of each image's first pixel.
std::vector<int> greys_of(const Tensor& images) {
  std::vector<int> found;
  const std::vector<double> pixels = images.to_doubles();
  for (std::size_t i = 0; i < pixels.size(); i += 2) found.push_back(static_cast<int>(std::lround(255 * pixels[i])));
  return found;
}

nn::Question why(const std::vector<std::int32_t>& classes, const std::vector<std::int32_t>& against = {}) {
  return {labels_of(classes), against.empty() ? Tensor() : labels_of(against), {}};
}

TEST(Baselines, UniformOnesAreBlackAndWhite) {
  const Tensor x = grey_images({10, 20});
  EXPECT_THAT(zero_baseline(x).to_doubles(), Each(0.0));
  EXPECT_THAT(max_baseline(x).to_doubles(), Each(1.0));
  EXPECT_EQ(max_baseline(x).shape(), x.shape());
  EXPECT_EQ(max_baseline(x).dtype(), x.dtype());
}

// A point spreads as the Gaussian; a uniform image stays, border and all.
TEST(Baselines, BlurIsAGaussianOfItsDeviation) {
  std::vector<double> point(21 * 21, 0);
  point[10 * 21 + 10] = 1;
  const std::vector<double> blurred = blur_baseline(f64(point, {1, 21, 21, 1}), 1.5).to_doubles();
  double sum = 0, square = 0;
  for (std::size_t i = 0; i < blurred.size(); ++i) {
    sum += blurred[i];
    square += blurred[i] * std::pow(static_cast<double>(i % 21) - 10, 2);
  }
  EXPECT_NEAR(sum, 1, 1e-12);
  EXPECT_NEAR(square, 1.5 * 1.5, 0.1);  // cut off at three deviations
  EXPECT_NEAR(blurred[10 * 21 + 12] / blurred[10 * 21 + 10], std::exp(-0.5 * 4 / 2.25), 1e-12);
  const Tensor flat = Tensor::full({1, 5, 4, 3}, 0.3, DType::f64, reference_device());
  for (const double value : blur_baseline(flat, 4).to_doubles()) EXPECT_NEAR(value, 0.3, 1e-12);
  EXPECT_THROW(blur_baseline(flat, 0), Error);
}

TEST(Baselines, MdtsIsTheNearestOfTheClassHeldAgainst) {
  const data::Dataset train = greys(30);  // class 0: 0, 3, ..; 1: 1, 4, ..; 2: 2, 5, ..
  const Tensor x = grey_images({9, 9, 9, 200, 10.4});
  EXPECT_THAT(greys_of(mdts_baseline(x, why({0, 0, 1, 1, 0}, {0, 1, 2, 1, 2}), train, train.labels)),
              ElementsAre(9, 10, 8, 28, 11));
}

TEST(Baselines, OfOneAgainstAllMdtsIsOfAnyOtherClass) {
  const data::Dataset train = greys(30);
  EXPECT_THAT(greys_of(mdts_baseline(grey_images({9.4, 9, 29}), why({0, 2, 2}), train, train.labels)),
              ElementsAre(10, 9, 28));
  const data::Dataset black_and_white{1, 2, 1, {255, 255, 0, 0}, {1, 1}, {"a", "b"}};
  const Tensor between = f64({0.5, 0.5}, {1, 1, 2, 1});
  EXPECT_THAT(greys_of(mdts_baseline(between, why({0}), black_and_white, {1, 1})), ElementsAre(255));
}

TEST(Baselines, MdtsLooksThroughEveryPart) {
  data::Dataset train{1, 2, 1, {}, {}, {"a", "b"}};
  for (int i = 0; i < 10'000; ++i) {
    const bool near = i == 9'000;
    train.pixels.insert(train.pixels.end(), 2, static_cast<std::uint8_t>(near ? 100 : 200 + i % 50));
    train.labels.push_back(1);
  }
  EXPECT_THAT(greys_of(mdts_baseline(grey_images({99, 201}), why({0, 0}, {1, 1}), train, train.labels)),
              ElementsAre(100, 201));
}

TEST(Baselines, ClassesMayBeTheClassifiersDecisions) {
  // Of (p, p) the logits are p - 0.1 and 0: the second class up to grey 25.
  class Threshold final : public nn::Classifier {
   public:
    Variable logits(const Variable& x) override {
      const Variable p = slice(flatten(x), 1, 0, 1);
      return concat({p - 0.1, p * 0.0}, 1);
    }
    int class_count() const override { return 2; }
    bool single_logit() const override { return false; }
  } f;
  const data::Dataset train = greys(30);
  const std::vector<std::int32_t> classes = decided_classes(f, train, reference_device());
  ASSERT_EQ(classes.size(), 30U);
  for (std::size_t p = 0; p < 30; ++p) EXPECT_EQ(classes[p], p <= 25 ? 1 : 0) << p;
  EXPECT_THAT(greys_of(mdts_baseline(grey_images({9, 28}), why({1, 0}, {0, 1}), train, classes)), ElementsAre(26, 25));
}

TEST(Baselines, SamplesAreDifferentImagesOfTheClass) {
  const data::Dataset train = greys(60);
  const Tensor x = grey_images({1, 2, 3});
  const Tensor sets = class_samples(x, why({0, 0, 1}, {1, 2, 1}), train, train.labels, 12, 7);
  EXPECT_EQ(sets.shape().to_string(), "[3, 12, 1, 2, 1]");
  const std::vector<int> found = greys_of(sets);
  for (std::size_t n = 0; n < 3; ++n) {
    const std::set<int> different(found.begin() + static_cast<std::ptrdiff_t>(12 * n),
                                  found.begin() + static_cast<std::ptrdiff_t>(12 * (n + 1)));
    EXPECT_EQ(different.size(), 12U) << n;
    for (const int p : different) EXPECT_EQ(p % 3, n == 1 ? 2 : 1) << n;
  }
  const std::set<int> others = [&] {
    const std::vector<int> all = greys_of(class_samples(x, why({0, 0, 0}), train, train.labels, 40, 7));
    return std::set<int>(all.begin(), all.end());
  }();
  EXPECT_EQ(others.size(), 40U);
  for (const int p : others) EXPECT_NE(p % 3, 0);
  EXPECT_THROW(class_samples(x, why({0, 0, 1}, {1, 2, 1}), train, train.labels, 21, 7), Error);
}

TEST(Baselines, SamplesAreTheImagesOwnAndTheSeeds) {
  const data::Dataset train = greys(200);
  const Tensor x = grey_images({1, 2, 3});
  const nn::Question question = why({0, 0, 0}, {1, 1, 2});
  const auto of_class = [&](std::int64_t images, std::uint64_t seed) {
    return greys_of(class_samples(slice(x, 0, 0, images), question.rows(0, images), train, train.labels, 10, seed));
  };
  const auto of_all = [&](std::int64_t images, std::uint64_t seed) {
    return greys_of(all_samples(slice(x, 0, 0, images), train, 10, seed));
  };
  const auto begin = [](const std::vector<int>& all, std::ptrdiff_t count) {
    return std::vector<int>(all.begin(), all.begin() + count);
  };
  EXPECT_EQ(begin(of_class(3, 1), 20), of_class(2, 1));
  EXPECT_EQ(begin(of_all(3, 1), 20), of_all(2, 1));
  EXPECT_NE(of_class(3, 1), of_class(3, 2));
  EXPECT_NE(of_all(3, 1), of_all(3, 2));
  const std::vector<int> two = of_class(2, 1);
  EXPECT_NE(begin(two, 10), std::vector<int>(two.begin() + 10, two.end()));
}

// Each of 10 images is in a set of 3 with probability 0.3.
TEST(Baselines, AllSamplesAreUniform) {
  const data::Dataset train = greys(10);
  const Tensor x = Tensor::zeros({4000, 1, 2, 1}, DType::f64, reference_device());
  std::vector<int> counts(10, 0);
  for (const int p : greys_of(all_samples(x, train, 3, 5))) ++counts[static_cast<std::size_t>(p)];
  for (const int count : counts) EXPECT_NEAR(count, 1200, 5 * std::sqrt(4000 * 0.3 * 0.7));
  EXPECT_EQ(greys_of(all_samples(slice(x, 0, 0, 1), train, 10, 5)).size(), 10U);
  EXPECT_THROW(all_samples(x, train, 11, 5), Error);
  EXPECT_THROW(all_samples(x, train, 0, 5), Error);
}

TEST(Baselines, RefuseWhatDoesNotFit) {
  const data::Dataset train = greys(30);
  const Tensor x = grey_images({1, 2});
  EXPECT_THROW(mdts_baseline(x, why({0, 0}, {1, 3}), train, train.labels), Error);  // no image of class 3
  EXPECT_THROW(mdts_baseline(x, why({0}, {1}), train, train.labels), Error);
  EXPECT_THROW(mdts_baseline(x, why({0, 0}, {1, 1}), train, {0, 1}), Error);
  EXPECT_THROW(mdts_baseline(f64({1, 2}, {1, 2, 1, 1}), why({0}, {1}), train, train.labels), Error);
  EXPECT_THROW(all_samples(f64({1, 2}, {1, 2, 1, 1}), train, 1, 0), Error);
  EXPECT_THROW(class_samples(x, why({0, 0}, {1, 1}), train, train.labels, 0, 0), Error);
}

}  // namespace
}  // namespace counterfoil::methods
