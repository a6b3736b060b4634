#include "methods/generator_pair.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "methods/cyce.h"
#include "methods/syce.h"
#include "tests/methods/halves.h"

// The frame that SyCE, CyCE and CycleGAN share: who is moved by which loss, who judges whom, and where the domains come
// from.

namespace counterfoil::methods {
namespace {

constexpr std::int64_t kCount = 16;  // a batch per domain is the whole domain

template <typename Config>
Config small() {
  Config config;
  config.batch = kCount / 2;
  config.generator_width = 3;
  config.generator_levels = 1;
  config.discriminator_width = 3;
  config.discriminator_levels = 2;
  config.dropout = 0;
  config.generator_learning_rate = 1e-3;
  config.discriminator_learning_rate = 1e-3;
  return config;
}

/// Every weight of the generators' loss 0 but the one named.
template <typename Config>
Config only(const std::string& weight) {
  Config config = small<Config>();
  nn::Keys keys;
  config.declare(keys);
  for (const nn::Keys::Key& key : keys.list()) {
    const bool of_generators =
        key.name.starts_with("weight_") && key.name != "weight_discriminator" && key.name != "weight_gradient_penalty";
    if (of_generators) keys.set(key.name, key.name == weight ? 1.0 : 0.0);
  }
  return config;
}

template <typename Method, typename Config>
std::unique_ptr<Method> make(const Config& config, nn::Classifier& classifier, const data::Dataset& images,
                             std::uint64_t seed = 7) {
  return std::make_unique<Method>(config, classifier, images, seed, cpu_device());
}

TEST(GeneratorPair, DefaultsAreThePapers) {
  const SyceConfig syce;  // supplement, table 1b, digits; E.1
  EXPECT_EQ(syce.weight_symmetry, 10);
  EXPECT_EQ(syce.weight_cycle, 2);
  EXPECT_EQ(syce.weight_classifier_adversarial, 0.2);
  EXPECT_EQ(syce.weight_classifier_symmetry, 0.01);
  EXPECT_EQ(syce.weight_classifier_cycle, 0.005);
  EXPECT_EQ(syce.weight_generator_gan, 0.25);
  EXPECT_EQ(syce.weight_discriminator, 1);
  EXPECT_EQ(syce.weight_gradient_penalty, 1);
  EXPECT_EQ(syce.generator_learning_rate, 1e-4);
  EXPECT_EQ(syce.discriminator_learning_rate, 2e-4);
  EXPECT_EQ(syce.batch, 64);
  EXPECT_EQ(syce.output, "clip");
  const CyceConfig cyce;  // table 1a, digits
  EXPECT_EQ(cyce.weight_cycle, 10);
  EXPECT_EQ(cyce.weight_classifier_adversarial, 0.2);
  EXPECT_EQ(cyce.weight_classifier_cycle, 0.005);
  EXPECT_EQ(cyce.weight_generator_gan, 0.25);
  EXPECT_EQ(cyce.weight_discriminator, 1);
  EXPECT_EQ(cyce.weight_gradient_penalty, 1);
}

TEST(GeneratorPair, MixedDistanceIsTheMeanOfL1AndL2) {
  const Tensor a = Tensor::from(std::vector<float>{0, 0.5F, 1, 0.25F}, Shape{1, 2, 2, 1}, cpu_device());
  const Tensor b = Tensor::from(std::vector<float>{1, 0.5F, 0.5F, 0.25F}, Shape{1, 2, 2, 1}, cpu_device());
  // L1 = (1 + 0 + 0.5 + 0) / 4, L2 = (1 + 0 + 0.25 + 0) / 4
  EXPECT_FLOAT_EQ(static_cast<float>(mixed_distance(a, b).item()), (0.375F + 0.3125F) / 2);
}

TEST(GeneratorPair, ClassifierLossMovesGeneratorsAndNeverTheClassifier) {
  BrighterHalf classifier;
  const std::vector<double> weight = classifier.weight().value().to_doubles();
  const auto pair = make<Syce>(only<SyceConfig>("weight_classifier_adversarial"), classifier, halves(kCount));
  const State before = state_of(*pair);
  for (int i = 0; i < 3; ++i) pair->train_step();
  EXPECT_TRUE(moved(*pair, "g0", before));
  EXPECT_TRUE(moved(*pair, "g1", before));
  EXPECT_EQ(classifier.weight().value().to_doubles(), weight);
}

TEST(GeneratorPair, NoLossNoMove) {
  BrighterHalf classifier;
  const auto pair = make<Syce>(only<SyceConfig>("none"), classifier, halves(kCount));
  const State before = state_of(*pair);
  pair->train_step();
  EXPECT_FALSE(moved(*pair, "g0", before));
  EXPECT_FALSE(moved(*pair, "g1", before));
}

TEST(GeneratorPair, EitherStepMovesItsOwnNetworks) {
  BrighterHalf classifier;
  SyceConfig generators = small<SyceConfig>(), discriminators = small<SyceConfig>();
  generators.discriminator_learning_rate = 0;
  discriminators.generator_learning_rate = 0;
  const auto only_g = make<Syce>(generators, classifier, halves(kCount));
  const auto only_d = make<Syce>(discriminators, classifier, halves(kCount));
  const State before = state_of(*only_g);
  only_g->train_step();
  only_d->train_step();
  for (const std::string g : {"g0", "g1"}) {
    EXPECT_TRUE(moved(*only_g, g, before));
    EXPECT_FALSE(moved(*only_d, g, before));
  }
  for (const std::string d : {"d0", "d1"}) {
    EXPECT_FALSE(moved(*only_g, d, before));
    EXPECT_TRUE(moved(*only_d, d, before));
  }
}

TEST(GeneratorPair, DomainsFollowTheDecisionsNotTheLabels) {
  BrighterHalf classifier;
  const data::Dataset images = halves(2 * kCount);
  data::Dataset mislabelled = images;
  for (std::int32_t& label : mislabelled.labels) label = 1 - label;
  const auto pair = make<Syce>(small<SyceConfig>(), classifier, images);
  const auto other = make<Syce>(small<SyceConfig>(), classifier, mislabelled);
  BrighterHalf opposite(-8);
  const auto exchanged = make<Syce>(small<SyceConfig>(), opposite, images);
  for (int i = 0; i < 2; ++i) {
    pair->train_step();
    other->train_step();
    exchanged->train_step();
  }
  expect_same_bits(state_of(*pair), state_of(*other));
  EXPECT_NE(state_of(*pair).at("model.d0.logit.weight").to_doubles(),
            state_of(*exchanged).at("model.d0.logit.weight").to_doubles());
}

TEST(GeneratorPair, DomainsSmallerThanABatchAreRefused) {
  BrighterHalf classifier;
  SyceConfig config = small<SyceConfig>();
  config.batch = kCount;
  const auto pair = make<Syce>(config, classifier, halves(kCount));
  try {
    pair->train_step();
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "the classifier puts 8 training images in class 0, fewer than a batch of 16");
  }
}

// What D_d sees: real images of its domain, and fakes that the other generator, moved already, made of the other
// domain.
TEST(GeneratorPair, DiscriminatorLossAndItsGradient) {
  for (const double generator_rate : {0.0, 0.01}) {
    BrighterHalf classifier;
    const data::Dataset images = halves(kCount);
    SyceConfig config = small<SyceConfig>();
    config.generator_learning_rate = generator_rate;
    config.discriminator_learning_rate = 0;
    config.beta1 = 0;
    config.weight_gradient_penalty = 0;
    config.weight_discriminator = 3;
    const auto pair = make<Syce>(config, classifier, images);
    const nn::LossTerms terms = pair->train_step();
    Random unused(0, "unused");
    nn::Pass pass = nn::Pass::train(unused);
    pass.batch_statistics = false;  // batch_norm = frozen, the default
    for (int domain = 0; domain < 2; ++domain) {
      const std::string d = "d" + std::to_string(domain), g = "g" + std::to_string(1 - domain);
      auto& discriminator = dynamic_cast<nn::Network&>(module_named(*pair, d));
      auto& generator = dynamic_cast<nn::Network&>(module_named(*pair, g));
      const Tensor real = domain_images(classifier, images, domain);
      const Tensor fake = generator.forward(domain_images(classifier, images, 1 - domain), pass).value();
      const Variable loss = bce(discriminator.forward(real, pass), 1) + bce(discriminator.forward(fake, pass), 0);
      EXPECT_NEAR(term(terms, "L_D" + std::to_string(domain)), loss.item(), 1e-5);
      EXPECT_GT(expect_last_gradient(*pair, d, {d}, 3 * loss), 1e-3);
    }
  }
}

// A mirrored image is decided the other way; its targets are those of what the networks see.
TEST(GeneratorPair, TargetsAreTheDecisionsOnAugmentedImages) {
  BrighterHalf classifier;
  SyceConfig config = small<SyceConfig>();
  config.augmentation.flip_horizontal = true;
  const auto pair = make<Syce>(config, classifier, halves(kCount));
  const std::vector<Tensor> drawn = pair->draw();  // images, from, to of either batch
  for (const std::size_t first : {std::size_t{0}, std::size_t{3}}) {
    const auto decisions = classifier.decisions(drawn[first]).to_vector<std::int32_t>();
    const auto from = drawn[first + 1].to_vector<std::int32_t>(), to = drawn[first + 2].to_vector<std::int32_t>();
    EXPECT_EQ(from, decisions);
    for (std::size_t i = 0; i < from.size(); ++i) EXPECT_EQ(to[i], 1 - from[i]);
    EXPECT_EQ(std::set<std::int32_t>(from.begin(), from.end()).size(), 2u) << "some were mirrored, some not";
  }
}

TEST(GeneratorPair, FrozenBatchNormIsAPlainAffineMap) {
  BrighterHalf classifier;
  for (const std::string batch_norm : {"frozen", "batch"}) {
    SyceConfig config = small<SyceConfig>();
    config.batch_norm = batch_norm;
    const auto pair = make<Syce>(config, classifier, halves(kCount));
    for (int i = 0; i < 2; ++i) pair->train_step();
    int averages = 0;
    for (const auto& [name, tensor] : state_of(*pair)) {
      const bool mean = name.ends_with("running_mean"), variance = name.ends_with("running_var");
      if (!mean && !variance) continue;
      ++averages;
      const std::vector<double> values = tensor.to_doubles();
      const bool untouched = std::ranges::all_of(values, [&](double value) { return value == (mean ? 0 : 1); });
      EXPECT_EQ(untouched, batch_norm == "frozen") << name;
    }
    EXPECT_GT(averages, 0);
  }
}

// With positive weights and images the leaky ReLUs are the identity, so D is linear, and its slope, the same wherever
// the penalty is taken, can be read off its answers.
TEST(GeneratorPair, GradientPenaltyOfALinearDiscriminator) {
  BrighterHalf classifier;
  const auto pair = make<Syce>(small<SyceConfig>(), classifier, halves(kCount));
  Random unused(0, "unused");
  for (const std::string d : {"d0", "d1"}) {
    for (auto& [name, parameter] : module_named(*pair, d).named_parameters())
      parameter.set_value(unary(UnaryOp::abs, parameter.value()));
  }
  std::vector<double> expected;
  for (const std::string d : {"d0", "d1"}) {
    auto& discriminator = dynamic_cast<nn::Network&>(module_named(*pair, d));
    std::vector<float> pixels(kSide * kSide * (kSide * kSide + 1), 0.0F);  // black, and each pixel alone
    for (std::size_t p = 0; p < kSide * kSide; ++p) pixels[(p + 1) * kSide * kSide + p] = 1;
    const Tensor probes = Tensor::from(pixels, Shape{kSide * kSide + 1, kSide, kSide, 1}, cpu_device());
    const std::vector<double> answers = discriminator.forward(probes, nn::Pass::eval()).value().to_doubles();
    double squares = 0;
    for (std::size_t p = 1; p < answers.size(); ++p) squares += (answers[p] - answers[0]) * (answers[p] - answers[0]);
    expected.push_back((std::sqrt(squares) - 1) * (std::sqrt(squares) - 1));
  }
  const nn::LossTerms terms = pair->train_step();
  EXPECT_NEAR(term(terms, "L_gp0"), expected[0], 1e-4 * (1 + expected[0]));
  EXPECT_NEAR(term(terms, "L_gp1"), expected[1], 1e-3 * (1 + expected[1]));
}

TEST(GeneratorPair, WhatHasLeftTheRangeComesBack) {
  BrighterHalf classifier;
  const data::Dataset images = halves(kCount);
  for (const double bias : {-3.0, 4.0}) {
    SyceConfig config = only<SyceConfig>("weight_symmetry");
    config.generator_learning_rate = 1e-2;
    const auto pair = make<Syce>(config, classifier, images);
    for (const char* g : {"g0", "g1"}) {
      for (auto& [name, parameter] : module_named(*pair, g).named_parameters()) {
        if (name == "heads.0.output.bias") parameter.set_value(Tensor::full(Shape{1}, bias, DType::f32, cpu_device()));
      }
    }
    const Tensor x = images.all_images(cpu_device());
    const double flat = bias < 0 ? 0 : 1;
    EXPECT_EQ(l1(pair->explain(x).at("counterfactual"), Tensor::full(x.shape(), flat, DType::f32, cpu_device())).item(),
              0);
    for (int step = 0; step < 150; ++step) pair->train_step();
    const Tensor drawn = pair->explain(x).at("stable");
    EXPECT_LT(l1(drawn, x).item(), 0.5 * l1(drawn * 0 + flat, x).item()) << bias;
    for (const double value : drawn.to_doubles()) ASSERT_TRUE(value >= 0 && value <= 1) << bias;
  }
}

TEST(GeneratorPair, ExplainRoutesByDecisionAndKeepsTheOrder) {
  BrighterHalf classifier;
  const data::Dataset images = halves(12);
  const auto pair = make<Syce>(small<SyceConfig>(), classifier, halves(kCount));
  for (int i = 0; i < 3; ++i) pair->train_step();  // so that running averages say something
  const Tensor x = images.images({0, 2, 1, 3, 5, 4, 4, 7}, cpu_device());
  const Explanation explanation = pair->explain(x);
  const std::vector<std::int32_t> decisions = classifier.decisions(x).to_vector<std::int32_t>();
  EXPECT_EQ(std::count(decisions.begin(), decisions.end(), 0), 4);
  for (std::int64_t i = 0; i < x.shape()[0]; ++i) {
    const std::string g = "g" + std::to_string(decisions[static_cast<std::size_t>(i)]);
    auto& generator = dynamic_cast<nn::Network&>(module_named(*pair, g));
    const Variable adversarial = generator.forward(slice(x, 0, i, i + 1), nn::Pass::eval());
    const Variable stable = generator.forward(adversarial, nn::Pass::eval());
    EXPECT_LT(l1(slice(explanation.at("counterfactual"), 0, i, i + 1), adversarial).item(), 1e-6) << i;
    EXPECT_LT(l1(slice(explanation.at("stable"), 0, i, i + 1), stable).item(), 1e-6) << i;
  }
  const std::vector<double> map = explanation.at("map").to_doubles();
  const std::vector<double> a = explanation.at("counterfactual").to_doubles(),
                            s = explanation.at("stable").to_doubles();
  for (std::size_t i = 0; i < map.size(); ++i) EXPECT_NEAR(map[i], std::abs(s[i] - a[i]), 1e-6);
}

TEST(GeneratorPair, ExplainOfOneDomainAlone) {
  BrighterHalf classifier;
  const auto pair = make<Cyce>(small<CyceConfig>(), classifier, halves(kCount));
  const Tensor x = domain_images(classifier, halves(6), 1);
  EXPECT_EQ(pair->explain(x).at("counterfactual").shape(), x.shape());
  EXPECT_EQ(pair->explain(x).count("stable"), 0u);
}

TEST(GeneratorPair, CycleganIsCyceWithoutTheClassifier) {
  BrighterHalf classifier, steeper(80);  // the same decisions
  CyceConfig without = small<CyceConfig>();
  without.weight_classifier_adversarial = without.weight_classifier_cycle = 0;
  const auto cyclegan = make<Cyce>(small<CycleganConfig>(), classifier, halves(kCount));
  const auto cyce = make<Cyce>(without, steeper, halves(kCount));
  const auto with = make<Cyce>(small<CyceConfig>(), classifier, halves(kCount));
  for (int i = 0; i < 3; ++i) {
    cyclegan->train_step();
    cyce->train_step();
    with->train_step();
  }
  expect_same_bits(state_of(*cyclegan), state_of(*cyce));
  EXPECT_TRUE(moved(*with, "g0", state_of(*cyclegan)));
}

TEST(GeneratorPair, SameBitsHoweverTrained) {
  BrighterHalf classifier;
  SyceConfig config = small<SyceConfig>();
  config.dropout = 0.2;
  config.augmentation = {0.1, 0.1, 10, true, true};
  const data::Dataset images = halves(3 * kCount);
  expect_same_bits_however_trained([&] { return make<Syce>(config, classifier, images); });
  const auto one = make<Syce>(config, classifier, images, 1), two = make<Syce>(config, classifier, images, 2);
  one->train_step();
  two->train_step();
  EXPECT_TRUE(moved(*one, "g0", state_of(*two)));
}

}  // namespace
}  // namespace counterfoil::methods
