#include "methods/one_against_all.h"

#include <gtest/gtest.h>

#include "autograd/ops.h"
#include "methods/syce.h"
#include "tests/methods/halves.h"

namespace counterfoil::methods {
namespace {

/// Logits that are the image's first three pixels, times 10.
class FirstPixels final : public nn::Classifier {
 public:
  Variable logits(const Variable& x) override { return slice(flatten(x), 1, 0, 3) * 10; }
  int class_count() const override { return 3; }
  bool single_logit() const override { return false; }
};

Tensor first_pixels(const std::vector<float>& pixels) {
  std::vector<float> images;
  for (std::size_t i = 0; i < pixels.size(); i += 3) {
    images.insert(images.end(), pixels.begin() + static_cast<std::ptrdiff_t>(i),
                  pixels.begin() + static_cast<std::ptrdiff_t>(i + 3));
    images.resize(images.size() + 61, 0.0F);
  }
  return Tensor::from(images, Shape{static_cast<std::int64_t>(pixels.size() / 3), 8, 8, 1}, cpu_device());
}

TEST(OneAgainstAll, LogitIsTheLeadOverTheStrongestRival) {
  const auto classifier = std::make_shared<FirstPixels>();
  const Tensor x = first_pixels({0.5F, 0.25F, 0.125F, 0.25F, 0.5F, 0.75F});
  const std::vector<std::vector<double>> expected = {{2.5, -5}, {-2.5, -2.5}, {-3.75, 2.5}};
  for (int c = 0; c < 3; ++c) {
    OneAgainstAll binary(classifier, c);
    EXPECT_EQ(binary.logits(x).value().to_doubles(), expected[static_cast<std::size_t>(c)]);
  }
}

// Also where the class wins with less than one half.
TEST(OneAgainstAll, DecidesAsTheClassifierDoes) {
  const auto classifier = std::make_shared<FirstPixels>();
  Random random(1, "pixels");
  std::vector<float> pixels;
  for (int i = 0; i < 300; ++i) pixels.push_back(static_cast<float>(random.uniform() / 10));
  const Tensor x = first_pixels(pixels);
  const std::vector<std::int32_t> decided = classifier->decisions(x).to_vector<std::int32_t>();
  for (int c = 0; c < 3; ++c) {
    OneAgainstAll binary(classifier, c);
    const std::vector<std::int32_t> against = binary.decisions(x).to_vector<std::int32_t>();
    for (std::size_t i = 0; i < decided.size(); ++i) EXPECT_EQ(against[i], decided[i] == c ? 1 : 0);
  }
}

TEST(OneAgainstAll, ExplainersOfTwoClassesExplainIt) {
  OneAgainstAll binary(std::make_shared<FirstPixels>(), 2);
  data::Dataset images = halves(32);
  SyceConfig config;
  config.batch = 4;
  config.generator_width = config.discriminator_width = 3;
  config.generator_levels = config.discriminator_levels = 1;
  Syce syce(config, binary, images, 1, cpu_device());
  const State before = state_of(syce);
  syce.train_step();
  EXPECT_TRUE(moved(syce, "g0", before));
  const Tensor x = images.all_images(cpu_device());
  EXPECT_EQ(syce.explain(x).at("counterfactual").shape(), x.shape());
}

TEST(OneAgainstAll, WrongClassesAreRefused) {
  const auto classifier = std::make_shared<FirstPixels>();
  EXPECT_THROW(OneAgainstAll(classifier, 3), Error);
  EXPECT_THROW(OneAgainstAll(classifier, -1), Error);
  EXPECT_THROW(OneAgainstAll(std::make_shared<BrighterHalf>(), 0), Error);
}

}  // namespace
}  // namespace counterfoil::methods
