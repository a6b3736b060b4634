#include <algorithm>
#include <memory>

#include <gtest/gtest.h>

#include "methods/cyce.h"
#include "methods/cycsae.h"
#include "methods/sagen.h"
#include "methods/ssye.h"
#include "methods/syce.h"
#include "tests/methods/halves.h"

// Three classes: one conditional generator, and where there are discriminators one conditional discriminator.

namespace counterfoil::methods {
namespace {

constexpr std::int64_t kClasses = 3, kWidth = 12;

/// Noise in which the left, the middle or the right third is brighter.
data::Dataset thirds(std::int64_t count, std::uint64_t seed = 3) {
  Random random(seed, "thirds");
  data::Dataset dataset{kSide, kWidth, 1, {}, {}, {"left", "middle", "right"}};
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t p = 0; p < kSide * kWidth; ++p) {
      const bool bright = p % kWidth / 4 == i % kClasses;
      dataset.pixels.push_back(static_cast<std::uint8_t>(random.integer(100) + (bright ? 120 : 0)));
    }
    dataset.labels.push_back(static_cast<std::int32_t>(i % kClasses));
  }
  return dataset;
}

/// A logit per third: 20 times its mean brightness.
class BrightestThird final : public nn::Classifier {
 public:
  BrightestThird() {
    std::vector<float> weight(static_cast<std::size_t>(kSide * kWidth * kClasses), 0.0F);
    for (std::int64_t p = 0; p < kSide * kWidth; ++p)
      weight[static_cast<std::size_t>(p * kClasses + p % kWidth / 4)] = 20.0F / (kSide * 4);
    weight_ = Tensor::from(weight, Shape{kSide * kWidth, kClasses}, cpu_device());
  }
  Variable logits(const Variable& x) override { return matmul(flatten(x), weight_); }
  int class_count() const override { return static_cast<int>(kClasses); }
  bool single_logit() const override { return false; }

 private:
  Variable weight_;
};

template <typename Config>
Config small() {
  Config config;
  config.batch = 12;
  config.generator_width = 6;
  config.generator_levels = 1;
  config.output = "sigmoid";
  if constexpr (requires { config.discriminator_width; }) {
    config.discriminator_width = 6;
    config.discriminator_levels = 1;
    config.discriminator_learning_rate = 1e-3;
  }
  return config;
}

Tensor constant(std::int32_t value, std::int64_t count) {
  return Tensor::from(std::vector<std::int32_t>(static_cast<std::size_t>(count), value), Shape{count}, cpu_device());
}

/// x with planes of ones and zeros, by hand.
Variable beside(const Tensor& x, const std::vector<std::vector<std::int32_t>>& ones_at) {
  const Shape& shape = x.shape();
  const auto planes = static_cast<std::int64_t>(ones_at.size()) * kClasses;
  const std::vector<float> pixels = x.to_vector<float>();
  std::vector<float> joined;
  const auto cells = static_cast<std::size_t>(shape[1] * shape[2]);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    joined.push_back(pixels[i]);
    for (const std::vector<std::int32_t>& classes : ones_at) {
      for (std::int32_t k = 0; k < kClasses; ++k) joined.push_back(classes[i / cells] == k ? 1.0F : 0.0F);
    }
  }
  return Tensor::from(joined, Shape{shape[0], shape[1], shape[2], 1 + planes}, cpu_device());
}

TEST(EachAgainstEach, OneCoupleOfNetworksThatSeesTheClasses) {
  BrightestThird classifier;
  const data::Dataset images = thirds(30);
  Syce syce(small<SyceConfig>(), classifier, images, 1, cpu_device());
  Ssye ssye(small<SsyeConfig>(), classifier, images, 1, cpu_device());
  std::vector<std::string> names;
  for (const auto& [name, module] : syce.training_state().modules) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"g", "d"}));
  const auto channels = [](nn::Trainable& trainable, const std::string& module) {
    return module_named(trainable, module).named_parameters().front().second.shape();
  };
  EXPECT_EQ(channels(syce, "g"), (Shape{1 + 2 * kClasses}));  // the first norm of the U-Net
  EXPECT_EQ(channels(ssye, "g"), (Shape{1 + kClasses}));
  EXPECT_EQ(channels(syce, "d")[3], 1 + kClasses);  // the first convolution
}

TEST(EachAgainstEach, PairsOfClassesAndEveryTermByHand) {
  BrightestThird classifier;
  const data::Dataset images = thirds(30);
  SyceConfig config = small<SyceConfig>();
  config.generator_learning_rate = config.discriminator_learning_rate = 0;
  Syce syce(config, classifier, images, 5, cpu_device());
  const nn::LossTerms found = syce.train_step();

  Random pairs(5, "pairs");
  std::vector<std::int32_t> classes[2];
  for (std::int64_t n = 0; n < config.batch; ++n) {
    const auto i = static_cast<std::int32_t>(pairs.integer(3)), further = static_cast<std::int32_t>(pairs.integer(2));
    classes[0].push_back(i);
    classes[1].push_back((i + 1 + further) % 3);
    EXPECT_NE(classes[0].back(), classes[1].back());
  }
  ClassBatches batches(classifier, images, {}, 5, cpu_device());
  const Tensor x[2] = {batches.next(classes[0]), batches.next(classes[1])};
  auto& g = dynamic_cast<nn::Network&>(module_named(syce, "g"));
  auto& d = dynamic_cast<nn::Network&>(module_named(syce, "d"));
  Random unused(0, "unused");
  nn::Pass pass = nn::Pass::train(unused);
  pass.batch_statistics = false;
  std::map<std::string, double> expected;
  for (int side = 0; side < 2; ++side) {
    const std::vector<std::int32_t>&from = classes[side], &to = classes[1 - side];
    EXPECT_EQ(classifier.decisions(x[side]).to_vector<std::int32_t>(), from);
    const Variable crossed = g.forward(beside(x[side], {from, to}), pass);
    const Variable stable = g.forward(beside(crossed.value(), {from, to}), pass);
    const Variable cycled = g.forward(beside(crossed.value(), {to, from}), pass);
    const auto cross_entropy = [&](const Variable& shown, const std::vector<std::int32_t>& wanted) {
      const std::vector<double> log_p = classifier.log_probabilities(shown).value().to_doubles();
      double sum = 0;
      for (std::size_t n = 0; n < wanted.size(); ++n) sum -= log_p[n * 3 + static_cast<std::size_t>(wanted[n])];
      return sum / static_cast<double>(wanted.size());
    };
    expected["L_d_s"] += mixed(x[side], stable).item();
    expected["L_d_cy"] += mixed(x[side], cycled).item();
    expected["L_f_a"] += cross_entropy(crossed, to);
    expected["L_f_s"] += cross_entropy(stable, from);
    expected["L_f_cy"] += cross_entropy(cycled, from);
    expected["L_D_g"] += bce(d.forward(beside(crossed.value(), {to}), pass), 1).item();
    expected["L_D"] += bce(d.forward(beside(crossed.value(), {to}), pass), 0).item();
    expected["L_D"] += bce(d.forward(beside(x[side], {from}), pass), 1).item();
  }
  for (const auto& [name, value] : expected) EXPECT_NEAR(term(found, name), value, 1e-5 * (1 + value)) << name;
}

TEST(EachAgainstEach, TheWayBackIsTheSameGeneratorForSsyeAlone) {
  BrightestThird classifier;
  const data::Dataset images = thirds(30);
  const Tensor x = images.images({0, 3, 6}, cpu_device());  // of class 0
  Ssye ssye(small<SsyeConfig>(), classifier, images, 1, cpu_device());
  auto& g = dynamic_cast<nn::Network&>(module_named(ssye, "g"));
  const std::vector<float> half = {1, 0, 1};  // classes 0 and 2, whichever comes first
  const Explanation explanation = ssye.explain_towards(x, constant(2, 3));
  std::vector<float> joined;
  for (const float pixel : x.to_vector<float>()) {
    joined.push_back(pixel);
    joined.insert(joined.end(), half.begin(), half.end());
  }
  const Variable crossed =
      g.forward(Variable(Tensor::from(joined, Shape{3, kSide, kWidth, 4}, cpu_device())), nn::Pass::eval());
  EXPECT_LT(l1(crossed, explanation.at("counterfactual")).item(), 1e-6);
}

TEST(EachAgainstEach, WhatIsWhereItShallBeStays) {
  BrightestThird classifier;
  const data::Dataset images = thirds(12);
  Syce syce(small<SyceConfig>(), classifier, images, 1, cpu_device());
  const Tensor x = images.all_images(cpu_device());
  const Explanation explanation = syce.explain_towards(x, constant(1, 12));
  for (std::int64_t n = 0; n < 12; ++n) {
    const Tensor made = slice(explanation.at("counterfactual"), 0, n, n + 1), query = slice(x, 0, n, n + 1);
    EXPECT_EQ(made.to_doubles() == query.to_doubles(), n % 3 == 1) << n;
    const Explanation alone = syce.explain_towards(query, constant(1, 1));
    EXPECT_LT(l1(alone.at("counterfactual"), made).item(), 1e-5) << n;
  }
  EXPECT_EQ(syce.explain(Tensor::zeros(Shape{0, kSide, kWidth, 1}, DType::f32, cpu_device())).at("map").shape()[0], 0);
}

TEST(EachAgainstEach, SagenSeesTheTargetAndEveryTermByHand) {
  BrightestThird classifier;
  const data::Dataset images = thirds(30);
  SagenConfig config = small<SagenConfig>();
  config.generator_learning_rate = 0;
  config.batch = 30;
  Sagen sagen(config, classifier, images, 5, cpu_device());
  const std::vector<Tensor> drawn = sagen.draw();
  const Tensor& x = drawn[0];
  const std::vector<std::int32_t> decided = drawn[1].to_vector<std::int32_t>(), to = drawn[2].to_vector<std::int32_t>();
  EXPECT_EQ(decided, classifier.decisions(x).to_vector<std::int32_t>());
  std::map<std::int32_t, int> further;
  for (std::size_t n = 0; n < to.size(); ++n) ++further[(to[n] - decided[n] + 3) % 3];
  EXPECT_EQ(further.count(0), 0u);  // never the class that it is of
  EXPECT_GE(further[1], 5);
  EXPECT_GE(further[2], 5);

  nn::LossTerms found;
  for (const auto& [name, value] : sagen.compute(drawn)) found.emplace_back(name, value.item());
  auto& g = dynamic_cast<nn::UNet&>(module_named(sagen, "generator"));
  const Variables heads = g.forward_heads(beside(x, {to}), nn::Pass::eval());  // frozen batch norm: as in training
  const auto cross_entropy = [&](const Variable& shown, const std::vector<std::int32_t>& wanted) {
    const std::vector<double> log_p = classifier.log_probabilities(shown).value().to_doubles();
    double sum = 0;
    for (std::size_t n = 0; n < wanted.size(); ++n) sum -= log_p[n * 3 + static_cast<std::size_t>(wanted[n])];
    return sum / static_cast<double>(wanted.size());
  };
  EXPECT_NEAR(term(found, "L_f_a"), cross_entropy(heads[0], to), 1e-5);
  EXPECT_NEAR(term(found, "L_f_s"), cross_entropy(heads[1], decided), 1e-5);
  EXPECT_NEAR(term(found, "L_d_a"), mixed(x, heads[0]).item(), 1e-5);

  const Explanation explanation = sagen.explain_towards(x, drawn[2]);
  EXPECT_LT(l1(heads[0], explanation.at("counterfactual")).item(), 1e-6);
  EXPECT_LT(l1(heads[1], explanation.at("stable")).item(), 1e-6);
  EXPECT_EQ(l1(sagen.explain_towards(x, drawn[1]).at("counterfactual"), x).item(), 0);  // there already
}

TEST(EachAgainstEach, AugmentedImagesCrossFromWhereTheyAre) {
  BrightestThird classifier;
  SyceConfig config = small<SyceConfig>();
  config.augmentation.flip_horizontal = true;  // left and right change places
  Syce syce(config, classifier, thirds(30), 5, cpu_device());
  int led_back = 0;
  for (int step = 0; step < 4; ++step) {
    const std::vector<Tensor> drawn = syce.draw();
    for (const std::size_t batch : {0U, 3U}) {
      const std::vector<std::int32_t> from = drawn[batch + 1].to_vector<std::int32_t>(),
                                      to = drawn[batch + 2].to_vector<std::int32_t>();
      EXPECT_EQ(classifier.decisions(drawn[batch]).to_vector<std::int32_t>(), from);
      for (std::size_t n = 0; n < to.size(); ++n) EXPECT_NE(from[n], to[n]);
    }
    // Of the second batch the first one's `to` was drawn: another class now is an image that its mirror has moved.
    led_back += drawn[2].to_vector<std::int32_t>() == drawn[4].to_vector<std::int32_t>() ? 0 : 1;
  }
  EXPECT_GT(led_back, 0);
}

TEST(EachAgainstEach, AClassThatIsNeverDecidedIsNamed) {
  BrightestThird classifier;
  Syce syce(small<SyceConfig>(), classifier, thirds(30).subset({0, 1, 3, 4, 6, 7}), 1, cpu_device());
  try {
    syce.train_step();
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "the classifier puts no training image in class 2");
  }
}

TEST(EachAgainstEach, SameBitsHoweverTrained) {
  BrightestThird classifier;
  const data::Dataset images = thirds(40);
  CycsaeConfig config = small<CycsaeConfig>();
  config.dropout = 0.2;
  config.augmentation = {0.1, 0.1, 10, true, true};
  expect_same_bits_however_trained(
      [&] { return std::make_unique<Cycsae>(config, classifier, images, 7, cpu_device()); });
}

/// Trains a method and asks for every class: there it leads, and the rest stays.
template <typename Method, typename Config>
void expect_leads_everywhere() {
  BrightestThird classifier;
  const data::Dataset images = thirds(240), queries = thirds(30, 8);
  Config config = small<Config>();
  config.batch = 16;
  config.generator_learning_rate = 3e-3;
  if constexpr (std::is_same_v<Method, Sagen>) config.weight_classifier_adversarial = 2;  // with 0.5 some stay short
  Method method(config, classifier, images, 1, cpu_device());
  for (int step = 0; step < 250; ++step) method.train_step();
  const Tensor x = queries.all_images(cpu_device());
  for (std::int32_t k = 0; k < kClasses; ++k) {
    const Explanation explanation = method.explain_towards(x, constant(k, 30));
    const std::vector<std::int32_t> reached =
        classifier.decisions(explanation.at("counterfactual")).to_vector<std::int32_t>();
    EXPECT_GE(std::count(reached.begin(), reached.end(), k), 28) << "towards " << k;
    if (!explanation.contains("stable")) continue;
    const std::vector<std::int32_t> stable = classifier.decisions(explanation.at("stable")).to_vector<std::int32_t>();
    int same = 0;
    for (std::size_t n = 0; n < 30; ++n) same += stable[n] == static_cast<std::int32_t>(n % 3) ? 1 : 0;
    EXPECT_GE(same, 28) << "towards " << k;
  }
}

TEST(EndToEndEachAgainstEach, SyceLeadsToEveryClass) {
  expect_leads_everywhere<Syce, SyceConfig>();
}

TEST(EndToEndEachAgainstEach, CyceLeadsToEveryClass) {
  expect_leads_everywhere<Cyce, CyceConfig>();
}

TEST(EndToEndEachAgainstEach, SsyeLeadsToEveryClass) {
  expect_leads_everywhere<Ssye, SsyeConfig>();
}

TEST(EndToEndEachAgainstEach, SagenLeadsToEveryClass) {
  expect_leads_everywhere<Sagen, SagenConfig>();
}

TEST(EndToEndEachAgainstEach, CycsaeLeadsToEveryClass) {
  expect_leads_everywhere<Cycsae, CycsaeConfig>();
}

}  // namespace
}  // namespace counterfoil::methods
