#include "methods/attributions/smooth_grad.h"

#include <cmath>

#include "tensor/ops.h"
#include "tests/methods/attributions/closed_forms.h"
#include "tests/methods/attributions/small_net.h"

namespace counterfoil::methods {
namespace {

TEST(SmoothGrad, OfALinearClassifierIsItsWeights) {
  WeightedSum f(f64({1, -2, -3, 5}, {2, 2}));
  const Tensor x = f64({0.5, 2, -1, 3}, {2, 1, 1, 2});
  const nn::Question question{labels_of({0, 1}), {}, {}};
  SmoothGrad method;
  const auto expect = [&](const std::string& gradient, const std::vector<double>& expected) {
    method.gradient = gradient;
    expect_relative(method.attribute(f, x, question).values, f64(expected, x.shape()), 1e-14, gradient);
  };
  expect("signed", {1, -3, -2, 5});
  expect("magnitude", {1, 3, 2, 5});
  expect("squared", {1, 9, 4, 25});
}

// Of x^2 the gradient at x + e is 2 (x + e), of means 2x, E|2 (x + e)| and 4 (x^2 + sigma^2).
TEST(SmoothGrad, AveragesOverNoiseOfItsDeviation) {
  PowerClassifier f(1, 2);
  const Tensor x = f64({0, 0.3, 1}, {3, 1, 1, 1});
  const nn::Question question{labels_of({0, 0, 0}), {}, {}};
  SmoothGrad method;
  method.sigma = 0.2;
  method.samples = 20'000;
  const auto found = [&](const std::string& gradient) {
    method.gradient = gradient;
    return method.attribute(f, x, question).values.to_doubles();
  };
  // Within five deviations of the mean of so many.
  const std::vector<double> mean = found("signed"), magnitude = found("magnitude"), squared = found("squared");
  const std::vector<double> at = x.to_doubles();
  const double root = std::sqrt(20'000.0);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(mean[i], 2 * at[i], 5 * 0.4 / root);
  EXPECT_NEAR(magnitude[0], 0.4 * std::sqrt(2 / std::numbers::pi), 5 * 0.4 / root);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(squared[i], 4 * (at[i] * at[i] + 0.04), 5 * 1.7 / root);
}

TEST(SmoothGrad, WithoutNoiseIsTheGradient) {
  SmallProblem small;
  const nn::GoldenCase golden = small_problem_case("logits_against");
  const nn::Question question = SmallProblem::question(golden);
  SmoothGrad method;
  method.sigma = 0;
  method.samples = 3;
  const Tensor gradient = nn::score_gradients(small.classifier, small.x, question);
  expect_relative(method.attribute(small.classifier, small.x, question).values, gradient, 1e-12, "signed");
  method.gradient = "magnitude";
  const Tensor magnitude = method.attribute(small.classifier, small.x, question).values;
  expect_relative(magnitude, golden.at("saliency"), 1e-12, "magnitude");
}

TEST(SmoothGrad, NoiseIsTheImagesOwnAndTheSeeds) {
  SmallProblem small(cpu_device());
  const nn::Question question = SmallProblem::question(small_problem_case("logits"), cpu_device());
  SmoothGrad method;
  method.samples = 70;  // two parts
  const auto run = [&](const Tensor& x, const nn::Question& asked, std::uint64_t seed) {
    return method.attribute(small.classifier, x, asked, {}, seed).values.to_doubles();
  };
  const std::vector<double> together = run(small.x, question, 5);
  const std::vector<double> first = run(slice(small.x, 0, 0, 2), question.rows(0, 2), 5);
  EXPECT_EQ(first, std::vector<double>(together.begin(), together.begin() + static_cast<std::ptrdiff_t>(first.size())));
  EXPECT_EQ(together, run(small.x, question, 5));
  EXPECT_NE(together, run(small.x, question, 6));
  // The same image at another place sees other noise.
  const Tensor twice = concat(std::vector<Tensor>{slice(small.x, 0, 0, 1), slice(small.x, 0, 0, 1)}, 0);
  const std::vector<double> both = run(twice, question.gather({0, 0}), 5);
  const auto half = both.begin() + static_cast<std::ptrdiff_t>(both.size() / 2);
  EXPECT_NE(std::vector<double>(both.begin(), half), std::vector<double>(half, both.end()));

  const int threads = thread_count();
  set_thread_count(threads == 1 ? 2 : 1);
  const std::vector<double> other_threads = run(small.x, question, 5);
  set_thread_count(threads);
  EXPECT_EQ(together, other_threads);
}

TEST(SmoothGrad, OnTheCpuInSinglePrecisionAgrees) {
  SmallProblem small, single(cpu_device());
  const nn::GoldenCase golden = small_problem_case("logits_against");
  SmoothGrad method;
  method.samples = 20;
  const Tensor expected = method.attribute(small.classifier, small.x, SmallProblem::question(golden)).values;
  const nn::Question question = SmallProblem::question(golden, cpu_device());
  expect_relative(method.attribute(single.classifier, single.x, question).values, expected, 1e-4, "f32");
}

TEST(SmoothGrad, HasItsKeys) {
  SmoothGrad method;
  nn::Keys keys;
  method.declare(keys);
  keys.set_text("sigma", "0.1");
  keys.set_text("samples", "7");
  keys.set_text("gradient", "squared");
  EXPECT_EQ(method.sigma, 0.1);
  EXPECT_EQ(method.samples, 7);
  EXPECT_THROW(keys.set_text("gradient", "absolute"), Error);
  EXPECT_THROW(keys.set_text("samples", "0"), Error);
}

}  // namespace
}  // namespace counterfoil::methods
