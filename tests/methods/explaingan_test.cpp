#include "methods/explaingan.h"

#include <gtest/gtest.h>

#include "tests/methods/halves.h"
#include "tests/methods/strokes.h"

namespace counterfoil::methods {
namespace {

constexpr std::int64_t kCount = 16;  // a batch per class is the whole class

ExplainganConfig small() {
  ExplainganConfig config;
  config.batch = kCount / 2;
  config.width = 4;
  config.code = 6;
  return config;
}

/// Every weight 0 but one; nothing moves, and the optimisers' first moments are the gradients.
ExplainganConfig only(const std::string& weight, double value = 1) {
  ExplainganConfig config = small();
  nn::Keys keys;
  config.declare(keys);
  for (const nn::Keys::Key& key : keys.list()) {
    if (key.name.starts_with("weight_")) keys.set(key.name, key.name == weight ? value : 0.0);
  }
  config.learning_rate = config.beta1 = 0;
  return config;
}

Variable image(const std::vector<float>& pixels) {
  const auto count = static_cast<std::int64_t>(pixels.size()) / 4;
  return Tensor::from(pixels, Shape{count, 2, 2, 1}, cpu_device());
}

TEST(Explaingan, LossesByHand) {
  const Variable x = image({0, 1, 0.5F, 0.25F, 1, 1, 1, 1}), y = image({1, 1, 0, 0.25F, 0, 1, 1, 0});
  const Variable mask = image({0.5F, 0, 1, 0.25F, 0, 0, 0, 0.5F});
  EXPECT_EQ(explaingan::composite(x, y, mask).value().to_vector<float>(),
            (std::vector<float>{0.5F, 1, 0, 0.25F, 1, 1, 1, 0.5F}));
  EXPECT_NEAR(explaingan::reconstruction_loss(y, x).item(), (1.25 + 2) / 2, 1e-6);
  // (1 - m)(x - y): -0.5, 0, 0, 0 and 1, 0, 0, 0.5
  EXPECT_NEAR(explaingan::consistency_loss(x, y, mask).item(), (0.25 + 1.25) / 2, 1e-6);
  // Means 0.4375 and 0.125
  EXPECT_NEAR(explaingan::count_loss(mask, 0.2).item(), (0.4375 + 0.2) / 2, 1e-6);
  // Down 0.5 + 0.25, across 0.5 + 0.75; then down 0 + 0.5, across 0 + 0.5; four pixels each
  EXPECT_NEAR(explaingan::smoothness_loss(mask).item(), (2.0 + 1.0) / 2 / 4, 1e-6);
  EXPECT_NEAR(explaingan::entropy_loss(mask).item(), (0.75 + 0.5) / 8, 1e-6);
  const Variable real = Tensor::from(std::vector<float>{2, -1}, Shape{2, 1}, cpu_device());
  const Variable fake = Tensor::from(std::vector<float>{0.5F, 3}, Shape{2, 1}, cpu_device());
  EXPECT_NEAR(explaingan::gan_discriminator(real, {fake, real}).item(),
              (bce(real, 1) + bce(fake, 0) + bce(real, 0)).item(), 1e-6);
  EXPECT_NEAR(explaingan::gan_generator({fake, real}).item(), (bce(fake, 1) + bce(real, 1)).item(), 1e-6);
}

TEST(Explaingan, CountLossHasNoGradientBelowKappa) {
  const Variable mask = Variable::leaf(image({0.5F, 0, 1, 0.25F, 0, 0, 0, 0.5F}).value());
  const Tensor d_mask = grad({explaingan::count_loss(mask, 0.2)}, {mask}).front().value();
  EXPECT_EQ(d_mask.to_vector<float>(), (std::vector<float>{0.125F, 0.125F, 0.125F, 0.125F, 0, 0, 0, 0}));
}

TEST(Explaingan, NetworksHaveTheSizesOfTheBenchmark) {
  Random random(1, "classifier");
  nn::NetworkClassifier classifier(std::make_shared<nn::LeNet>(nn::Init{random, cpu_device()}), 1);
  const data::Dataset digits{28, 28, 1, {}, {}, {"3", "8"}};
  Explaingan method({}, classifier, digits, 1, cpu_device());
  EXPECT_EQ(module_named(method, "e").parameter_count(), 1067776);
  EXPECT_EQ(module_named(method, "d").parameter_count(), 271105);
  EXPECT_EQ(module_named(method, "g").parameter_count(), 937344);
}

/// The terms of a step on the very networks, in elementary operations.
class Equations {
 public:
  Equations(Explaingan& method, BrighterHalf& classifier, const data::Dataset& images)
      : classifier_(classifier),
        e_(dynamic_cast<nn::SharedEndPair&>(module_named(method, "e"))),
        d_(dynamic_cast<nn::SharedEndPair&>(module_named(method, "d"))),
        g_(dynamic_cast<nn::Network&>(module_named(method, "g"))) {
    pass_.update_statistics = false;
    for (int j = 0; j < 2; ++j) x_.push_back(domain_images(classifier, images, j));
  }

  std::map<std::string, Variable> terms() {
    const Variable trunks = concat({e_.trunk(0, x_[0], pass_), e_.trunk(1, x_[1], pass_)}, 0);
    const Variable heads = g_.forward(e_.end(trunks, pass_), pass_);
    std::vector<Variable> own, other, masks, mixtures;
    for (int j = 0; j < 2; ++j) {
      const Variable part = slice(heads, 0, j * kCount / 2, (j + 1) * kCount / 2);
      own.push_back(slice(part, 3, j, j + 1));
      other.push_back(slice(part, 3, 1 - j, 2 - j));
      masks.push_back(slice(part, 3, 2, 3));
      mixtures.push_back(x_[j] + masks[j] * (other[j] - x_[j]));
    }
    std::map<std::string, Variable> sums;
    const auto add = [&](const std::string& name, const Variable& value) {
      sums[name] = sums.count(name) == 0 ? value : sums[name] + value;
    };
    for (int j = 0; j < 2; ++j) {
      add("L_GAN_d", bce(d_.forward(j, x_[j], pass_), 1));
      for (const Variable& fake : {own[j], other[1 - j], mixtures[1 - j]}) {
        add("L_GAN_d", bce(d_.forward(j, fake.detach(), pass_), 0));
        add("L_GAN_g", bce(d_.forward(j, fake, pass_), 1));
      }
      add("L_classifier", bce(classifier_.logits(mixtures[j]), 1 - j));
      add("L_recon", mean(square(own[j] - x_[j])) * (kSide * kSide));
      const Variable& m = masks[j];
      add("L_const", mean(square((1 - m) * (x_[j] - other[j]))) * (kSide * kSide));
      add("L_count", mean(m));
      add("L_entropy", mean((1 - abs(m * 2 - 1)) * 0.5));
      const Variable down = sum_abs(slice(m, 1, 1, kSide) - slice(m, 1, 0, kSide - 1));
      const Variable across = sum_abs(slice(m, 2, 1, kSide) - slice(m, 2, 0, kSide - 1));
      add("L_smoothness", (down + across) / static_cast<double>(m.value().size()));
    }
    return sums;
  }

 private:
  BrighterHalf& classifier_;
  nn::SharedEndPair &e_, &d_;
  nn::Network& g_;
  std::vector<Variable> x_;
  Random unused_{0, "unused"};
  nn::Pass pass_ = nn::Pass::train(unused_);
};

TEST(Explaingan, EveryTermAndItsGradient) {
  BrighterHalf classifier;
  const data::Dataset images = halves(kCount);
  const std::vector<std::pair<std::string, std::string>> all = {
      {"weight_gan", "L_GAN_g"},         {"weight_classifier", "L_classifier"}, {"weight_reconstruction", "L_recon"},
      {"weight_consistency", "L_const"}, {"weight_count", "L_count"},           {"weight_smoothness", "L_smoothness"},
      {"weight_entropy", "L_entropy"}};
  for (const auto& [weight, name] : all) {
    ExplainganConfig config = only(weight, 2);
    config.kappa = 0;
    Explaingan method(config, classifier, images, 5, cpu_device());
    const nn::LossTerms found = method.train_step();
    Equations equations(method, classifier, images);
    const auto expected = equations.terms();
    for (const auto& [any, value] : expected)
      EXPECT_NEAR(term(found, any), value.item(), 2e-5 * (1 + value.item())) << any;
    EXPECT_GT(expect_last_gradient(method, "generator", {"e", "g"}, expected.at(name) * 2), 0) << name;
    EXPECT_GT(expect_last_gradient(method, "discriminator", {"d"}, expected.at("L_GAN_d")), 0);
  }
}

/// Norms of the last gradient at the heads G_0, G_1 and G_m.
std::vector<double> head_gradients(const ExplainganConfig& config) {
  BrighterHalf classifier;
  Explaingan method(config, classifier, halves(kCount), 5, cpu_device());
  const double weight = classifier.weight().value().to_doubles().front();
  method.train_step();
  EXPECT_EQ(classifier.weight().value().to_doubles().front(), weight);
  const std::vector<double> gradient =
      optimiser_named(method, "generator").state("").at("g.layers.1.conv.weight.exp_avg").to_doubles();
  std::vector<double> norms(3, 0);
  for (std::size_t i = 0; i < gradient.size(); ++i) norms[i % 3] += std::abs(gradient[i]);
  return norms;
}

TEST(Explaingan, GradientsReachTheirHeads) {
  const auto expect = [](ExplainganConfig config, bool images, bool mask) {
    config.kappa = 0;
    const std::vector<double> norms = head_gradients(config);
    EXPECT_EQ(norms[0] > 0, images);
    EXPECT_EQ(norms[1] > 0, images);
    EXPECT_EQ(norms[2] > 0, mask);
  };
  expect(only("weight_gan"), true, true);
  expect(only("weight_classifier"), true, true);
  expect(only("weight_reconstruction"), true, false);
  expect(only("weight_consistency"), true, true);
  for (const std::string prior : {"weight_count", "weight_smoothness", "weight_entropy"})
    expect(only(prior), false, true);
  for (const std::string weight : {"weight_gan", "weight_classifier", "weight_reconstruction"}) {
    ExplainganConfig config = only(weight);
    config.variant = "nomask";
    expect(config, true, false);
  }
  ExplainganConfig config = only("weight_reconstruction");
  config.variant = "norec";
  expect(config, false, false);
}

TEST(Explaingan, EitherStepHasItsOwnNetworks) {
  BrighterHalf classifier;
  Explaingan method(small(), classifier, halves(kCount), 5, cpu_device());
  const auto count = [&](const std::string& module) { return module_named(method, module).named_parameters().size(); };
  EXPECT_EQ(optimiser_named(method, "generator").parameters().size(), count("e") + count("g"));
  EXPECT_EQ(optimiser_named(method, "discriminator").parameters().size(), count("d"));
  const State before = state_of(method);
  method.train_step();
  for (const std::string module : {"e", "g", "d"}) EXPECT_TRUE(moved(method, module, before)) << module;
}

TEST(Explaingan, VariantsSayLess) {
  BrighterHalf classifier;
  ExplainganConfig config = small();
  const Tensor x = halves(6).all_images(cpu_device());
  config.variant = "nomask";
  Explaingan nomask(config, classifier, halves(kCount), 5, cpu_device());
  nomask.train_step();
  const Explanation plain = nomask.explain(x);
  EXPECT_EQ(plain.count("mask"), 0U);
  EXPECT_EQ(plain.at("counterfactual").to_doubles(), plain.at("transformed").to_doubles());
  EXPECT_EQ(plain.at("map").to_doubles(), difference_map(x, plain.at("counterfactual")).to_doubles());
  config.variant = "norec";
  Explaingan norec(config, classifier, halves(kCount), 5, cpu_device());
  norec.train_step();
  EXPECT_EQ(norec.explain(x).count("reconstruction"), 0U);
}

TEST(Explaingan, ExplainsImagesOneByOneAsTogether) {
  BrighterHalf classifier;
  Explaingan method(small(), classifier, halves(kCount), 5, cpu_device());
  for (int i = 0; i < 3; ++i) method.train_step();
  const Tensor x = halves(9).images({0, 2, 1, 3, 5, 4}, cpu_device());
  const Explanation together = method.explain(x);
  for (std::int64_t i = 0; i < x.shape()[0]; ++i) {
    for (const auto& [name, tensor] : method.explain(slice(x, 0, i, i + 1)))
      EXPECT_LT(l1(slice(together.at(name), 0, i, i + 1), tensor).item(), 1e-6) << name << " of " << i;
  }
  const Variable composite =
      explaingan::composite(x, together.at("transformed"), broadcast_to(together.at("mask"), x.shape()));
  EXPECT_LT(l1(together.at("counterfactual"), composite).item(), 1e-6);
}

TEST(Explaingan, ExplainsNoImages) {
  BrighterHalf classifier;
  for (const char* variant : {"full", "norec", "nomask"}) {
    ExplainganConfig config = small();
    config.variant = variant;
    Explaingan method(config, classifier, halves(kCount), 5, cpu_device());
    const Explanation nothing = method.explain(Tensor::zeros(Shape{0, kSide, kSide, 1}, DType::f32, cpu_device()));
    EXPECT_EQ(nothing.at("counterfactual").shape(), (Shape{0, kSide, kSide, 1}));
    EXPECT_EQ(nothing.at("map").shape(), (Shape{0, kSide, kSide, 1}));
  }
}

TEST(Explaingan, RefusesWhatItCannotDo) {
  BrighterHalf classifier;
  ExplainganConfig config = small();
  config.shared_layers = 2;
  EXPECT_THROW(Explaingan(config, classifier, halves(kCount), 5, cpu_device()), Error);
  config = small();
  config.batch = kCount;
  Explaingan method(config, classifier, halves(kCount), 5, cpu_device());
  EXPECT_THROW(method.train_step(), Error);
}

TEST(Explaingan, SameBitsHoweverTrained) {
  BrighterHalf classifier;
  ExplainganConfig config = small();
  config.augmentation = {0.1, 0.1, 10, true, false};
  const data::Dataset images = halves(3 * kCount);
  expect_same_bits_however_trained(
      [&] { return std::make_unique<Explaingan>(config, classifier, images, 7, cpu_device()); });
}

// The paper's claims, eq. 1 to 3, where the answer is known: the class changes, the change is where the classes differ,
// and the rest stays. Explained from running averages.
TEST(EndToEndExplaingan, ClosesAndOpensRings) {
  Strokes strokes;
  ExplainganConfig config;
  config.batch = 16;
  config.width = 16;
  config.code = 32;
  config.learning_rate = 2e-3;
  config.weight_reconstruction = 0.05;
  Explaingan method(config, strokes.classifier(), strokes.train(), 1, cpu_device());
  for (int step = 0; step < 500; ++step) method.train_step();
  const Tensor x = strokes.test_images();
  const Explanation explanation = method.explain(x);
  const Tensor foil = explanation.at("counterfactual");
  EXPECT_LE(strokes.agreement(foil), 0.1);
  EXPECT_GE(strokes.mass_inside(difference_map(x, foil)), 0.7);  // a map that knows nothing: 0.29
  EXPECT_LE(strokes.change_elsewhere(foil), 0.02);
  EXPECT_LE(mean(Variable(explanation.at("mask"))).item(), 0.2);
  const Tensor back = method.explain(foil).at("counterfactual");
  EXPECT_GE(strokes.agreement(back), 0.9);
  EXPECT_LE(l1(back, x).item(), 0.05);
}

}  // namespace
}  // namespace counterfoil::methods
