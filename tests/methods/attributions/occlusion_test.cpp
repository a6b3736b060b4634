#include "methods/attributions/occlusion.h"

#include "tests/methods/attributions/perturbed_models.h"

namespace counterfoil::methods {
namespace {

TEST(Occlusion, OfOneFeatureInALinearModelIsItsWeightTimesTheChange) {
  const Shape shape{2, 3, 5, 2};
  const Tensor weight = uniform_images({30, 3}, "weight"), x = uniform_images(shape, "x"),
               baseline = uniform_images(shape, "baseline");
  WeightedSum model(weight);
  const Occlusion occlusion;
  const std::vector<double> w = weight.to_doubles(), a = x.to_doubles(), b = baseline.to_doubles();
  const std::vector<double> plain = occlusion.attribute(model, x, asking({2, 0}), baseline).values.to_doubles();
  const std::vector<double> held =
      occlusion.attribute(model, x, asking({2, 0}, reference_device(), {1, 2}), baseline).values.to_doubles();
  for (std::size_t i = 0; i < 60; ++i) {
    const double* row = &w[i % 30 * 3];
    EXPECT_NEAR(plain[i], row[i < 30 ? 2 : 0] * (a[i] - b[i]), 1e-12) << i;
    EXPECT_NEAR(held[i], (i < 30 ? row[2] - row[1] : row[0] - row[2]) * (a[i] - b[i]), 1e-12) << i;
  }
}

TEST(Occlusion, MatchesCaptum) {
  const golden::File file("attributions_perturbations");
  for (const golden::Case& expected : file.cases()) {
    if (!expected.starts_with("occlusion")) continue;
    Occlusion occlusion;
    occlusion.height = expected.attribute<std::int64_t>("height");
    occlusion.width = expected.attribute<std::int64_t>("width");
    occlusion.stride = expected.attribute<std::int64_t>("stride");
    occlusion.channels = expected.attribute<std::string>("channels");
    expect_golden(occlusion, expected, "baseline", 1e-12, 1e-5);
  }
}

// The score is the sum of all features, 1 each, and the baseline 0: a window is worth its features.
TEST(Occlusion, CoversEveryFeatureAtOddSizes) {
  const Shape shape{1, 7, 5, 3};
  WeightedSum model(Tensor::full({105, 1}, 1, DType::f64, reference_device()));
  const Tensor x = Tensor::full(shape, 1, DType::f64, reference_device());
  Occlusion occlusion;
  occlusion.height = 3;
  occlusion.width = 2;
  occlusion.stride = 2;
  for (const std::int64_t channels : {1, 3}) {
    occlusion.channels = channels == 1 ? "each" : "all";
    const std::vector<double> values = occlusion.attribute(model, x, asking({1}), x.zeros_like()).values.to_doubles();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const bool cut = i / 3 % 5 == 4;  // the last window has one column
      EXPECT_NEAR(values[i], static_cast<double>((cut ? 3 : 6) * channels), 1e-12) << i;
    }
  }
}

TEST(Occlusion, AveragesTheWindowsThatCoverAFeature) {
  // One row of pixels 1 2 3 4, windows of two: worth 3, 5, 7.
  WeightedSum model(Tensor::full({4, 1}, 1, DType::f64, reference_device()));
  const Tensor x = Tensor::from(std::vector<double>{1, 2, 3, 4}, Shape{1, 1, 4, 1}, reference_device());
  Occlusion occlusion;
  occlusion.width = 2;
  EXPECT_EQ(occlusion.attribute(model, x, asking({1}), x.zeros_like()).values.to_doubles(),
            (std::vector<double>{3, 4, 6, 7}));
  EXPECT_EQ(occlusion.attribute(model, x, asking({0}), x.zeros_like()).values.to_doubles(),
            (std::vector<double>{-3, -4, -6, -7}));
}

TEST(Occlusion, TakesEachImageByItself) {  // 289 copies of each: two parts
  expect_each_image_by_itself(Occlusion(), uniform_images({3, 12, 12, 2}, "baselines", cpu_device(), DType::f32),
                              false);
}

TEST(Occlusion, RefusesWindowsThatDoNotFit) {
  const Tensor x = uniform_images({1, 4, 6, 1}, "x");
  WeightedSum model(uniform_images({24, 2}, "weight"));
  const auto attribute = [&](std::int64_t height, std::int64_t width, std::int64_t stride) {
    Occlusion occlusion;
    occlusion.height = height;
    occlusion.width = width;
    occlusion.stride = stride;
    return occlusion.attribute(model, x, asking({1}), x.zeros_like());
  };
  EXPECT_NO_THROW(attribute(4, 6, 1));
  EXPECT_NO_THROW(attribute(4, 2, 2));
  EXPECT_NO_THROW(attribute(4, 5, 5));  // one window has all the rows
  EXPECT_THROW(attribute(5, 1, 1), Error);
  EXPECT_THROW(attribute(1, 7, 1), Error);
  EXPECT_THROW(attribute(2, 3, 3), Error);
  EXPECT_THROW(Occlusion().attribute(model, x, asking({1})), Error);
  EXPECT_THROW(Occlusion().attribute(model, x, asking({2}), x.zeros_like()), Error);
}

}  // namespace
}  // namespace counterfoil::methods
