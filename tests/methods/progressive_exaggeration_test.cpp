#include "methods/progressive_exaggeration.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <gtest/gtest.h>

#include "methods/image_range.h"
#include "tests/methods/halves.h"
#include "tests/methods/strokes.h"

namespace counterfoil::methods {
namespace {

namespace pe = progressive_exaggeration;

constexpr std::int64_t kCount = 16;  // a batch is the whole set

ProgressiveExaggerationConfig small() {
  ProgressiveExaggerationConfig config;
  config.batch = kCount;
  config.width = 4;
  config.bins = 4;
  config.discriminator_steps = 1;
  return config;
}

/// Nothing moves, and the optimisers' first moments are the gradients.
ProgressiveExaggerationConfig still(const std::string& mode, double gan, double classifier, double reconstruction) {
  ProgressiveExaggerationConfig config = small();
  config.mode = mode;
  config.learning_rate = config.beta1 = 0;
  config.weight_gan = gan;
  config.weight_classifier = classifier;
  config.weight_reconstruction = reconstruction;
  return config;
}

Tensor column(const std::vector<float>& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size()), 1}, cpu_device());
}

TEST(ProgressiveExaggeration, BinsAndTheProbabilitiesAskedFor) {
  // sigmoid: 0.5, 0.0474, 0.9526, 1, 0, 0.2689
  const Tensor bins = pe::bins_of(column({0, -3, 3, 100, -100, -1}), 10);
  EXPECT_EQ(bins.to_vector<std::int32_t>(), (std::vector<std::int32_t>{5, 0, 9, 9, 0, 2}));
  const std::vector<double> middle = pe::asked_probability(bins, 10, 0.5).to_doubles();
  EXPECT_NEAR(middle[0], 0.55, 1e-6);
  EXPECT_NEAR(middle[2], 0.95, 1e-6);
  EXPECT_NEAR(pe::asked_probability(bins, 10, 0).to_doubles()[0], 0.5, 1e-6);
}

TEST(ProgressiveExaggeration, DivergenceByHand) {
  const std::vector<double> p = {0.25, 0.9, 1}, z = {0.5, -2, 3};
  double expected = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const double q = 1 / (1 + std::exp(-z[i]));
    expected += p[i] * std::log(p[i] / q) / 3;
    if (p[i] < 1) expected += (1 - p[i]) * std::log((1 - p[i]) / (1 - q)) / 3;
  }
  const auto divergence = [](const Tensor& of, const Variable& logits) {
    return pe::divergence(of, pe::mean_entropy(of), logits);
  };
  EXPECT_NEAR(divergence(column({0.25F, 0.9F, 1}), column({0.5F, -2, 3})).item(), expected, 1e-6);
  const double logit = std::log(0.25 / 0.75);
  EXPECT_NEAR(divergence(column({0.25F}), column({static_cast<float>(logit)})).item(), 0, 1e-6);
  // Finite, with a gradient, where f is certain and wrong.
  const Variable certain = Variable::leaf(column({200}));
  const Variable loss = divergence(column({0.25F}), certain);
  EXPECT_NEAR(loss.item(), 0.75 * 200 - 0.5623, 1e-3);
  EXPECT_NEAR(grad({loss}, {certain}).front().value().item(), 0.75, 1e-6);
}

TEST(ProgressiveExaggeration, RangesAreConverted) {
  const Variable x = column({0, 0.5F, 1});
  EXPECT_EQ(to_generator(x).value().to_doubles(), (std::vector<double>{-1, 0, 1}));
  EXPECT_EQ(to_classifier(to_generator(x)).value().to_doubles(), x.value().to_doubles());
}

TEST(ProgressiveExaggeration, NoBinHoldsMoreThanItsShare) {
  std::vector<std::int32_t> bins(100, 0);
  for (std::size_t i = 0; i < 5; ++i) bins[7 * i] = 2;
  for (std::size_t i = 0; i < 30; ++i) bins[99 - i] = 1;
  Random random(1, "balance"), same(1, "balance"), other(2, "balance");
  const std::vector<std::int32_t> chosen = pe::balanced(bins, 4, 20, random);
  std::vector<int> count(4, 0);
  for (const std::int32_t i : chosen) ++count[static_cast<std::size_t>(bins[static_cast<std::size_t>(i)])];
  EXPECT_EQ(count, (std::vector<int>{20, 20, 5, 0}));
  EXPECT_TRUE(std::is_sorted(chosen.begin(), chosen.end()));
  EXPECT_EQ(chosen, pe::balanced(bins, 4, 20, same));
  EXPECT_NE(chosen, pe::balanced(bins, 4, 20, other));
}

/// One step's losses on the very networks, in elementary operations. Every image is asked for every bin the method
/// drew: the draw is repeated from the stream that it names.
class Equations {
 public:
  Equations(ProgressiveExaggeration& method, BrighterHalf& classifier, const data::Dataset& images, std::uint64_t seed)
      : classifier_(classifier),
        e_(dynamic_cast<nn::PeEncoder&>(module_named(method, "e"))),
        g_(dynamic_cast<nn::PeGenerator&>(module_named(method, "g"))),
        d_(dynamic_cast<nn::PeDiscriminator&>(module_named(method, "d"))) {
    pass_.update_statistics = false;
    data::BatchSampler sampler(kCount, kCount, seed, "batches");
    const Tensor drawn = images.images(sampler.next(), cpu_device());
    x_ = drawn;
    scaled_ = Variable(drawn) * 2 - 1;
    Random targets(seed, "targets");
    std::vector<std::int32_t> target, own;
    for (std::int64_t i = 0; i < kCount; ++i) target.push_back(static_cast<std::int32_t>(targets.integer(4)));
    for (const double z : classifier.logits(drawn).value().to_doubles())
      own.push_back(static_cast<std::int32_t>(4 / (1 + std::exp(-z))));
    target_ = Tensor::from(target, {kCount}, cpu_device());
    own_ = Tensor::from(own, {kCount}, cpu_device());
    for (const std::int32_t bin : target) {
      middle_.push_back((static_cast<float>(bin) + 0.5F) / 4);
      edge_.push_back(static_cast<float>(bin) / 4);
    }
  }

  std::map<std::string, Variable> terms(bool official) {
    const Variable fake = image(scaled_, target_), cycled = image(fake, own_);
    std::map<std::string, Variable> terms;
    const Tensor joined[] = {scaled_.value(), fake.value()};
    const Tensor bins[] = {own_, target_};
    const Variable both = d_.forward(concat(joined, 0), concat(bins, 0), pass_);
    terms["L_cGAN_d"] = mean(relu(1 - slice(both, 0, 0, kCount))) + mean(relu(slice(both, 0, kCount, 2 * kCount) + 1));
    terms["L_cGAN_g"] = -mean(d_.forward(fake, target_, pass_));
    terms["L_cyc"] = mean(abs(cycled - scaled_));
    const Variable f = sigmoid(classifier_.logits((fake + 1) / 2));
    if (official) {
      const Variable back = sigmoid(classifier_.logits((cycled + 1) / 2)), before = sigmoid(classifier_.logits(x_));
      terms["L_f"] = (cross_entropy_of(column(edge_), f) + cross_entropy_of(before, back));
      terms["L_rec"] = mean(square(e_.forward(fake, own_, pass_) - e_.forward(scaled_, own_, pass_)));
    } else {
      const Variable p = column(middle_);
      terms["L_f"] = mean(p * log(p / f) + (1 - p) * log((1 - p) / (1 - f)));
      terms["L_rec"] = mean(abs(image(scaled_, own_) - scaled_));
    }
    return terms;
  }

 private:
  static Variable cross_entropy_of(const Variable& p, const Variable& q) {
    return -mean(p * log(q) + (1 - p) * log(1 - q));
  }
  Variable image(const Variable& x, const Tensor& bins) { return g_.forward(e_.forward(x, bins, pass_), bins, pass_); }

  BrighterHalf& classifier_;
  nn::PeEncoder& e_;
  nn::PeGenerator& g_;
  nn::PeDiscriminator& d_;
  Variable x_, scaled_;
  Tensor own_, target_;
  std::vector<float> middle_, edge_;
  Random unused_{0, "unused"};
  nn::Pass pass_ = nn::Pass::train(unused_);
};

TEST(ProgressiveExaggeration, EveryTermAndItsGradient) {
  BrighterHalf classifier;
  const data::Dataset images = halves(kCount);
  const auto check = [&](const ProgressiveExaggerationConfig& config, const std::vector<std::string>& names) {
    ProgressiveExaggeration method(config, classifier, images, 5, cpu_device());
    const double weight = classifier.weight().value().to_doubles().front();
    const nn::LossTerms found = method.train_step();
    EXPECT_EQ(classifier.weight().value().to_doubles().front(), weight);
    Equations equations(method, classifier, images, 5);
    const auto expected = equations.terms(config.mode == "official");
    for (const auto& [name, value] : expected)
      EXPECT_NEAR(term(found, name), value.item(), 2e-5 * (1 + std::abs(value.item()))) << config.mode << " " << name;
    Variable total = expected.at(names.front());
    for (std::size_t i = 1; i < names.size(); ++i) total = total + expected.at(names[i]);
    EXPECT_GT(expect_last_gradient(method, "generator", {"e", "g"}, total * 2), 1e-6) << names.front();
    if (names.front() == "L_cGAN_g") {
      EXPECT_GT(expect_last_gradient(method, "discriminator", {"d"}, expected.at("L_cGAN_d") * 2), 1e-6);
    }
  };
  for (const std::string mode : {"paper", "official"}) {
    check(still(mode, 2, 0, 0), {"L_cGAN_g"});
    check(still(mode, 0, 0, 2), {"L_rec", "L_cyc"});
  }
  check(still("paper", 0, 2, 0), {"L_f"});
}

TEST(ProgressiveExaggeration, TheReleasedClassifierTermsMoveNothing) {
  BrighterHalf classifier;
  for (const std::string mode : {"paper", "official"}) {
    ProgressiveExaggerationConfig config = still(mode, 0, 1, 0);
    config.learning_rate = 1e-3;
    ProgressiveExaggeration method(config, classifier, halves(kCount), 5, cpu_device());
    const State before = state_of(method);
    method.train_step();
    EXPECT_EQ(moved(method, "e", before), mode == "paper");
    EXPECT_EQ(moved(method, "g", before), mode == "paper");
    EXPECT_FALSE(moved(method, "d", before));
  }
}

TEST(ProgressiveExaggeration, StepsOfEitherSide) {
  BrighterHalf classifier;
  ProgressiveExaggerationConfig config = small();
  config.discriminator_steps = 3;
  ProgressiveExaggeration method(config, classifier, halves(kCount), 5, cpu_device());
  const State before = state_of(method);
  method.train_step();
  method.train_step();
  EXPECT_EQ(optimiser_named(method, "discriminator").steps(), 6);
  EXPECT_EQ(optimiser_named(method, "generator").steps(), 2);
  EXPECT_EQ(method.images_per_step(), 3 * kCount);
  for (const std::string module : {"e", "g", "d"}) EXPECT_TRUE(moved(method, module, before)) << module;
}

TEST(ProgressiveExaggeration, SweepsEveryBinWhateverElseIsInTheBatch) {
  BrighterHalf classifier;
  for (const std::string mode : {"paper", "official"}) {
    ProgressiveExaggerationConfig config = small();
    config.mode = mode;
    ProgressiveExaggeration method(config, classifier, halves(kCount), 5, cpu_device());
    for (int i = 0; i < 3; ++i) method.train_step();
    const Tensor x = halves(4).all_images(cpu_device());
    const Explanation together = method.explain(x);
    for (std::int64_t i = 0; i < 4; ++i) {
      const Tensor one = slice(x, 0, i, i + 1);
      for (const auto& [name, tensor] : method.explain(one))
        EXPECT_LT(l1(slice(together.at(name), 0, i, i + 1), tensor).item(), 1e-5) << mode << " " << name;
      const bool first = classifier.logits(one).value().item() > 0;
      EXPECT_EQ(slice(together.at("counterfactual"), 0, i, i + 1).to_doubles(),
                slice(together.at(first ? "sweep.0" : "sweep.3"), 0, i, i + 1).to_doubles());
    }
    EXPECT_EQ(together.at("map").to_doubles(),
              difference_map(together.at("sweep.0"), together.at("sweep.3")).to_doubles());
    EXPECT_EQ(together.count("sweep.4"), 0U);
  }
}

TEST(ProgressiveExaggeration, RefusesWhatItCannotDo) {
  BrighterHalf classifier;
  ProgressiveExaggerationConfig config = small();
  config.per_bin = 2;  // four bins of two: less than a batch
  ProgressiveExaggeration method(config, classifier, halves(kCount), 5, cpu_device());
  EXPECT_THROW(method.train_step(), Error);
  config = small();
  config.levels = 4;  // 8x8 is halved three times at most
  EXPECT_THROW(ProgressiveExaggeration(config, classifier, halves(kCount), 5, cpu_device()), Error);
}

TEST(ProgressiveExaggeration, SameBitsHoweverTrained) {
  BrighterHalf classifier;
  ProgressiveExaggerationConfig config = small();
  config.discriminator_steps = 2;
  config.augmentation = {0.1, 0.1, 10, true, false};
  const data::Dataset images = halves(3 * kCount);
  expect_same_bits_however_trained(
      [&] { return std::make_unique<ProgressiveExaggeration>(config, classifier, images, 7, cpu_device()); });
}

/// A classifier that is less sure of itself: its logits of some images have a mean size of 2, so that every bin has
/// some of them.
class Tempered final : public nn::Classifier {
 public:
  Tempered(nn::Classifier& sure, const data::Dataset& images)
      : sure_(sure), temperature_(mean(abs(sure.logits(images.all_images(cpu_device())))).item() / 2) {}
  Variable logits(const Variable& x) override { return sure_.logits(x) / temperature_; }
  int class_count() const override { return 2; }
  bool single_logit() const override { return true; }

 private:
  nn::Classifier& sure_;
  double temperature_;
};

// The paper's claims where the answer is known: f follows the bin that is asked for, the class changes where the
// classes differ, and the reverse brings the query back. Explained from running averages.
TEST(EndToEndProgressiveExaggeration, ClosesAndOpensRings) {
  Strokes strokes;
  Tempered classifier(strokes.classifier(), strokes.train());
  ProgressiveExaggerationConfig config;
  config.batch = 12;
  config.bins = 5;
  config.width = 8;
  config.discriminator_steps = 1;
  config.learning_rate = 1e-3;
  config.weight_gan = 0.2;
  config.weight_classifier = 10;
  config.weight_reconstruction = 15;
  ProgressiveExaggeration method(config, classifier, strokes.train(), 1, cpu_device());
  for (int step = 0; step < 600; ++step) method.train_step();
  const Tensor x = strokes.test_images();
  const Explanation explanation = method.explain(x);
  const Tensor foil = explanation.at("counterfactual");
  EXPECT_LE(strokes.agreement(foil), 0.1);
  EXPECT_GE(strokes.mass_inside(difference_map(x, foil)), 1.5 * strokes.area_inside());
  EXPECT_LE(strokes.change_elsewhere(foil), 0.06);
  EXPECT_LE(l1(explanation.at("reconstruction"), x).item(), 0.08);
  const Tensor back = method.explain(foil).at("counterfactual");
  EXPECT_GE(strokes.agreement(back), 0.9);
  EXPECT_LE(l1(back, x).item(), 0.08);
  double before = 0;
  int reached = 0;  // the very bin that was asked for
  for (int bin = 0; bin < 5; ++bin) {
    const Variable logits = classifier.logits(explanation.at("sweep." + std::to_string(bin)));
    int near = 0;  // it, or one beside it
    for (const std::int32_t found : pe::bins_of(logits.value(), 5).to_vector<std::int32_t>()) {
      reached += found == bin ? 1 : 0;
      near += std::abs(found - bin) <= 1 ? 1 : 0;
    }
    EXPECT_GE(near, 58) << "of 64, bin " << bin;
    const double probability = mean(sigmoid(logits)).item();
    EXPECT_NEAR(probability, (bin + 0.5) / 5, 0.2) << "bin " << bin;
    EXPECT_GT(probability, before) << "bin " << bin;
    before = probability;
  }
  EXPECT_GE(reached, 192) << "of 320; by chance 64";
}

}  // namespace
}  // namespace counterfoil::methods
