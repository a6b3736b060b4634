#include "methods/attributions/integrated_gradients.h"

#include <cmath>

#include <gmock/gmock.h>

#include "tensor/ops.h"
#include "tests/methods/attributions/closed_forms.h"
#include "tests/methods/attributions/small_net.h"

namespace counterfoil::methods {
namespace {

using testing::ElementsAre;

const std::vector<std::string> kRules = {"right_riemann", "midpoint", "gauss_legendre"};

TEST(IntegratedGradients, OfALinearClassifierAreExactWithOneStep) {
  WeightedSum f(f64({1, -2, -3, 5}, {2, 2}));
  const Tensor x = f64({0.5, 2, -1, 3}, {2, 1, 1, 2}), b = f64({0, 1, 1, 1}, {2, 1, 1, 2});
  IntegratedGradients method;
  method.steps = 1;
  for (const std::string& rule : kRules) {
    method.rule = rule;
    const Attribution found = method.attribute(f, x, {labels_of({0, 1}), {}, {}}, b);
    expect_relative(found.values, f64({0.5, -3, 4, 10}, x.shape()), 1e-14, rule);
    EXPECT_LE(largest(found.gap), 1e-14) << rule;
  }
}

// Of x^p the exact values are x^p - b^p. For p = 2 the right Riemann sum gives (x^2 - b^2) + (x - b)^2 / n, for p = 3
// the midpoint sum (x^3 - b^3) - (x - b)^3 / (4 n^2), and Gauss-Legendre is exact with 1 and 2 nodes.
TEST(IntegratedGradients, OfPowersHaveTheirRulesError) {
  const Tensor x = f64({0.9, -0.5}, {1, 1, 1, 2}), b = f64({0.2, 0.5}, {1, 1, 1, 2});
  const nn::Question question{labels_of({0}), labels_of({1}), {}};
  IntegratedGradients method;
  const auto found = [&](int power, const std::string& rule, std::int64_t steps) {
    PowerClassifier f(2, power);
    method.rule = rule;
    method.steps = steps;
    const Attribution attribution = method.attribute(f, x, question, b);
    return std::pair{attribution.values.to_doubles(), attribution.gap.item()};
  };
  {
    const auto [values, gap] = found(2, "right_riemann", 10);
    EXPECT_NEAR(values[0], 0.81 - 0.04 + 0.049, 1e-14);
    EXPECT_NEAR(values[1], -(0 + 0.1), 1e-14);
    EXPECT_NEAR(gap, 0.049 - 0.1, 1e-14);
  }
  {
    const auto [values, gap] = found(3, "midpoint", 5);
    EXPECT_NEAR(values[0], 0.729 - 0.008 - 0.343 / 100, 1e-14);
    EXPECT_NEAR(values[1], -(-0.25 + 1.0 / 100), 1e-14);
    EXPECT_NEAR(gap, -0.01343, 1e-14);
  }
  EXPECT_NEAR(found(2, "gauss_legendre", 1).first[0], 0.77, 1e-14);
  EXPECT_NEAR(found(2, "gauss_legendre", 1).second, 0, 1e-14);
  EXPECT_NEAR(found(3, "gauss_legendre", 2).first[0], 0.721, 1e-14);
  EXPECT_NEAR(found(3, "gauss_legendre", 2).first[1], 0.25, 1e-14);
}

TEST(IntegratedGradients, MatchCaptum) {
  SmallProblem small;
  for (const std::string& name : small_problem_cases()) {
    const nn::GoldenCase golden = small_problem_case(name);
    IntegratedGradients method;
    method.steps = golden.attribute<std::int64_t>("steps");
    for (const std::string& rule : kRules) {
      method.rule = rule;
      const Attribution found =
          method.attribute(small.classifier, small.x, SmallProblem::question(golden), small.baseline);
      // captum rounds the weights to f32, and those of Gauss-Legendre have more digits.
      const double tolerance = rule == "gauss_legendre" ? 5e-8 : 1e-12;
      expect_relative(found.values, golden.at(rule), tolerance, name + " " + rule);
      expect_relative(found.gap, golden.at(rule + "_gap"), 50 * tolerance, name + " " + rule + ", gap");
    }
  }
}

TEST(IntegratedGradients, TheGapFallsWithTheSteps) {
  SmallProblem small;
  const nn::Question question = SmallProblem::question(small_problem_case("logits_against"));
  for (const std::string& rule : kRules) {
    IntegratedGradients method;
    method.rule = rule;
    double before = std::numeric_limits<double>::infinity();
    for (const std::int64_t steps : {5, 500}) {
      method.steps = steps;
      const double gap = largest(method.attribute(small.classifier, small.x, question, small.baseline).gap);
      EXPECT_LT(gap, before / 10) << rule << ", " << steps << " steps";
      before = gap;
    }
    EXPECT_LT(before, 5e-3 * largest(nn::scores(small.classifier, small.x, question)));
  }
}

TEST(IntegratedGradients, AreTheSameBitsAloneTogetherAndOnAnyThreads) {
  SmallProblem small(cpu_device());
  const nn::Question question = SmallProblem::question(small_problem_case("logits_against"), cpu_device());
  IntegratedGradients method;
  method.steps = 100;  // two parts
  const auto run = [&](std::int64_t begin, std::int64_t end) {
    return method
        .attribute(small.classifier, slice(small.x, 0, begin, end), question.rows(begin, end),
                   slice(small.baseline, 0, begin, end))
        .values.to_doubles();
  };
  const std::vector<double> together = run(0, 3);
  std::vector<double> alone;
  for (std::int64_t n = 0; n < 3; ++n) {
    const std::vector<double> one = run(n, n + 1);
    alone.insert(alone.end(), one.begin(), one.end());
  }
  EXPECT_EQ(together, alone);
  const int threads = thread_count();
  set_thread_count(threads == 1 ? 2 : 1);
  const std::vector<double> other_threads = run(0, 3);
  set_thread_count(threads);
  EXPECT_EQ(together, other_threads);
}

TEST(IntegratedGradients, HoldAFewCopiesAtATime) {
  class Counter final : public nn::Classifier {
   public:
    Variable logits(const Variable& x) override {
      most = std::max(most, x.shape()[0]);
      all += x.shape()[0];
      return flatten(x);
    }
    int class_count() const override { return 1; }
    bool single_logit() const override { return false; }
    std::int64_t most = 0, all = 0;
  } f;
  const Tensor x = Tensor::full(Shape{4, 1, 1, 1}, 2, DType::f64, reference_device());
  IntegratedGradients method;
  method.steps = 1000;
  const Tensor values =
      method.attribute(f, x, {Tensor::zeros(Shape{4}, DType::i32, reference_device()), {}, {}}, x.zeros_like()).values;
  EXPECT_LE(f.most, 64);
  EXPECT_GE(f.all, 4000);
  expect_relative(values, x, 1e-13, "in parts");
}

TEST(IntegratedGradients, OnTheCpuInSinglePrecisionAgree) {
  SmallProblem small(cpu_device());
  const nn::GoldenCase golden = small_problem_case("logits_against");
  IntegratedGradients method;
  method.steps = golden.attribute<std::int64_t>("steps");
  for (const std::string& rule : kRules) {
    method.rule = rule;
    const nn::Question question = SmallProblem::question(golden, cpu_device());
    const Attribution found = method.attribute(small.classifier, small.x, question, small.baseline);
    expect_relative(found.values, golden.at(rule), 1e-5, rule);
    EXPECT_EQ(found.gap.dtype(), DType::f32);
  }
}

TEST(IntegratedGradients, NeedOneBaselineForEachImage) {
  WeightedSum f(f64({1, -2, -3, 5}, {2, 2}));
  const Tensor x = f64({0.5, 2, -1, 3}, {2, 1, 1, 2});
  const nn::Question question{labels_of({0, 1}), {}, {}};
  IntegratedGradients method;
  EXPECT_THROW(method.attribute(f, x, question), Error);
  EXPECT_THROW(method.attribute(f, x, question, slice(x, 0, 0, 1)), Error);
  EXPECT_THROW(method.attribute(f, x, question, f64({1, 2, 3, 4}, {2, 1, 2, 1})), Error);
  EXPECT_THROW(method.attribute(f, x, question, x.reshape({2, 1, 1, 1, 2})), Error);
  method.rule = "trapezium";
  EXPECT_THROW(method.attribute(f, x, question, x), Error);
}

}  // namespace
}  // namespace counterfoil::methods
