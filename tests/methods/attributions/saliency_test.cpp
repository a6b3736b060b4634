#include "methods/attributions/saliency.h"

#include <gmock/gmock.h>

#include "tensor/ops.h"
#include "tests/methods/attributions/closed_forms.h"
#include "tests/methods/attributions/small_net.h"

namespace counterfoil::methods {
namespace {

using testing::ElementsAre;

TEST(Saliency, OfALinearClassifierIsItsWeightsMagnitude) {
  WeightedSum f(f64({1, -2, -3, 5}, {2, 2}));
  const Tensor x = f64({0.5, 2, -1, 3}, {2, 1, 1, 2});
  const nn::Question question{labels_of({0, 1}), {}, {}};
  EXPECT_THAT(Saliency().attribute(f, x, question).values.to_doubles(), ElementsAre(1, 3, 2, 5));
  EXPECT_THAT(GradientTimesInput().attribute(f, x, question).values.to_doubles(), ElementsAre(0.5, -6, 2, 15));
  const nn::Question against{labels_of({0, 1}), labels_of({1, 0}), {}};
  EXPECT_THAT(Saliency().attribute(f, x, against).values.to_doubles(), ElementsAre(3, 8, 3, 8));
  EXPECT_THAT(GradientTimesInput().attribute(f, x, against).values.to_doubles(), ElementsAre(1.5, -16, 3, 24));
}

TEST(Saliency, KeepsEveryChannelAndPromisesNoCompleteness) {
  SmallProblem small;
  const Attribution found = Saliency().attribute(small.classifier, small.x, why_decided(small.classifier, small.x));
  EXPECT_EQ(found.values.shape(), small.x.shape());
  EXPECT_FALSE(found.gap.defined());
}

TEST(Saliency, MatchesCaptum) {
  SmallProblem small;
  for (const std::string& name : small_problem_cases()) {
    const nn::GoldenCase golden = small_problem_case(name);
    const nn::Question question = SmallProblem::question(golden);
    const Tensor saliency = Saliency().attribute(small.classifier, small.x, question).values;
    expect_relative(saliency, golden.at("saliency"), 1e-12, name);
    const Tensor product = GradientTimesInput().attribute(small.classifier, small.x, question).values;
    expect_relative(product, golden.at("gradient_times_input"), 1e-12, name);
  }
}

TEST(Saliency, OnTheCpuInSinglePrecisionAgrees) {
  SmallProblem small(cpu_device());
  const nn::GoldenCase golden = small_problem_case("logits_against");
  const nn::Question question = SmallProblem::question(golden, cpu_device());
  const Tensor saliency = Saliency().attribute(small.classifier, small.x, question).values;
  expect_relative(saliency, golden.at("saliency"), 1e-5, "saliency");
  const Tensor product = GradientTimesInput().attribute(small.classifier, small.x, question).values;
  expect_relative(product, golden.at("gradient_times_input"), 1e-5, "gradient times input");
}

TEST(Saliency, OfAnImageIsTheSameAloneAndTogether) {
  SmallProblem small(cpu_device());
  const nn::Question question = SmallProblem::question(small_problem_case("logits"), cpu_device());
  const Tensor together = GradientTimesInput().attribute(small.classifier, small.x, question).values;
  for (std::int64_t n = 0; n < 3; ++n) {
    const Tensor x = slice(small.x, 0, n, n + 1);
    const Tensor alone = GradientTimesInput().attribute(small.classifier, x, question.rows(n, n + 1)).values;
    expect_relative(alone, slice(together, 0, n, n + 1), 1e-6, "image " + std::to_string(n));
  }
}

TEST(Saliency, RefusesBaselinesAndQuestionsOfOtherImages) {
  WeightedSum f(f64({1, -2, -3, 5}, {2, 2}));
  const Tensor x = f64({0.5, 2, -1, 3}, {2, 1, 1, 2});
  EXPECT_THROW(Saliency().attribute(f, x, {labels_of({0, 1}), {}, {}}, x), Error);
  EXPECT_THROW(Saliency().attribute(f, x, {labels_of({0}), {}, {}}), Error);
  EXPECT_THROW(Saliency().attribute(f, x, {labels_of({0, 1, 0}), {}, {}}), Error);
  EXPECT_THROW(Saliency().attribute(f, x, {labels_of({0, 2}), {}, {}}), Error);
  EXPECT_THROW(Saliency().attribute(f, x, {labels_of({0, 1}), labels_of({1}), {}}), Error);
  EXPECT_THROW(Saliency().attribute(f, f64({1, 2}, {1, 2}), {labels_of({0}), {}, {}}), Error);
}

}  // namespace
}  // namespace counterfoil::methods
