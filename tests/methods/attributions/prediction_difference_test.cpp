#include "methods/attributions/prediction_difference.h"

#include <cmath>

#include "tests/methods/attributions/perturbed_models.h"

namespace counterfoil::methods {
namespace {

TEST(PredictionDifference, MatchesNumPy) {
  const golden::File file("attributions_perturbations");
  for (const golden::Case& expected : file.cases()) {
    if (!expected.starts_with("pda")) continue;
    PredictionDifference method;
    method.window = expected.attribute<std::int64_t>("window");
    method.stride = expected.attribute<std::int64_t>("stride");
    method.sampler = expected.attribute<std::string>("sampler");
    method.samples = expected.attribute<std::int64_t>("samples");
    method.surrounding = expected.attribute<std::int64_t>("surrounding");
    method.training_images = expected.attribute<std::int64_t>("training_images");
    expect_golden(method, expected, "sets", 1e-12, 1e-4);
  }
}

// One logit z, n without end and one image b in the set: log2 odds are z / log 2, and a pixel is worth
// w (x - b) / log 2, over its channels.
TEST(PredictionDifference, OfALinearLogitIsItsChangeInBits) {
  const Shape shape{2, 4, 3, 2};
  const Tensor weight = uniform_images({24, 1}, "weight"), x = uniform_images(shape, "x"),
               b = uniform_images(shape, "set");
  WeightedSum model(weight);
  PredictionDifference method;
  method.window = 1;
  method.sampler = "marginal";
  method.training_images = 1000000000;
  const std::vector<double> w = weight.to_doubles(), p = x.to_doubles(), q = b.to_doubles();
  nn::Question question = asking({1, 0});
  const std::vector<double> plain = method.attribute(model, x, question, b).values.to_doubles();
  for (std::size_t i = 0; i < 48; ++i) {
    const std::size_t first = i / 2 * 2;
    double change = 0;
    for (const std::size_t k : {first, first + 1}) change += w[k % 24] * (p[k] - q[k]) / std::log(2.0);
    EXPECT_NEAR(plain[i], i < 24 ? change : -change, 1e-6) << i;
  }
  // Of two classes, against the other one is the same; and the scale isn't looked at.
  question.against = asking({0, 1}).classes;
  const std::vector<double> held = method.attribute(model, x, question, b).values.to_doubles();
  for (std::size_t i = 0; i < 48; ++i) EXPECT_NEAR(held[i], plain[i], 1e-6);
  question.scale = nn::Question::Scale::probabilities;
  EXPECT_EQ(method.attribute(model, x, question, b).values.to_doubles(), held);
}

// Laplace's correction keeps certainty finite: p = 1 and 0 become (n + 1) / (n + 2) and 1 / (n + 2).
TEST(PredictionDifference, CorrectsCertainty) {
  WeightedSum model(Tensor::full({1, 1}, 1, DType::f64, reference_device()));
  const Tensor x = Tensor::full({1, 1, 1, 1}, 1000, DType::f64, reference_device());
  PredictionDifference method;
  method.window = 1;
  method.sampler = "marginal";
  method.training_images = 30;
  const Tensor values = method.attribute(model, x, asking({1}), unary(UnaryOp::affine, x, -1, 0)).values;
  EXPECT_NEAR(values.item(), 2 * std::log2(31.0), 1e-12);
}

// In images of one brightness each the surroundings tell a window, so that in such an image there is no difference; the
// marginal sampler does not look there.
TEST(PredictionDifference, TheConditionalSamplerLooksAround) {
  std::vector<double> set, x;
  for (int i = 0; i < 12; ++i) set.insert(set.end(), 8 * 8, 0.05 + 0.08 * i);
  x.assign(64, 0.93);
  const Tensor image = Tensor::from(x, Shape{1, 8, 8, 1}, reference_device());
  const Tensor images = Tensor::from(set, Shape{1, 12, 8, 8, 1}, reference_device());
  WeightedSum model(Tensor::full({64, 1}, 0.2, DType::f64, reference_device()));
  PredictionDifference method;
  method.window = 3;
  const auto values = [&](const char* sampler) {
    method.sampler = sampler;
    return method.attribute(model, image, asking({0}), images).values;
  };
  EXPECT_LT(largest(values("conditional")), 0.05);
  EXPECT_GT(largest(values("marginal")), 0.5);
}

TEST(PredictionDifference, OfAConstantScoreIsZeroAndEveryFeatureIsCovered) {
  WeightedSum model(Tensor::zeros({70, 3}, DType::f64, reference_device()));
  const Tensor x = uniform_images({1, 7, 5, 2}, "x"), sets = uniform_images({1, 3, 7, 5, 2}, "sets");
  PredictionDifference method;
  method.window = 2;
  method.surrounding = 1;
  method.stride = 2;
  method.samples = 2;
  for (const char* sampler : {"conditional", "marginal"}) {
    method.sampler = sampler;
    for (const double value : method.attribute(model, x, asking({1}), sets).values.to_doubles())
      EXPECT_NEAR(value, 0, 1e-12);
  }
}

TEST(PredictionDifference, TakesEachImageByItself) {
  PredictionDifference method;
  method.window = 3;
  method.stride = 2;
  method.surrounding = 1;
  method.patches = 100;  // of 4 x 64
  const Tensor sets = uniform_images({3, 4, 12, 12, 2}, "sets", cpu_device(), DType::f32);
  expect_each_image_by_itself(method, sets, true);
  method.sampler = "marginal";
  method.samples = 2;
  expect_each_image_by_itself(method, sets, true);
}

TEST(PredictionDifference, OneSetForAllIsAsGoodAsEachItsOwn) {
  const Tensor one = uniform_images({1, 4, 6, 6, 1}, "sets"), other = uniform_images({1, 4, 6, 6, 1}, "others");
  const Tensor x = uniform_images({3, 6, 6, 1}, "x");
  WeightedSum model(uniform_images({36, 3}, "weight"));
  PredictionDifference method;
  method.window = 2;
  method.surrounding = 1;
  const auto last = [&](const std::vector<Tensor>& sets) {
    const std::vector<double> values =
        method.attribute(model, x, asking({0, 1, 2}), concat(sets, 0)).values.to_doubles();
    return std::vector<double>(values.end() - 36, values.end());
  };
  EXPECT_EQ(last({one, one, one}), last({one, other, one}));
  EXPECT_NE(last({one, one, one}), last({one, one, other}));
}

TEST(PredictionDifference, RefusesWhatDoesNotFit) {
  const Tensor x = uniform_images({1, 6, 5, 1}, "x");
  WeightedSum model(uniform_images({30, 2}, "weight"));
  PredictionDifference method;
  method.window = 3;
  method.surrounding = 1;
  EXPECT_NO_THROW(method.attribute(model, x, asking({1}), x));
  EXPECT_THROW(method.attribute(model, x, asking({1})), Error);
  EXPECT_THROW(method.attribute(model, x, asking({2}), x), Error);
  method.surrounding = 2;  // patches of 7
  EXPECT_THROW(method.attribute(model, x, asking({1}), x), Error);
  method.sampler = "marginal";
  EXPECT_NO_THROW(method.attribute(model, x, asking({1}), x));
  method.stride = 4;
  EXPECT_THROW(method.attribute(model, x, asking({1}), x), Error);
  method.stride = 1;
  method.window = 6;
  EXPECT_THROW(method.attribute(model, x, asking({1}), x), Error);
}

}  // namespace
}  // namespace counterfoil::methods
