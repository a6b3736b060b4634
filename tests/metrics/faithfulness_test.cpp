#include "metrics/faithfulness.h"

#include "tensor/ops.h"
#include "tests/metrics/perturbed_classifier.h"

namespace counterfoil::metrics {
namespace {

using testing::ElementsAre;

class Faithfulness : public testing::Test {
 protected:
  golden::Case one = attribution_goldens().at("perturbations");
  Quadratic f{one.tensor("linear"), one.tensor("quadratic")};
  Tensor x = one.tensor("x"), a = one.tensor("attributions");
  nn::Question question{one.indices("classes")};
};
using Monotonicity = Faithfulness;

TEST_F(Faithfulness, MatchesScipy) {
  expect_all_near(faithfulness(f, x, question, a, one.tensor("baselines")), one.tensor("faithfulness").to_doubles(),
                  1e-12);
  expect_all_near(faithfulness(f, x, question, reduce(ReduceOp::sum, a, {3}), one.tensor("baselines")),
                  one.tensor("faithfulness_map").to_doubles(), 1e-12);
}

TEST_F(Faithfulness, OfALinearScoreIsOneForItsContributions) {
  const Tensor weights = f64({3, -1, 2, 0.5}, {1, 1, 4, 1}), image = f64({1, 0.5, 0.25, 1}, {1, 1, 4, 1});
  Quadratic linear = weighted_sum(weights.to_doubles());
  const Tensor zero = image.zeros_like();
  EXPECT_NEAR(faithfulness(linear, image, {classes_of({1})}, binary(BinaryOp::multiply, weights, image), zero)[0], 1,
              1e-12);
  EXPECT_NEAR(faithfulness(linear, image, {classes_of({0})}, binary(BinaryOp::multiply, weights, image), zero)[0], -1,
              1e-12);
  // Drops 3, -0.5, 0.5, 0.5; attributions 1, 0, 0, 0: cov = (3 - 0.875) / 4, variances 3/16 and 2.375 - 0.765625.
  EXPECT_NEAR(faithfulness(linear, image, {classes_of({1})}, f64({1, 0, 0, 0}, {1, 1, 4, 1}), zero)[0],
              (2.125 / 4) / std::sqrt(3.0 / 16 * (9.75 / 4 - 0.875 * 0.875)), 1e-12);
}

TEST_F(Faithfulness, OneBaselineServesAll) {
  const Tensor first = slice(one.tensor("baselines"), 0, 0, 1);
  const std::vector<Tensor> thrice = {first, first, first};
  EXPECT_EQ(faithfulness(f, x, question, a, first), faithfulness(f, x, question, a, concat(thrice, 0)));
}

TEST_F(Faithfulness, OfConstantsIsZero) {
  EXPECT_THAT(faithfulness(f, x, question, a.zeros_like(), one.tensor("baselines")), ElementsAre(0, 0, 0));
  EXPECT_THAT(faithfulness(f, x, question, a, x), ElementsAre(0, 0, 0));  // nothing drops
  Quadratic single = weighted_sum({2});
  const Tensor pixel = f64({0.5}, {1, 1, 1, 1});
  EXPECT_THAT(faithfulness(single, pixel, {classes_of({1})}, pixel, pixel.zeros_like()), ElementsAre(0));
}

TEST_F(Faithfulness, RefusesOtherBaselines) {
  EXPECT_THROW(faithfulness(f, x, question, a, slice(one.tensor("baselines"), 0, 0, 2)), Error);
  EXPECT_THROW(faithfulness(f, x, question, a, reduce(ReduceOp::sum, x, {3})), Error);
}

TEST_F(Monotonicity, MatchesScipy) {
  expect_all_near(monotonicity(f, x, question, a, one.tensor("replacements")), one.tensor("monotonicity").to_doubles(),
                  1e-12);
}

TEST_F(Monotonicity, ByHand) {
  Quadratic linear = weighted_sum({-4, 1, 2, 0});
  const Tensor image = f64({0, 1, 1, 1}, {1, 1, 4, 1});
  const Tensor replacements = f64({0.5, 0, 1, 0, 0, 1, 0, 1}, {2, 1, 1, 4});
  // Effects: mean(4, 0), mean(1, 0), mean(0, 4), 0: ranks 3.5, 2, 3.5, 1. |a|: ranks 4, 2.5, 2.5, 1.
  const Tensor a4 = f64({-9, 2, -2, 0}, {1, 1, 4, 1});
  const std::vector<double> found =
      monotonicity(linear, image, {classes_of({1})}, a4, replacements.reshape({2, 1, 4, 1}));
  EXPECT_NEAR(found[0], (1 * 1.5 + 0.5 * 0 + 1 * 0 + 1.5 * 1.5) / 4.5, 1e-12);
}

// Bits of a product of matrices may depend on its rows, and ranks would make much of it.
TEST_F(Monotonicity, WhatDoesNotChangeHasNoEffectWhoeverItIsComputedWith) {
  class OfTheBatch final : public nn::Classifier {
   public:
    Variable logits(const Variable& x) override {
      const double rounding = 1e-12 * static_cast<double>(x.shape()[0]);
      return reshape(slice(reshape(x, {x.shape()[0], -1}), 1, 0, 1), {-1, 1}) + rounding;
    }
    int class_count() const override { return 2; }
    bool single_logit() const override { return true; }
  } first_pixel;
  const Shape shape{1, 10, 15, 1};  // with the image 151 copies: several parts, of different sizes
  const Tensor image = Tensor::full(shape, 0.5, DType::f64, reference_device());
  std::vector<double> changed(150, 0.5), values(150, 0);
  changed[0] = values[0] = 1;
  EXPECT_NEAR(monotonicity(first_pixel, image, {classes_of({1})}, f64(values, shape), f64(changed, shape))[0], 1,
              1e-12);
}

TEST_F(Monotonicity, OfConstantsIsZero) {
  EXPECT_THAT(
      monotonicity(f, x, question, Tensor::full(x.shape(), -3, DType::f64, x.device()), one.tensor("replacements")),
      ElementsAre(0, 0, 0));
}

TEST_F(Monotonicity, RefusesOtherReplacements) {
  EXPECT_THROW(monotonicity(f, x, question, a, reduce(ReduceOp::sum, x, {3})), Error);
  EXPECT_THROW(monotonicity(f, x, question, a, x.reshape({3, -1})), Error);
}

TEST_F(Faithfulness, OfFloatsOnTheCpuIsTheSame) {
  const auto floats = [&](const char* role) { return one.tensor(role).to(DType::f32).to(cpu_device()); };
  Quadratic on_cpu(floats("linear"), floats("quadratic"));
  const nn::Question asked{one.indices("classes").to(cpu_device())};
  expect_all_near(faithfulness(on_cpu, floats("x"), asked, floats("attributions"), floats("baselines")),
                  one.tensor("faithfulness").to_doubles(), 1e-5);
}

}  // namespace
}  // namespace counterfoil::metrics
