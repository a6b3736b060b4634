#include "methods/augmented_lagrangian.h"

#include <gtest/gtest.h>

#include "autograd/ops.h"
#include "methods/boundary_search.h"
#include "tests/methods/corridor.h"

namespace counterfoil::methods {
namespace {

Tensor rows(const std::vector<float>& values, std::int64_t count) {
  return Tensor::from(values, Shape{count, std::ssize(values) / count}, cpu_device());
}

void expect_values(const Tensor& found, const std::vector<double>& expected, double tolerance = 1e-6) {
  const std::vector<double> values = found.to_doubles();
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], tolerance) << i;
}

TEST(AugmentedLagrangian, TermsAndMultipliersByHand) {
  AugmentedLagrangian lagrangian(2, 2, {.penalty = 2}, cpu_device());
  const Tensor h = rows({0.5, -1}, 2), g = rows({1, -1, -0.5, 0.25}, 2);
  // h^2 + (max(0, 2 g_1)^2 + max(0, 2 g_2)^2) / 4
  expect_values(lagrangian.terms(h, g).value(), {0.25 + 1, 1 + 0.0625});
  lagrangian.update(h, g);
  expect_values(lagrangian.lambda(), {1, -2});
  expect_values(lagrangian.mu(), {2, 0, 0, 0.5});
  expect_values(lagrangian.penalty(), {2, 2});
  const Tensor h2 = rows({0.1F, 0.2F}, 2), g2 = rows({-0.5, 0.1F, 0, -1}, 2);
  // lambda h + h^2 + (max(0, mu + 2 g)^2 - mu^2) / 4
  expect_values(lagrangian.terms(h2, g2).value(), {0.1 + 0.01 + (1 - 4 + 0.04) / 4, -0.4 + 0.04 + (0 - 0.25) / 4});
}

TEST(AugmentedLagrangian, GradientIsTheNextMultiplier) {
  AugmentedLagrangian lagrangian(2, 2, {.penalty = 3}, cpu_device());
  lagrangian.update(rows({0.5, -1}, 2), rows({1, -1, -0.5, 0.25}, 2));
  const Variable h = Variable::leaf(rows({0.2F, 0.4F}, 2)), g = Variable::leaf(rows({-0.1F, -1, 0.3F, -0.2F}, 2));
  const Variables slopes = grad({sum(lagrangian.terms(h, g))}, {h, g});
  lagrangian.update(h.value(), g.value());
  expect_values(slopes[0].value(), lagrangian.lambda().to_doubles());
  expect_values(slopes[1].value(), lagrangian.mu().to_doubles());
  expect_values(slopes[1].value(), {2.7, 0, 0.9, 0.15});
}

TEST(AugmentedLagrangian, PenaltyGrowsWhereAConstraintIsSlow) {
  AugmentedLagrangian lagrangian(4, 1, {.penalty = 1, .growth = 3, .progress = 0.5, .penalty_limit = 5}, cpu_device());
  lagrangian.update(rows({1, 1, 0, 0}, 4), rows({-1, -1, 1, 1}, 4));
  expect_values(lagrangian.penalty(), {1, 1, 1, 1});
  // The last is within its bound, but its multiplier of 1 wants it on the bound.
  lagrangian.update(rows({0.4F, -0.6F, 0, 0}, 4), rows({-1, -1, 0.1F, -0.9F}, 4));
  expect_values(lagrangian.penalty(), {1, 3, 1, 3});
  lagrangian.update(rows({0.4F, -0.6F, 0, 0}, 4), rows({-1, -1, 0, 0}, 4));
  expect_values(lagrangian.penalty(), {3, 5, 1, 3});
}

// ||z - z_0||^2, z_1 + z_2 = 1, z_1 <= 0.2: solved on paper. In the second problem the bound does not bind.
TEST(AugmentedLagrangian, FindsKnownMinimaOfSeveralProblems) {
  AugmentedLagrangian lagrangian(2, 1, {}, cpu_device());
  const Tensor start = rows({1, 1, 0.1F, 2}, 2);
  const auto constraints = [](const Variable& z) { return std::pair(sum(z, {1}) - 1, slice(z, 1, 0, 1) - 0.2); };
  const std::vector<Tensor> path = descend(
      start, 20, 100, 0.05,
      [&](const Variable& z) {
        const auto [h, g] = constraints(z);
        return squared_distance(z, start) + lagrangian.terms(h, g);
      },
      [&](const Tensor& z) {
        const NoGrad no_grad;
        const auto [h, g] = constraints(z);
        lagrangian.update(h.value(), g.value());
      });
  expect_values(path.front(), start.to_doubles());
  expect_values(path.back(), {0.2, 0.8, -0.45, 1.45}, 1e-3);
  expect_values(lagrangian.lambda(), {0.4, 1.1}, 1e-2);
  expect_values(lagrangian.mu(), {1.2, 0}, 1e-2);
}

TEST(AugmentedLagrangian, WithoutInequalities) {
  AugmentedLagrangian lagrangian(1, 0, {.penalty = 2}, cpu_device());
  lagrangian.update(rows({0.5}, 1), {});
  expect_values(lagrangian.terms(rows({3}, 1), {}).value(), {3 + 9});
  EXPECT_FALSE(lagrangian.mu().defined());
  EXPECT_EQ(violations(rows({-0.5, 0.1F}, 2), {}), (std::vector<double>{0.5, 0.1F}));
  EXPECT_EQ(violations(rows({-0.5, 0.125}, 2), rows({-1, 0.25, 0.5, -3}, 2)), (std::vector<double>{0.5, 0.5}));
}

const std::vector<std::int32_t> kTrue = {0, 3}, kProbe = {2, 1};

Tensor classes_of(const std::vector<std::int32_t>& values) {
  return Tensor::from(values, Shape{std::ssize(values)}, cpu_device());
}

TEST(BoundarySearch, ConstraintsByHand) {
  const Variable l = Variable::leaf(rows({4, 1, 2, 5, -1, -2, -3, -4}, 2));
  const Variable h = boundary_constraint(l, classes_of(kTrue), classes_of(kProbe), 0.5);
  expect_values(h.value(), {2 + 0.5, -2 + 0.5});
  expect_values(grad({sum(h)}, {l}).front().value(), {1, 0, -1, 0, 0, -1, 0, 1});

  const Variable g = third_class_constraints(l, classes_of(kTrue), classes_of(kProbe), 0.25);
  // Against y_true, then against y_probe; classes 1 and 3, then 0 and 2, are third ones.
  expect_values(g.value(), {-1, -3.25, -1, 0.75, -1, -1.25, -1, 2.75, 2.75, -1, 0.75, -1, 0.75, -1, -1.25, -1});
  expect_values(grad({sum(g)}, {l}).front().value(), {-2, 2, -2, 2, 2, -2, 2, -2});
}

// Eq. 2 where codes are images and the classifier is linear, solved on paper: u is to be 1/2, and v at least 0.3 where
// a third class is not to win; the nearest such image has all pixels of a bar shifted alike, and no other.
TEST(BoundarySearch, FindsTheNearestPointOfALinearClassifier) {
  Corridor classifier;
  const Tensor start = Corridor::images(3, 1, 0.3, 0.5).all_images(cpu_device()).reshape({3, kSide * kSide});
  const Search search{{}, classes_of({0, 0, 0}), classes_of({1, 1, 1}), start, {}};
  LatentSearchConfig config;
  config.iterations = 100;
  const auto shown = [](const Variable& z) { return reshape(z, {3, kSide, kSide, 1}); };
  for (const bool third_classes : {true, false}) {
    const Found found = find_boundary(config, {}, third_classes, classifier, search, shown);
    const std::vector<double> before = start.to_doubles(), after = found.path.back().to_doubles();
    constexpr std::size_t kPixels = kSide * kSide;
    bool bound = false;
    for (std::size_t image = 0; image < 3; ++image) {
      double u = 0, v = 0;
      for (std::size_t p = 0; p < kPixels; ++p) {
        const double part = before[image * kPixels + p] / (2.0 * Corridor::kRows);
        if (Corridor::in_u(static_cast<std::int64_t>(p))) u += part;
        if (Corridor::in_v(static_cast<std::int64_t>(p))) v += part;
      }
      const double lacks_v = third_classes ? std::max(0.0, 0.3 - v) : 0;
      bound = bound || lacks_v > 0;
      for (std::size_t p = 0; p < kPixels; ++p) {
        const auto pixel = static_cast<std::int64_t>(p);
        const double shift = Corridor::in_u(pixel) ? 0.5 - u : Corridor::in_v(pixel) ? lacks_v : 0;
        ASSERT_NEAR(after[image * kPixels + p] - before[image * kPixels + p], shift, 5e-3) << image << " " << p;
      }
      EXPECT_LE(found.violation[image], 0.02);
    }
    EXPECT_EQ(bound, third_classes);
  }
}

TEST(BoundarySearch, TwoClassesHaveNoThird) {
  const Tensor l = rows({-0.1F, -2.5}, 1);
  expect_values(third_class_constraints(l, classes_of({0}), classes_of({1}), 0).value(), {-1, -1, -1, -1});
}

}  // namespace
}  // namespace counterfoil::methods
