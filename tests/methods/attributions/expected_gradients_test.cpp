#include "methods/attributions/expected_gradients.h"

#include <cmath>

#include <gmock/gmock.h>

#include "methods/attributions/integrated_gradients.h"
#include "tensor/ops.h"
#include "tests/methods/attributions/closed_forms.h"
#include "tests/methods/attributions/small_net.h"

namespace counterfoil::methods {
namespace {

// Of a linear classifier a draw is (x - b) w whatever alpha is.
TEST(ExpectedGradients, OfALinearClassifierWithOneBaselineAreExact) {
  WeightedSum f(f64({1, -2, -3, 5}, {2, 2}));
  const Tensor x = f64({0.5, 2, -1, 3}, {2, 1, 1, 2}), b = f64({0, 1, 1, 1}, {2, 1, 1, 2});
  ExpectedGradients method;
  method.draws = 3;
  const Attribution found = method.attribute(f, x, {labels_of({0, 1}), {}, {}}, b);  // one for each is a set of one
  expect_relative(found.values, f64({0.5, -3, 4, 10}, x.shape()), 1e-14, "values");
  for (const double gap : found.gap.to_doubles()) EXPECT_NEAR(gap, 0, 1e-14);
}

// Of x^2 a draw from b is 2 (x - b) (b + a (x - b)), of mean x^2 - b^2 and deviation (x - b)^2 / sqrt(3).
TEST(ExpectedGradients, DrawAlphasUniformly) {
  PowerClassifier f(1, 2);
  const Tensor x = f64({0.9, 0.4}, {2, 1, 1, 1}), b = f64({0.2, 1}, {2, 1, 1, 1});
  ExpectedGradients method;
  method.draws = 20'000;
  const std::vector<double> values = method.attribute(f, x, {labels_of({0, 0}), {}, {}}, b).values.to_doubles();
  const double root = std::sqrt(3.0 * 20'000);
  EXPECT_NEAR(values[0], 0.77, 5 * 0.49 / root);
  EXPECT_NEAR(values[1], -0.84, 5 * 0.36 / root);
  EXPECT_NE(values[0], 0.77);
}

TEST(ExpectedGradients, DrawEveryBaselineOfTheImagesOwnSet) {
  WeightedSum f(f64({1}, {1, 1}));
  const Tensor x = f64({1, 2}, {2, 1, 1, 1});
  const Tensor sets = f64({0, 1, 5, 10, 20, 60}, {2, 3, 1, 1, 1});  // means 2 and 30
  ExpectedGradients method;
  method.draws = 20'000;
  const Attribution found = method.attribute(f, x, {labels_of({1, 1}), {}, {}}, sets);
  const std::vector<double> values = found.values.to_doubles(), gap = found.gap.to_doubles();
  EXPECT_NEAR(values[0], 1 - 2, 5 * 2.2 / std::sqrt(20'000.0));
  EXPECT_NEAR(values[1], 2 - 30, 5 * 21.7 / std::sqrt(20'000.0));
  EXPECT_NEAR(gap[0], values[0] - (1 - 2), 1e-12);
  EXPECT_NEAR(gap[1], values[1] - (2 - 30), 1e-12);
}

TEST(ExpectedGradients, TendToTheMeanOfIntegratedGradients) {
  SmallProblem small;
  const nn::Question question = SmallProblem::question(small_problem_case("logits_against"));
  const Tensor other = unary(UnaryOp::affine, small.baseline, -1, 1);
  std::vector<std::int64_t> extents(small.x.shape().extents().begin(), small.x.shape().extents().end());
  extents.insert(extents.begin() + 1, 1);
  const Shape set(extents);
  const Tensor both = concat(std::vector<Tensor>{small.baseline.reshape(set), other.reshape(set)}, 1);

  const IntegratedGradients exact;
  const Tensor a = exact.attribute(small.classifier, small.x, question, small.baseline).values;
  const Tensor b = exact.attribute(small.classifier, small.x, question, other).values;
  const Tensor expected = axpby(0.5, a, 0.5, b);
  double before = std::numeric_limits<double>::infinity();
  for (const std::int64_t draws : {10, 4000}) {
    ExpectedGradients method;
    method.draws = draws;
    const Tensor found = method.attribute(small.classifier, small.x, question, both).values;
    const Tensor difference = binary(BinaryOp::subtract, found, expected);
    const double error =
        std::sqrt(reduce(ReduceOp::sum_squares, difference).item() / reduce(ReduceOp::sum_squares, expected).item());
    EXPECT_LT(error, before / 5) << draws;
    before = error;
  }
  EXPECT_LT(before, 0.05);
}

TEST(ExpectedGradients, DrawsAreTheImagesOwnAndTheSeeds) {
  SmallProblem small(cpu_device());
  const nn::Question question = SmallProblem::question(small_problem_case("logits"), cpu_device());
  const Shape set{3, 1, 8, 8, 2};
  const Tensor sets = concat(std::vector<Tensor>{small.baseline.reshape(set), small.x.zeros_like().reshape(set)}, 1);
  ExpectedGradients method;
  method.draws = 100;  // two parts
  const auto run = [&](std::int64_t images, std::uint64_t seed) {
    return method
        .attribute(small.classifier, slice(small.x, 0, 0, images), question.rows(0, images), slice(sets, 0, 0, images),
                   seed)
        .values.to_doubles();
  };
  const std::vector<double> together = run(3, 5), first = run(2, 5);
  EXPECT_EQ(first, std::vector<double>(together.begin(), together.begin() + static_cast<std::ptrdiff_t>(first.size())));
  EXPECT_EQ(together, run(3, 5));
  EXPECT_NE(together, run(3, 6));
  const int threads = thread_count();
  set_thread_count(threads == 1 ? 2 : 1);
  const std::vector<double> other_threads = run(3, 5);
  set_thread_count(threads);
  EXPECT_EQ(together, other_threads);

  SmallProblem exact;
  const nn::Question asked = SmallProblem::question(small_problem_case("logits"));
  const Tensor doubles = sets.to(reference_device()).to(DType::f64);
  const Tensor expected = method.attribute(exact.classifier, exact.x, asked, doubles, 5).values;
  const Tensor found = method.attribute(small.classifier, small.x, question, sets, 5).values;
  expect_relative(found, expected, 1e-4, "in single precision");
}

TEST(ExpectedGradients, NeedASetForEachImage) {
  WeightedSum f(f64({1, -2, -3, 5}, {2, 2}));
  const Tensor x = f64({0.5, 2, -1, 3}, {2, 1, 1, 2});
  const nn::Question question{labels_of({0, 1}), {}, {}};
  const ExpectedGradients method;
  EXPECT_THROW(method.attribute(f, x, question), Error);
  EXPECT_THROW(method.attribute(f, x, question, slice(x, 0, 0, 1).reshape({1, 1, 1, 1, 2})), Error);
  EXPECT_THROW(method.attribute(f, x, question, Tensor::zeros({2, 0, 1, 1, 2}, DType::f64, reference_device())), Error);
  EXPECT_THROW(method.attribute(f, x, question, Tensor::zeros({2, 3, 1, 2, 1}, DType::f64, reference_device())), Error);
}

}  // namespace
}  // namespace counterfoil::methods
