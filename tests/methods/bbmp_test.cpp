#include "methods/bbmp.h"

#include <gtest/gtest.h>

#include "tests/methods/halves.h"
#include "tests/methods/strokes.h"

namespace counterfoil::methods {
namespace {

BbmpConfig small() {
  BbmpConfig config;
  config.mask_divisor = 2;
  config.mask_sigma = 1;
  config.blur_sigma = 3;
  config.jitter = 2;
  return config;
}

TEST(Bbmp, HasNothingToTrain) {
  BrighterHalf classifier;
  Bbmp bbmp({}, classifier, halves(2), 1, cpu_device());
  EXPECT_TRUE(bbmp.training_state().modules.empty());
  EXPECT_THROW(bbmp.train_step(), Error);
}

TEST(Bbmp, AnExplanationDependsOnItsImageAlone) {
  BrighterHalf classifier;
  BbmpConfig config = small();
  config.iterations = 20;
  Bbmp bbmp(config, classifier, halves(2), 1, cpu_device());
  const Tensor x = halves(6).all_images(cpu_device());
  const Tensor together = bbmp.explain(x).at("map");
  EXPECT_EQ(together.to_doubles(), bbmp.explain(x).at("map").to_doubles());
  for (std::int64_t i = 0; i < 6; ++i) {
    const Tensor alone = bbmp.explain(slice(x, 0, i, i + 1)).at("map");
    EXPECT_LT(l1(slice(together, 0, i, i + 1), alone).item(), 1e-4) << i;
  }
}

TEST(Bbmp, ADearerAreaIsSmallerAndMasksStayInRange) {
  BrighterHalf classifier;
  const Tensor x = halves(6).all_images(cpu_device());
  double area[2];
  for (int dear = 0; dear < 2; ++dear) {
    BbmpConfig config = small();
    config.iterations = 60;
    config.weight_area = dear == 1 ? 1 : 0.01;
    Bbmp bbmp(config, classifier, halves(2), 1, cpu_device());
    const Tensor map = bbmp.explain(x).at("map");
    area[dear] = mean(Variable(map)).item();
    for (const double m : map.to_doubles()) ASSERT_TRUE(m >= -1e-6 && m <= 1 + 1e-6);
  }
  EXPECT_LT(area[1], area[0]);
}

TEST(EndToEndBbmp, TakesTheStrokeAway) {
  Strokes strokes(Strokes::Queries::closed);
  BbmpConfig config = small();
  config.blur_sigma = 20;  // a narrow blur of a closed ring is still closed
  config.weight_area = 0.3;
  Bbmp bbmp(config, strokes.classifier(), strokes.train(), 1, cpu_device());
  const Explanation explanation = bbmp.explain(strokes.test_images());
  EXPECT_LE(strokes.agreement(explanation.at("counterfactual")), 0.1);
  EXPECT_GE(strokes.mass_inside(explanation.at("map")), 1.5 * strokes.area_inside());
}

}  // namespace
}  // namespace counterfoil::methods
