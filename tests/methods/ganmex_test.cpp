#include "methods/ganmex.h"

#include <algorithm>
#include <array>

#include <gtest/gtest.h>

#include "tests/methods/halves.h"
#include "tests/methods/strokes.h"

namespace counterfoil::methods {
namespace {

constexpr std::int64_t kCount = 16;  // a batch is the whole set

GanmexConfig small() {
  GanmexConfig config;
  config.batch = kCount;
  config.width = 3;
  config.levels = config.blocks = 1;
  config.critic_levels = 1;
  return config;
}

/// Nothing moves, and the optimisers' first moments are the gradients. `weight` alone is not 0.
GanmexConfig only(const std::string& weight, const std::string& variant, const std::string& loss) {
  GanmexConfig config = small();
  config.variant = variant;
  config.loss = loss;
  nn::Keys keys;
  config.declare(keys);
  for (const nn::Keys::Key& key : keys.list()) {
    if (key.name.starts_with("weight_")) keys.set(key.name, key.name == weight ? 2.0 : 1e-9);
  }
  config.generator_learning_rate = config.critic_learning_rate = config.beta1 = 0;
  return config;
}

Variable one_minus_norm_squared(nn::StarganCritic& d, const Tensor& x) {
  const Variable at = Variable::leaf(x);
  const Variable slope =
      grad({sum(d.forward(at, nn::Pass::eval()))}, {at}, {.create_graph = true}).front();  // [N,H,W,C]
  const Variable norm = sqrt(sum(square(slope), {1, 2, 3}) + 1e-12);
  return mean(square(norm - 1));
}

/// Eq. 3 to 9 in elementary operations, for the first batch that a training of this seed draws.
std::map<std::string, Variable> equations(nn::Trainable& trainable, nn::Classifier& classifier,
                                          const data::Dataset& images, const GanmexConfig& config, std::uint64_t seed) {
  auto& g = dynamic_cast<nn::StarganGenerator&>(module_named(trainable, "g"));
  auto& d = dynamic_cast<nn::StarganCritic&>(module_named(trainable, "d"));
  const nn::Pass pass = nn::Pass::eval();
  data::BatchSampler sampler(images.size(), config.batch, seed, "batches");
  const std::vector<std::int32_t> positions = sampler.next();
  const Tensor shown = images.images(positions, cpu_device());
  const Variable x = Variable(shown) * 2 - 1;
  Random target_random(seed, "targets"), penalty_random(seed, "penalty");
  std::vector<std::int32_t> targets, labels;
  for (const std::int32_t position : positions) {
    targets.push_back(static_cast<std::int32_t>(target_random.integer(2)));
    labels.push_back(images.labels[static_cast<std::size_t>(position)]);
  }
  const Tensor c = Tensor::from(targets, {config.batch}, cpu_device());
  const bool alone = config.variant == "stand-alone";
  const Tensor own = alone ? Tensor::from(labels, {config.batch}, cpu_device()) : classifier.decisions(shown);
  const auto nll = [&](const Variable& image, const Tensor& classes) {
    const Variable wanted(one_hot(classes, 2));
    if (alone) return -sum(log(softmax(d.class_logits(image, pass))) * wanted) / static_cast<double>(config.batch);
    const Variable z = classifier.logits((image + 1) * 0.5);  // logit of class 1
    return bce(z, 0) + mean(z * slice(Variable(one_hot(classes, 2)), 1, 1, 2) * -1);
  };

  const Variable fake = g.forward(x, c, pass);
  const Variable judged = d.forward(fake, pass), judged_apart = d.forward(fake.detach(), pass);
  const Variable real = d.forward(x, pass);
  std::map<std::string, Variable> terms;
  if (config.loss == "log") {
    terms["L_adv_d"] = bce(real, 1) + bce(judged_apart, 0);
    terms["L_adv_g"] = bce(judged, 1);
  } else {
    terms["L_adv_d"] = mean(judged_apart) - mean(real);
    terms["L_adv_g"] = -mean(judged);
    const Variable u = penalty_random.uniform({config.batch, 1, 1, 1}, 0, 1, cpu_device());
    terms["L_gp"] = one_minus_norm_squared(d, (x * (1 - u) + fake.detach() * u).value());
  }
  if (alone) terms["L_cls_r"] = nll(x, own);
  terms["L_cls_f"] = nll(fake, c);
  terms["L_rec"] = l1(g.forward(fake, own, pass), x);
  terms["L_sim"] = l1(fake, x);
  return terms;
}

TEST(Ganmex, TermsWeightsAndGradients) {
  const std::vector<std::pair<std::string, std::string>> of_generator = {{"weight_gan", "L_adv_g"},
                                                                         {"weight_classifier", "L_cls_f"},
                                                                         {"weight_reconstruction", "L_rec"},
                                                                         {"weight_similarity", "L_sim"}};
  const data::Dataset images = halves(kCount);
  for (const std::string variant : {"full", "stand-alone"}) {
    for (const std::string loss : {"wgan-gp", "log"}) {
      for (const auto& [weight, name] : of_generator) {
        SCOPED_TRACE(variant + " " + loss + " " + weight);
        BrighterHalf classifier;
        const double before = classifier.weight().value().to_doubles().front();
        const GanmexConfig config = only(weight, variant, loss);
        Ganmex method(config, classifier, images, 5, cpu_device());
        const nn::LossTerms found = method.train_step();
        const auto expected = equations(method, classifier, images, config, 5);
        ASSERT_EQ(found.size(), expected.size());
        for (const auto& [any, value] : expected)
          EXPECT_NEAR(term(found, any), value.item(), 2e-5 * (1 + std::abs(value.item()))) << any;
        EXPECT_GT(expect_last_gradient(method, "g", {"g"}, expected.at(name) * 2), 1e-6);
        Variable critic = expected.at("L_adv_d");
        if (variant == "stand-alone" && weight == "weight_classifier") critic = critic + expected.at("L_cls_r") * 2;
        EXPECT_GT(expect_last_gradient(method, "d", {"d"}, critic), 1e-6);
        EXPECT_EQ(classifier.weight().value().to_doubles().front(), before);
      }
    }
  }
}

TEST(Ganmex, GradientPenaltyWeighsOnTheCriticAlone) {
  const data::Dataset images = halves(kCount);
  BrighterHalf classifier;
  const GanmexConfig config = only("weight_gradient_penalty", "full", "wgan-gp");
  Ganmex method(config, classifier, images, 5, cpu_device());
  method.train_step();
  const auto expected = equations(method, classifier, images, config, 5);
  EXPECT_GT(expect_last_gradient(method, "d", {"d"}, expected.at("L_adv_d") + expected.at("L_gp") * 2), 1e-6);
}

TEST(Ganmex, EitherStepHasItsOwnNetwork) {
  BrighterHalf classifier;
  Ganmex method(small(), classifier, halves(kCount), 5, cpu_device());
  const State before = state_of(method);
  method.train_step();
  for (const std::string module : {"g", "d"}) {
    EXPECT_TRUE(moved(method, module, before)) << module;
    EXPECT_EQ(optimiser_named(method, module).parameters().size(),
              module_named(method, module).named_parameters().size());
  }
}

TEST(Ganmex, AblationsLeaveTheirTermOut) {
  BrighterHalf classifier;
  const auto names = [&](const std::string& variant) {
    GanmexConfig config = small();
    config.variant = variant;
    std::vector<std::string> found;
    for (const auto& [name, value] : Ganmex(config, classifier, halves(kCount), 5, cpu_device()).train_step())
      found.push_back(name);
    return found;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names("full"), (Names{"L_adv_d", "L_gp", "L_adv_g", "L_cls_f", "L_rec", "L_sim"}));
  EXPECT_EQ(names("no-similarity"), (Names{"L_adv_d", "L_gp", "L_adv_g", "L_cls_f", "L_rec"}));
  EXPECT_EQ(names("no-reconstruction"), (Names{"L_adv_d", "L_gp", "L_adv_g", "L_cls_f", "L_sim"}));
}

/// A classifier that must not be asked.
class Deaf final : public nn::Classifier {
 public:
  explicit Deaf(int classes) : classes_(classes) {}
  Variable logits(const Variable& /*x*/) override { fail("asked"); }
  int class_count() const override { return classes_; }
  bool single_logit() const override { return false; }

 private:
  int classes_;
};

TEST(Ganmex, StandAloneKnowsNoClassifier) {
  Deaf classifier(2);
  GanmexConfig config = small();
  config.variant = "stand-alone";
  Ganmex method(config, classifier, halves(kCount), 5, cpu_device());
  EXPECT_NO_THROW(method.train_step());
  Deaf other(3);  // than the labels have
  EXPECT_THROW(Ganmex(config, other, halves(kCount), 5, cpu_device()), Error);
}

/// Images [8,12,3] whose left, middle or right third (label 0, 1, 2) has a patch, and all of them a stripe at the
/// bottom, in one of three colours; and the colour-blind classifier that says where the patch is.
class Patches final : public nn::Classifier {
 public:
  static constexpr std::int64_t kRows = 8, kColumns = 12, kThird = 4, kPatchRows = 5;

  Patches() {
    std::vector<float> weight;
    for (std::int64_t p = 0; p < kRows * kColumns * 3; ++p) {
      const std::int64_t row = p / (kColumns * 3), third = p / 3 % kColumns / kThird;
      for (std::int64_t label = 0; label < 3; ++label)
        weight.push_back(row < kPatchRows && third == label ? 24.0F / (kPatchRows * kThird) : 0.0F);
    }
    weight_ = Tensor::from(weight, Shape{kRows * kColumns * 3, 3}, cpu_device());
  }
  Variable logits(const Variable& x) override { return matmul(flatten(x), weight_); }
  int class_count() const override { return 3; }
  bool single_logit() const override { return false; }

  static data::Dataset images(std::int64_t count, std::uint64_t seed) {
    Random random(seed, "patches");
    data::Dataset dataset{kRows, kColumns, 3, {}, {}, {"left", "middle", "right"}};
    for (std::int64_t i = 0; i < count; ++i) {
      const auto label = static_cast<std::int32_t>(i % 3);
      const auto colour = static_cast<std::int64_t>(random.integer(3));
      for (std::int64_t p = 0; p < kRows * kColumns * 3; ++p) {
        const std::int64_t row = p / (kColumns * 3), third = p / 3 % kColumns / kThird;
        const bool bright = p % 3 == colour && (row >= kPatchRows || (row < kPatchRows && third == label));
        dataset.pixels.push_back(static_cast<std::uint8_t>(bright ? 180 + random.integer(70) : random.integer(20)));
      }
      dataset.labels.push_back(label);
    }
    return dataset;
  }

  /// The brightest channel of each image.
  static std::vector<std::int32_t> colours(const Tensor& images) {
    const NoGrad no_grad;
    return argmax(reshape(mean(Variable(images), {1, 2}), {images.shape()[0], 3}).value()).to_vector<std::int32_t>();
  }

 private:
  Variable weight_;
};

double share_alike(const std::vector<std::int32_t>& a, const std::vector<std::int32_t>& b) {
  double same = 0;
  for (std::size_t i = 0; i < a.size(); ++i) same += a[i] == b[i] ? 1 : 0;
  return same / static_cast<double>(a.size());
}

TEST(Ganmex, RunnerUpIsTheSecondChoice) {
  Patches classifier;
  data::Dataset images = Patches::images(6, 1);
  // A faint patch in another third of each
  const std::vector<std::int32_t> second = {1, 2, 0, 2, 0, 1};
  for (std::size_t i = 0; i < second.size(); ++i) {
    const auto column = static_cast<std::size_t>(second[i] * Patches::kThird);
    for (std::size_t p = 0; p < 12; ++p) images.pixels[i * 288 + column * 3 + p] = 120;
  }
  const Tensor x = images.all_images(cpu_device());
  EXPECT_EQ(classifier.decisions(x).to_vector<std::int32_t>(), (std::vector<std::int32_t>{0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(runner_up(classifier, x).to_vector<std::int32_t>(), second);
  BrighterHalf two;
  const Tensor both = halves(6).all_images(cpu_device());
  EXPECT_EQ(runner_up(two, both).to_vector<std::int32_t>(), (std::vector<std::int32_t>{1, 0, 1, 0, 1, 0}));
}

TEST(Ganmex, ExplainsImagesOneByOneAsTogether) {
  Patches classifier;
  GanmexConfig config = small();
  Ganmex method(config, classifier, Patches::images(48, 1), 5, cpu_device());
  for (int i = 0; i < 2; ++i) method.train_step();
  const Tensor x = Patches::images(6, 2).all_images(cpu_device());
  const Tensor targets = Tensor::from(std::vector<std::int32_t>{2, 0, 1, 0, 1, 2}, {6}, cpu_device());
  const Explanation together = method.explain_towards(x, targets);
  EXPECT_EQ(together.at("counterfactual").to_doubles(), method.baseline(x, targets).to_doubles());
  EXPECT_EQ(together.at("map").to_doubles(), difference_map(x, together.at("counterfactual")).to_doubles());
  for (std::int64_t i = 0; i < 6; ++i) {
    const Explanation alone = method.explain_towards(slice(x, 0, i, i + 1), slice(targets, 0, i, i + 1));
    for (const auto& [name, tensor] : alone)
      EXPECT_LT(l1(slice(together.at(name), 0, i, i + 1), tensor).item(), 1e-6) << name << " of " << i;
  }
  const Tensor default_target = method.explain(x).at("counterfactual");
  EXPECT_EQ(default_target.to_doubles(), method.baseline(x, runner_up(classifier, x)).to_doubles());
}

TEST(Ganmex, SameBitsHoweverTrained) {
  Patches classifier;
  const data::Dataset images = Patches::images(3 * kCount, 1);
  for (const std::string variant : {"full", "stand-alone"}) {
    GanmexConfig config = small();
    config.variant = variant;
    config.batch = 7;
    config.critic_steps = 2;
    config.augmentation = {0.1, 0.1, 10, true, false};
    expect_same_bits_however_trained(
        [&] { return std::make_unique<Ganmex>(config, classifier, images, 7, cpu_device()); });
  }
}

/// Sizes and rates with which the small problems are learnt in a few hundred steps.
GanmexConfig quick() {
  GanmexConfig config;
  config.width = 16;
  config.levels = 1;
  config.blocks = 2;
  config.critic_levels = 2;
  config.generator_learning_rate = config.critic_learning_rate = 1e-3;
  config.beta1 = 0.5;
  return config;
}

// What the paper claims (section 3.1, appendix D): the baseline belongs to the class asked for, whichever it is, and
// the similarity loss keeps the mode, here the colour, that the classes leave open.
class EndToEndGanmex : public testing::Test {
 protected:
  struct Kept {
    double reached, colour, distance_back;
  };
  static Kept learn(const GanmexConfig& config, int steps) {
    Patches classifier;
    Ganmex method(config, classifier, Patches::images(300, 1), 1, cpu_device());
    for (int step = 0; step < steps; ++step) method.train_step();
    const data::Dataset test = Patches::images(96, 2);
    const Tensor x = test.all_images(cpu_device());
    std::vector<std::int32_t> asked;
    for (std::size_t i = 0; i < test.labels.size(); ++i)
      asked.push_back((test.labels[i] + 1 + static_cast<std::int32_t>(i / 3 % 2)) % 3);
    const Tensor foil = method.baseline(x, Tensor::from(asked, {96}, cpu_device()));
    const Tensor back = method.baseline(foil, Tensor::from(test.labels, {96}, cpu_device()));
    return {share_alike(classifier.decisions(foil).to_vector<std::int32_t>(), asked),
            share_alike(Patches::colours(foil), Patches::colours(x)), l1(back, x).item()};
  }
};

TEST_F(EndToEndGanmex, SimilarityKeepsTheColour) {
  constexpr int kSteps = 300;
  GanmexConfig config = quick();
  for (const std::string variant : {"full", "no-reconstruction"}) {
    SCOPED_TRACE(variant);
    config.variant = variant;
    const Kept kept = learn(config, kSteps);
    EXPECT_GE(kept.reached, 0.9);
    EXPECT_GE(kept.colour, 0.95);
    EXPECT_LE(kept.distance_back, variant == "full" ? 0.08 : 1);  // nobody asked the other for the way back
  }
  config.weight_similarity = config.weight_reconstruction = 0;
  const Kept neither = learn(config, kSteps);
  EXPECT_GE(neither.reached, 0.9);
  EXPECT_LE(neither.colour, 0.7);  // one in three by chance
}

TEST_F(EndToEndGanmex, FindsTheStrokeAndTakesItBack) {
  Strokes strokes;
  const Tensor x = strokes.test_images();
  for (const std::string loss : {"wgan-gp", "log"}) {
    SCOPED_TRACE(loss);
    GanmexConfig config = quick();
    config.loss = loss;
    config.weight_similarity = 20;
    config.weight_gan = 0.3;  // with more the changes elsewhere come and go
    Ganmex method(config, strokes.classifier(), strokes.train(), 1, cpu_device());
    for (int step = 0; step < 500; ++step) method.train_step();
    const Explanation explanation = method.explain(x);
    const Tensor foil = explanation.at("counterfactual");
    EXPECT_LE(strokes.agreement(foil), 0.15);
    EXPECT_GE(strokes.mass_inside(explanation.at("map")), 1.75 * strokes.area_inside());
    EXPECT_LE(strokes.change_elsewhere(foil), 0.04);
    const Tensor back = method.explain(foil).at("counterfactual");
    EXPECT_GE(strokes.agreement(back), 0.85);
    EXPECT_LE(l1(back, x).item(), 0.06);
  }
}

}  // namespace
}  // namespace counterfoil::methods
