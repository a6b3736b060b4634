#include "methods/sagen.h"

#include <gtest/gtest.h>

#include "nn/models/unet.h"
#include "tests/methods/halves.h"
#include "tests/methods/strokes.h"

namespace counterfoil::methods {
namespace {

SagenConfig small() {
  SagenConfig config;
  config.batch = 16;
  config.generator_width = 4;
  config.generator_levels = 1;
  return config;
}

TEST(Sagen, TermsWeightsAndGradients) {
  BrighterHalf classifier;
  const data::Dataset images = halves(16);  // one batch
  const Tensor x = images.all_images(cpu_device());
  struct Weighted {
    const char *key, *term;
  };
  const std::vector<Weighted> all = {{"weight_classifier_stable", "L_f_s"},
                                     {"weight_classifier_adversarial", "L_f_a"},
                                     {"weight_stable", "L_d_s"},
                                     {"weight_adversarial", "L_d_a"},
                                     {"weight_similarity", "L_d_sa"}};
  for (const Weighted& one : all) {
    SCOPED_TRACE(one.key);
    SagenConfig config = small();
    nn::Keys keys;
    config.declare(keys);
    for (const Weighted& other : all) keys.set(other.key, other.key == one.key ? 3.0 : 0.0);
    config.generator_learning_rate = config.beta1 = 0;
    Sagen sagen(config, classifier, images, 5, cpu_device());
    const nn::LossTerms found = sagen.train_step();

    auto& network = dynamic_cast<nn::UNet&>(module_named(sagen, "generator"));
    const Variables heads = network.forward_heads(x, nn::Pass::eval());  // frozen batch norm: the same as in training
    const Variable adversarial = heads[0], stable = heads[1];
    // The signs of the logits' targets, per image: the labels are right here.
    std::vector<float> decided(images.labels.begin(), images.labels.end());
    const Variable c(Tensor::from(decided, Shape{16, 1}, cpu_device()));
    const auto loss = [&](const Variable& z, const Variable& target) { return mean(softplus(z) - z * target); };
    const std::map<std::string, Variable> expected = {{"L_f_s", loss(classifier.logits(stable), c)},
                                                      {"L_f_a", loss(classifier.logits(adversarial), 1 - c)},
                                                      {"L_d_s", mixed(x, stable)},
                                                      {"L_d_a", mixed(x, adversarial)},
                                                      {"L_d_sa", mixed(stable, adversarial)}};
    for (const auto& [name, value] : expected) EXPECT_NEAR(term(found, name), value.item(), 1e-5) << name;
    EXPECT_GT(expect_last_gradient(sagen, "generator", {"generator"}, 3 * expected.at(one.term)), 1e-4);
  }
}

TEST(Sagen, FollowsDecisionsNotLabels) {
  BrighterHalf classifier;
  const data::Dataset images = halves(32);
  data::Dataset mislabelled = images;
  for (std::int32_t& label : mislabelled.labels) label = 1 - label;
  Sagen one(small(), classifier, images, 5, cpu_device()), other(small(), classifier, mislabelled, 5, cpu_device());
  for (int i = 0; i < 2; ++i) {
    one.train_step();
    other.train_step();
  }
  expect_same_bits(state_of(one), state_of(other));
}

TEST(Sagen, SameBitsHoweverTrained) {
  BrighterHalf classifier;
  SagenConfig config = small();
  config.dropout = 0.1;
  config.augmentation.shift = 0.1;
  const data::Dataset images = halves(40);
  expect_same_bits_however_trained(
      [&] { return std::make_unique<Sagen>(config, classifier, images, 3, cpu_device()); });
}

TEST(EndToEndSagen, FindsTheStroke) {
  Strokes strokes;
  const Tensor x = strokes.test_images();
  SagenConfig config = quick<SagenConfig>();
  config.batch_norm = "frozen";
  config.output = "clip";
  config.generator_learning_rate = 1e-3;
  Sagen sagen(config, strokes.classifier(), strokes.train(), 1, cpu_device());
  for (int step = 0; step < 500; ++step) sagen.train_step();
  const Explanation explanation = sagen.explain(x);
  EXPECT_LE(strokes.agreement(explanation.at("counterfactual")), 0.1);
  EXPECT_GE(strokes.agreement(explanation.at("stable")), 0.95);
  EXPECT_GE(strokes.mass_inside(explanation.at("map")), 1.5 * strokes.area_inside());
  EXPECT_LE(strokes.change_elsewhere(explanation.at("stable")), 0.04);
  EXPECT_LE(l1(explanation.at("counterfactual"), x).item(), 0.06);  // near the query, pixel by pixel
}

}  // namespace
}  // namespace counterfoil::methods
