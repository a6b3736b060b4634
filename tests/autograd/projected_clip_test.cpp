#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "autograd/ops.h"
#include "tests/autograd/vectors.h"

namespace counterfoil {
namespace {

using testing::ElementsAre;

// Below, on the lower bound, inside, on the upper bound, above; and once more.
const std::vector<double> kPoints = {-1, 0, 0.25, 1, 3, -1, 0, 0.25, 1, 3};
const std::vector<double> kGradients = {2, 2, 2, 2, 2, -3, -3, -3, -3, -3};

TEST(ProjectedClip, PassesWhatLeadsBack) {
  const Variable x = leaf(kPoints);
  const Variable y = projected_clip(x, 0, 1);
  EXPECT_THAT(numbers(y), ElementsAre(0, 0, 0.25, 1, 1, 0, 0, 0.25, 1, 1));
  const Variable loss = sum(y * leaf(kGradients).detach());
  // Descent takes a step against the gradient: 2 lowers, which leads back from above alone, -3 the other way round.
  EXPECT_THAT(numbers(grad({loss}, {x})[0]), ElementsAre(0, 2, 2, 2, 2, -3, -3, -3, -3, 0));
}

TEST(ProjectedClip, IsLinearInTheGradientToSecondOrder) {
  const Variable x = leaf(kPoints), w = leaf(kGradients);
  const Variable d_x = grad({sum(projected_clip(x, 0, 1) * square(w))}, {x}, {.create_graph = true})[0];
  EXPECT_THAT(numbers(d_x), ElementsAre(0, 4, 4, 4, 4, 0, 9, 9, 9, 9));
  const Variables second = grad({sum(d_x)}, {w});
  EXPECT_THAT(numbers(second[0]), ElementsAre(0, 4, 4, 4, 4, 0, -6, -6, -6, -6));
}

TEST(ProjectedClip, DescentFindsATargetInsideFromEitherSide) {
  const Variable target = leaf({0.25, 0.25}).detach();
  Variable x = leaf({-5, 6});
  for (int step = 0; step < 100; ++step) {
    const Variable d_x = grad({sum(square(projected_clip(x, 0, 1) - target))}, {x})[0];
    x = Variable::leaf((x - 0.25 * d_x).value());
  }
  EXPECT_NEAR(numbers(x)[0], 0.25, 1e-6);
  EXPECT_NEAR(numbers(x)[1], 0.25, 1e-6);
}

}  // namespace
}  // namespace counterfoil
