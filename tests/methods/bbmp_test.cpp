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

// The first step of Adam is as long as its rate, against the sign of the loss's slope; what it leaves of [0,1] is cut
// off. Weights so that each of the three terms decides somewhere.
TEST(Bbmp, FirstStepFollowsItsLoss) {
  BrighterHalf classifier;
  // Bright only near the middle, so that the first mask deletes a disc there and keeps the rest.
  std::vector<float> pixels(2 * kSide * kSide, 0.0F);
  for (const std::size_t p : {26U, 27U, 34U, 35U}) pixels[p] = pixels[kSide * kSide + p + 2] = 1;
  const Tensor x = Tensor::from(pixels, Shape{2, kSide, kSide, 1}, cpu_device());
  const Tensor decided = one_hot(classifier.decisions(x), 2);
  std::vector<std::vector<double>> masks;
  const std::vector<std::pair<double, double>> weights = {{10, 0}, {0, 10}, {0, 0}, {1, 0.02}};
  for (const auto& [area, smoothness] : weights) {
    BbmpConfig config;
    config.mask_divisor = 1;  // so that "map" is 1 - m
    config.mask_sigma = 0;
    config.jitter = 0;
    config.iterations = 1;
    config.weight_area = area;
    config.weight_smoothness = smoothness;
    config.learning_rate = 0;
    const Tensor first = Bbmp(config, classifier, halves(2), 1, cpu_device()).explain(x).at("map");
    config.learning_rate = 0.1;
    const Tensor found = Bbmp(config, classifier, halves(2), 1, cpu_device()).explain(x).at("map");

    const Variable mask = Variable::leaf((1 - Variable(first)).value());
    const Variable blurred = gaussian_blur(x, gaussian_taps(config.blur_sigma, DType::f32, cpu_device()));
    const Variable p = sigmoid(classifier.logits(mask * x + (1 - mask) * blurred));  // [N,1], of class 1
    const Variable faded = sum(concat({1 - p, p}, 1) * Variable(decided));
    const Variable down = abs(slice(mask, 1, 1, kSide) - slice(mask, 1, 0, kSide - 1));
    const Variable across = abs(slice(mask, 2, 1, kSide) - slice(mask, 2, 0, kSide - 1));
    const Variable rough = sum(down * down * down) + sum(across * across * across);
    const Variable loss = sum(abs(1 - mask)) / (kSide * kSide) * area + rough * smoothness + faded;
    const std::vector<double> slope = grad({loss}, {mask}).front().value().to_doubles();
    const std::vector<double> before = mask.value().to_doubles(), deleted = found.to_doubles();
    masks.emplace_back();
    for (std::size_t i = 0; i < slope.size(); ++i) {
      const double step = std::abs(slope[i]) < 1e-6 ? 0 : slope[i] > 0 ? -0.1 : 0.1;
      masks.back().push_back(std::clamp(before[i] + step, 0.0, 1.0));
      const bool clear = std::abs(slope[i]) > 1e-5 || slope[i] == 0;
      if (clear) {
        EXPECT_NEAR(1 - deleted[i], masks.back().back(), 1e-3) << i;
      }
    }
  }
  for (std::size_t i = 1; i < masks.size(); ++i) EXPECT_NE(masks[i], masks[i - 1]);
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
  EXPECT_LE(strokes.change_elsewhere(explanation.at("counterfactual")), 0.04);
}

}  // namespace
}  // namespace counterfoil::methods
