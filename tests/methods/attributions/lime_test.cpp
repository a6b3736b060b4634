#include "methods/attributions/lime.h"

#include "methods/attributions/superpixels.h"
#include "tests/methods/attributions/perturbed_models.h"

namespace counterfoil::methods {
namespace {

TEST(WeightedRidge, MatchesScikitLearn) {
  const golden::File file("attributions_perturbations");
  for (const golden::Case& expected : file.cases()) {
    if (!expected.starts_with("ridge")) continue;
    const std::vector<double> x = expected.tensor("x").to_doubles(), y = expected.tensor("y").to_doubles(),
                              weights = expected.tensor("weights").to_doubles();
    const std::vector<double> w = weighted_ridge(x, y, weights, expected.attribute<double>("penalty"));
    expected.expect_equal(Tensor::from(w, Shape{static_cast<std::int64_t>(w.size())}, reference_device()), "values",
                          1e-12);
  }
}

// Columns that are +-1, balanced and orthogonal: w = c n / (n + penalty), and the intercept takes the mean.
TEST(WeightedRidge, ShrinksByThePenaltyOverTheSamples) {
  const std::vector<double> x = {1, 1, 1, -1, -1, 1, -1, -1}, weights(4, 0.5);
  std::vector<double> y;
  for (std::size_t i = 0; i < 4; ++i) y.push_back(7 + 3 * x[2 * i] - 2 * x[2 * i + 1]);
  const std::vector<double> w = weighted_ridge(x, y, weights, 1);  // n = 2, by weight
  EXPECT_NEAR(w[0], 3 * 2 / 3.0, 1e-12);
  EXPECT_NEAR(w[1], -2 * 2 / 3.0, 1e-12);
  EXPECT_NEAR(weighted_ridge(x, y, weights, 0)[0], 3, 1e-12);
}

TEST(WeightedRidge, RefusesWhatHasNoSingleSolution) {
  const std::vector<double> x = {1, 1, 2, 2, 3, 3}, y = {1, 2, 3}, weights(3, 1.0);
  EXPECT_THROW(weighted_ridge(x, y, weights, 0), Error);
  EXPECT_NO_THROW(weighted_ridge(x, y, weights, 0.1));
  EXPECT_THROW(weighted_ridge(x, y, std::vector<double>(3, 0.0), 1), Error);
  EXPECT_THROW(weighted_ridge(x, y, std::vector<double>{1, 1, -1}, 1), Error);
  EXPECT_THROW(weighted_ridge(x, std::vector<double>{1, 2, 3, 4}, std::vector<double>(4, 1.0), 1), Error);
}

TEST(Lime, MatchesScikitLearnOnTheSameSamples) {
  const golden::File file("attributions_perturbations");
  for (const golden::Case& expected : file.cases()) {
    if (!expected.starts_with("lime")) continue;
    Lime lime;
    lime.superpixels = "grid";
    lime.segments = 6;
    lime.samples = expected.attribute<std::int64_t>("samples");
    lime.hidden = expected.attribute<std::string>("hidden");
    expect_golden(lime, expected, "baseline", 1e-12, 1e-5);
  }
}

// A linear model is linear in the segments: a segment adds what its features add, and the penalty takes little of it.
TEST(Lime, RecoversWhatSegmentsAddToALinearModel) {
  const Shape shape{2, 10, 12, 3};
  const Tensor weight = uniform_images({360, 3}, "weight"), x = uniform_images(shape, "x"),
               baseline = uniform_images(shape, "baseline");
  WeightedSum model(weight);
  Lime lime;
  lime.segments = 8;
  lime.samples = 200;
  const nn::Question question = asking({1, 2}, reference_device(), {0, 1});
  const std::vector<double> w = weight.to_doubles(), a = x.to_doubles(), b = baseline.to_doubles();
  for (const std::string how : {"slic", "grid"}) {
    lime.superpixels = how;
    const std::vector<std::int32_t> labels =
        (how == "slic" ? slic_superpixels(x, 8) : grid_superpixels(x, 8)).to_vector<std::int32_t>();
    std::vector<std::vector<double>> adds(2, std::vector<double>(40, 0));
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double* row = &w[i % 360 * 3];
      adds[i / 360].at(static_cast<std::size_t>(labels[i / 3])) +=
          (i < 360 ? row[1] - row[0] : row[2] - row[1]) * (a[i] - b[i]);
    }
    for (const auto& [penalty, within] : {std::pair(1e-9, 1e-8), {0.1, 0.05}}) {
      lime.penalty = penalty;
      const std::vector<double> values = lime.attribute(model, x, question, baseline, 4).values.to_doubles();
      double largest = 0;
      for (const double value : adds[0]) largest = std::max(largest, std::abs(value));
      for (std::size_t i = 0; i < a.size(); ++i)
        ASSERT_NEAR(values[i], adds[i / 360][static_cast<std::size_t>(labels[i / 3])], within * largest) << how << i;
    }
  }
}

TEST(Lime, HidesSegmentsUnderTheirMeanColour) {
  // Whole segments of one colour each do not change when they are hidden.
  const Tensor cells = grid_superpixels(Tensor::zeros({1, 6, 6, 2}, DType::f64, reference_device()), 4);
  std::vector<double> even;
  for (const std::int32_t label : cells.to_vector<std::int32_t>()) even.insert(even.end(), {0.2 * label, 0.5});
  WeightedSum model(uniform_images({72, 2}, "weight"));
  Lime lime;
  lime.superpixels = "grid";
  lime.segments = 4;
  lime.samples = 50;
  lime.hidden = "mean";
  const auto values = [&](const Tensor& x) { return lime.attribute(model, x, asking({1}), {}, 4).values; };
  EXPECT_LT(largest(values(Tensor::from(even, Shape{1, 6, 6, 2}, reference_device()))), 1e-12);
  EXPECT_GT(largest(values(uniform_images({1, 6, 6, 2}, "x"))), 1e-3);
}

TEST(Lime, TakesEachImageByItself) {  // 300 copies: two parts
  Lime lime;
  lime.segments = 9;
  lime.samples = 300;
  expect_each_image_by_itself(lime, uniform_images({3, 12, 12, 2}, "baselines", cpu_device(), DType::f32), true);
}

TEST(Lime, RefusesWhatItCannotUse) {
  const Tensor x = uniform_images({1, 6, 6, 1}, "x");
  WeightedSum model(uniform_images({36, 2}, "weight"));
  Lime lime;
  EXPECT_THROW(lime.attribute(model, x, asking({1})), Error);
  lime.samples = 5;
  lime.penalty = 0;
  EXPECT_THROW(lime.attribute(model, x, asking({1}), x.zeros_like()), Error);
  lime.penalty = 1;
  EXPECT_NO_THROW(lime.attribute(model, x, asking({1}), x.zeros_like()));
  lime.superpixels = "grid";
  lime.samples = 1'000'000;
  lime.segments = 256;
  const Tensor large = Tensor::zeros({1, 16, 16, 1}, DType::f64, reference_device());
  EXPECT_THROW(lime.attribute(model, large, asking({1}), large), Error);
  lime.samples = 5;
  lime.hidden = "mean";
  EXPECT_EQ(lime.baseline_use(), BaselineUse::none);
  EXPECT_THROW(lime.attribute(model, x, asking({1}), x.zeros_like()), Error);
}

}  // namespace
}  // namespace counterfoil::methods
