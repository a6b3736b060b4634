#include "methods/pixelda.h"

#include <array>

#include <gtest/gtest.h>

#include "data/batch_sampler.h"
#include "tests/methods/halves.h"
#include "tests/methods/strokes.h"

namespace counterfoil::methods {
namespace {

constexpr std::int64_t kCount = 16;  // a batch per class is the whole class

PixeldaConfig small() {
  PixeldaConfig config;
  config.batch = kCount / 2;
  config.width = 3;
  config.blocks = 1;
  config.noise = 2;
  return config;
}

TEST(Pixelda, ContentLossByHand) {
  const auto image = [](const std::vector<float>& pixels) {
    return Variable(Tensor::from(pixels, Shape{2, 1, 2, 1}, cpu_device()));
  };
  // Differences 1, -1: mean square 1, mean 0; then 0.5, 0.5: a brightness that costs nothing.
  EXPECT_NEAR(content_loss(image({1, 0, 0.5F, 0.75F}), image({0, 1, 0, 0.25F})).item(), (1 + 0) / 2.0, 1e-6);
  // Differences 1, 0: 1/2 - 1/4; then 0.4, 0: 0.08 - 0.04
  EXPECT_NEAR(content_loss(image({1, 0, 0.5F, 1}), image({0, 0, 0.1F, 1})).item(), (0.25 + 0.04) / 2, 1e-6);
}

/// The losses in elementary operations, with the numbers that the first step of this seed draws.
std::map<std::string, Variable> equations(nn::Trainable& trainable, BrighterHalf& classifier,
                                          const data::Dataset& images, std::uint64_t seed) {
  Random dropout_random(seed, "dropout"), noise_random(seed, "noise");
  nn::Pass pass = nn::Pass::train(dropout_random);
  pass.update_statistics = false;
  std::array<Variable, 2> x;
  for (int j = 0; j < 2; ++j) {
    data::BatchSampler sampler(kCount / 2, kCount / 2, seed, "batches_" + std::to_string(j));
    const Tensor all = domain_images(classifier, images, j);
    const std::vector<std::int32_t> order = sampler.next();
    x[static_cast<std::size_t>(j)] =
        Variable(gather_rows(all, Tensor::from(order, {kCount / 2}, cpu_device()))) * 2 - 1;
  }
  std::map<std::string, Variable> terms;
  for (int j = 0; j < 2; ++j) {
    const std::string index = std::to_string(j);
    auto& g = dynamic_cast<nn::PixeldaGenerator&>(module_named(trainable, "g" + index));
    auto& d = dynamic_cast<nn::PixeldaDiscriminator&>(module_named(trainable, "d" + std::to_string(1 - j)));
    const Variable &from = x[static_cast<std::size_t>(j)], &to = x[static_cast<std::size_t>(1 - j)];
    const auto draw = [&] { return noise_random.uniform({kCount / 2, 2}, -1, 1, cpu_device()); };
    const Variable fake = g.forward(from, draw(), pass).detach();
    const Variable judged_real = bce(d.forward(to, pass), 1);
    terms["L_d" + index] = judged_real + bce(d.forward(fake, pass), 0);
    const Variable made = g.forward(from, draw(), pass);
    terms["L_g" + index] = bce(d.forward(made, pass), 1);
    terms["L_t" + index] = bce(classifier.logits((made + 1) * 0.5), 1 - j);
    const Variable difference = made - from;
    terms["L_c" + index] = mean(square(difference - mean(difference, {1, 2, 3})));
  }
  return terms;
}

TEST(Pixelda, TermsWeightsAndGradients) {
  const data::Dataset images = halves(kCount);
  const std::vector<std::pair<std::string, std::string>> all = {
      {"weight_gan", "L_g"}, {"weight_classifier", "L_t"}, {"weight_content", "L_c"}};
  for (const auto& [weight, name] : all) {
    SCOPED_TRACE(weight);
    BrighterHalf classifier;
    const double before = classifier.weight().value().to_doubles().front();
    PixeldaConfig config = small();
    nn::Keys keys;
    config.declare(keys);
    for (const auto& [key, term] : all) keys.set(key, key == weight ? 2.0 : 1e-9);
    config.learning_rate = config.beta1 = 0;
    Pixelda method(config, classifier, images, 5, cpu_device());
    const nn::LossTerms found = method.train_step();
    const auto expected = equations(method, classifier, images, 5);
    ASSERT_EQ(found.size(), expected.size());
    for (const auto& [any, value] : expected)
      EXPECT_NEAR(term(found, any), value.item(), 2e-5 * (1 + std::abs(value.item()))) << any;
    for (int j = 0; j < 2; ++j) {
      const std::string g = "g" + std::to_string(j), d = "d" + std::to_string(1 - j);
      EXPECT_GT(expect_last_gradient(method, g, {g}, expected.at(name + std::to_string(j)) * 2), 1e-9);
      EXPECT_GT(expect_last_gradient(method, d, {d}, expected.at("L_d" + std::to_string(j))), 1e-9);
    }
    EXPECT_EQ(classifier.weight().value().to_doubles().front(), before);
  }
}

TEST(Pixelda, EveryOptimiserHasItsOwnNetwork) {
  BrighterHalf classifier;
  Pixelda method(small(), classifier, halves(kCount), 5, cpu_device());
  const State before = state_of(method);
  method.train_step();
  for (const std::string module : {"g0", "g1", "d0", "d1"}) {
    EXPECT_TRUE(moved(method, module, before)) << module;
    EXPECT_EQ(optimiser_named(method, module).parameters().size(),
              module_named(method, module).named_parameters().size());
  }
}

TEST(Pixelda, OneWayLeavesTheOtherClassAlone) {
  BrighterHalf classifier;
  PixeldaConfig config = small();
  const Tensor x = halves(6).all_images(cpu_device());  // classes 0, 1, 0, 1, ...
  for (const int source : {0, 1}) {
    config.direction = source == 0 ? "0-to-1" : "1-to-0";
    Pixelda method(config, classifier, halves(kCount), 5, cpu_device());
    EXPECT_EQ(method.training_state().modules.size(), 2U);
    EXPECT_EQ(method.train_step().size(), 3U);
    const Explanation explanation = method.explain(x);
    for (std::int64_t i = 0; i < 6; ++i) {
      const double change = l1(slice(explanation.at("counterfactual"), 0, i, i + 1), slice(x, 0, i, i + 1)).item();
      EXPECT_EQ(change > 0, i % 2 == source) << i;
    }
  }
}

TEST(Pixelda, ExplainsImagesOneByOneAsTogether) {
  BrighterHalf classifier;
  Pixelda method(small(), classifier, halves(kCount), 5, cpu_device());
  for (int i = 0; i < 3; ++i) method.train_step();
  const Tensor x = halves(9).images({0, 2, 1, 3, 5, 4}, cpu_device());
  const Explanation together = method.explain(x);
  EXPECT_EQ(together.at("map").to_doubles(), difference_map(x, together.at("counterfactual")).to_doubles());
  for (std::int64_t i = 0; i < x.shape()[0]; ++i) {
    for (const auto& [name, tensor] : method.explain(slice(x, 0, i, i + 1)))
      EXPECT_LT(l1(slice(together.at(name), 0, i, i + 1), tensor).item(), 1e-6) << name << " of " << i;
  }
}

TEST(Pixelda, SameBitsHoweverTrained) {
  BrighterHalf classifier;
  PixeldaConfig config = small();
  config.augmentation = {0.1, 0.1, 10, true, false};
  const data::Dataset images = halves(3 * kCount);
  expect_same_bits_however_trained(
      [&] { return std::make_unique<Pixelda>(config, classifier, images, 7, cpu_device()); });
}

// What a one-way transformer is for: either class becomes the other. With the content loss the change is where the
// classes differ; nothing brings the query back, but the other transformer changes the class again.
TEST(EndToEndPixelda, ClosesAndOpensRings) {
  Strokes strokes;
  PixeldaConfig config;
  config.batch = 16;
  config.width = 16;
  config.blocks = 2;
  config.weight_content = 20;
  Pixelda method(config, strokes.classifier(), strokes.train(), 1, cpu_device());
  const Tensor x = strokes.test_images();
  for (int step = 0; step < 600; ++step) method.train_step();
  const Tensor foil = method.explain(x).at("counterfactual");
  EXPECT_LE(strokes.agreement(foil), 0.1);
  EXPECT_GE(strokes.mass_inside(difference_map(x, foil)), 1.5 * strokes.area_inside());
  EXPECT_LE(strokes.change_elsewhere(foil), 0.05);
  EXPECT_GE(strokes.agreement(method.explain(foil).at("counterfactual")), 0.9);
}

}  // namespace
}  // namespace counterfoil::methods
