#include "methods/latent_search.h"

#include <gtest/gtest.h>

#include "methods/cdeepex.h"
#include "methods/xgem.h"
#include "tests/methods/corridor.h"

namespace counterfoil::methods {
namespace {

template <typename Config>
Config for_corridor(const std::string& latent = "vae") {
  Config config;
  config.latent.latent = latent;
  config.latent.code = 4;
  config.latent.batch = 32;
  config.latent.gan_width = 16;
  config.latent.gan_learning_rate = 1e-3;
  config.latent.vae_outer = 32;
  config.latent.vae_inner = 16;
  config.latent.vae_learning_rate = 3e-3;
  config.latent.weight_kl = 0.02;
  return config;
}

template <typename Config>
Config hasty(const std::string& latent = "vae") {
  Config config = for_corridor<Config>(latent);
  config.restarts = 2;
  config.fit_iterations = 4;
  config.rounds = 3;
  config.iterations = 4;
  return config;
}

/// A class, for each of the images.
Tensor all_of(std::int32_t label, const Tensor& x) {
  return Tensor::from(std::vector<std::int32_t>(static_cast<std::size_t>(x.shape()[0]), label), Shape{x.shape()[0]},
                      cpu_device());
}
Tensor ones(const Tensor& x) {
  return all_of(1, x);
}

TEST(LatentSearch, PictureIsRedWhereAddedAndBlueWhereRemoved) {
  const Tensor x = Tensor::from(std::vector<float>{0, 1, 0.5}, Shape{1, 1, 3, 1}, cpu_device());
  const Tensor difference = Tensor::from(std::vector<float>{0.75, -1, 0}, Shape{1, 1, 3, 1}, cpu_device());
  EXPECT_EQ(difference_picture(x, difference).to_doubles(), (std::vector<double>{0.75, 0, 0, 0, 0, 1, 0.5, 0.5, 0.5}));
}

TEST(LatentSearch, ChoosesTheBestFittingRestartThatIsThere) {
  EXPECT_EQ(best_restarts({0.05, 0, 0.3, 0.3, 0.5, 0.2}, {4, 5, 1, 1, 1, 9}, 3, 0.1),
            (std::vector<std::int32_t>{0, 5}));
  EXPECT_EQ(best_restarts({0, 2}, {1, 1}, 1, 0.1), (std::vector<std::int32_t>{0, 1}));
}

TEST(LatentSearch, DescendsRowByRowAndTouchesNothingElse) {
  const Tensor start = Tensor::from(std::vector<float>{1, 2, 3, 4}, Shape{2, 2}, cpu_device());
  const Variable other = Variable::leaf(Tensor::from(std::vector<float>{3, -1}, Shape{1, 2}, cpu_device()));
  const auto loss = [&](const Variable& z) { return sum(square(z * other), {1}); };
  const std::vector<Tensor> both = descend(start, 2, 5, 0.1, loss);
  ASSERT_EQ(both.size(), 3U);
  EXPECT_EQ(both.front().to_doubles(), start.to_doubles());
  EXPECT_EQ(other.value().to_doubles(), (std::vector<double>{3, -1}));
  const std::vector<Tensor> second = descend(slice(start, 0, 1, 2), 2, 5, 0.1, loss);
  EXPECT_EQ(slice(both.back(), 0, 1, 2).to_doubles(), second.back().to_doubles());
}

TEST(LatentSearch, CostOfTheCrossEntropyFormByHand) {
  const Tensor x = Tensor::from(std::vector<float>{0, 0.5, 1, 0}, Shape{2, 1, 2, 1}, cpu_device());
  const Tensor drawn = Tensor::from(std::vector<float>{0.5, 0.5, 0, 0.25}, Shape{2, 1, 2, 1}, cpu_device());
  const Tensor l = Tensor::from(std::vector<float>{-0.5, -1.5, -2, -0.25}, Shape{2, 2}, cpu_device());
  const Tensor targets = Tensor::from(std::vector<std::int32_t>{1, 0}, Shape{2}, cpu_device());
  const Variable made = Variable::leaf(drawn), likelihoods = Variable::leaf(l);
  const Variable cost = cross_entropy_cost(x, made, likelihoods, targets, 2);
  EXPECT_EQ(cost.value().to_doubles(), (std::vector<double>{0.25 + 3, 1 + 0.0625 + 4}));
  const Variables slopes = grad({sum(cost)}, {made, likelihoods});
  EXPECT_EQ(slopes[0].value().to_doubles(), (std::vector<double>{1, 0, -2, 0.5}));
  EXPECT_EQ(slopes[1].value().to_doubles(), (std::vector<double>{0, -2, -2, 0}));
}

// The first step of Adam is as long as its rate, against the sign of the loss's slope: here of procedure 2,
// ||G(z) - I||^2 - weight log p_{y_true}(G(z)).
TEST(LatentSearch, ProcedureTwoFollowsItsLoss) {
  Corridor classifier;
  const Tensor x = Corridor::queries(4);
  std::vector<std::vector<double>> codes;
  for (const double weight : {0.0, 50.0}) {
    CdeepexConfig config = hasty<CdeepexConfig>();
    config.restarts = config.fit_iterations = 1;
    config.weight_misclassification = weight;
    Cdeepex method(config, classifier, Corridor::images(64, 1), 3, cpu_device());
    auto& vae = dynamic_cast<nn::CdeepexVae&>(module_named(method, "vae"));
    const Variable z = Variable::leaf(vae.encode(x, nn::Pass::eval()).mean.value());
    const Variable drawn = vae.decode(z, nn::Pass::eval());
    const Variable own(one_hot(classifier.decisions(x), 3));
    const Variable likelihood = sum(log(softmax(classifier.logits(drawn))) * own);
    const Variable slope = grad({sum(square(drawn - Variable(x))) - likelihood * weight}, {z}).front();
    const Variable next = z - slope / abs(slope) * config.fit_learning_rate;
    const Tensor found = method.explain_towards(x, ones(x)).at("reconstruction");
    EXPECT_LT(l1(vae.decode(next, nn::Pass::eval()), found).item(), 1e-5) << weight;
    codes.push_back(next.value().to_doubles());
  }
  EXPECT_NE(codes[0], codes[1]);
}

template <typename Method, typename Config>
void expect_sound_explanations(const Config& config) {
  Corridor classifier;
  const std::vector<double> weight = classifier.weight().value().to_doubles();
  Method method(config, classifier, Corridor::images(64, 1), 3, cpu_device());
  for (int i = 0; i < 3; ++i) method.train_step();
  const State before = state_of(method);
  const Tensor x = Corridor::queries(3);
  const Explanation together = method.explain_towards(x, ones(x));
  expect_same_bits(state_of(method), before);
  EXPECT_EQ(classifier.weight().value().to_doubles(), weight);
  for (const auto& [name, tensor] : method.explain_towards(x, ones(x))) {
    EXPECT_EQ(tensor.to_doubles(), together.at(name).to_doubles()) << name;
  }
  for (std::int64_t i = 0; i < 3; ++i) {
    for (const auto& [name, tensor] : method.explain_towards(slice(x, 0, i, i + 1), ones(slice(x, 0, i, i + 1)))) {
      EXPECT_LT(l1(slice(together.at(name), 0, i, i + 1), tensor).item(), 1e-4) << name << " of " << i;
    }
  }
  // What the parts are to each other.
  const std::int64_t frames = config.rounds + 1;
  const Tensor path = together.at("path"), shown = together.at("counterfactual");
  EXPECT_EQ(path.shape(), (Shape{3, frames, kSide, kSide, 1}));
  EXPECT_EQ(together.at("path_probabilities").shape(), (Shape{3, frames, 3}));
  EXPECT_EQ(together.at("restarts").shape(), (Shape{3, config.restarts, kSide, kSide, 1}));
  EXPECT_EQ(slice(path, 1, frames - 1, frames).to_doubles(), shown.to_doubles());
  const Tensor begin = slice(path, 1, 0, 1).reshape(x.shape());
  EXPECT_LT(l1(begin, config.complete ? x : together.at("reconstruction")).item(), 1e-6);
  EXPECT_EQ(together.at("difference").to_doubles(),
            axpby(1, together.at("generated"), -1, together.at("reconstruction")).to_doubles());
  EXPECT_GT(sum(Variable(together.at("map"))).item(), 0);
  for (const double value : shown.to_doubles()) ASSERT_TRUE(value >= 0 && value <= 1);
}

TEST(LatentSearch, ExplanationsAreSound) {
  expect_sound_explanations<Cdeepex>(hasty<CdeepexConfig>("wgan-gp"));
  expect_sound_explanations<Cdeepex>(hasty<CdeepexConfig>("vae"));
  XgemConfig config = hasty<XgemConfig>();
  expect_sound_explanations<Xgem>(config);
  config.form = "equality";
  expect_sound_explanations<Xgem>(config);
}

TEST(LatentSearch, TheOwnClassAsTargetChangesNothing) {
  Corridor classifier;
  Cdeepex method(hasty<CdeepexConfig>(), classifier, Corridor::images(64, 1), 3, cpu_device());
  const Tensor x = Corridor::queries(3);
  const Explanation explanation = method.explain_towards(x, classifier.decisions(x));
  EXPECT_LT(l1(explanation.at("counterfactual"), x).item(), 1e-6);
  EXPECT_EQ(explanation.at("violation").to_doubles(), (std::vector<double>{0, 0, 0}));
}

TEST(LatentSearch, FirstStartOfAnEncoderIsItsCode) {
  Corridor classifier;
  XgemConfig config = hasty<XgemConfig>();
  config.fit_iterations = 0;
  config.restarts = 1;
  config.complete = false;
  Xgem method(config, classifier, Corridor::images(64, 1), 3, cpu_device());
  const Tensor x = Corridor::queries(3);
  auto& vae = dynamic_cast<nn::CdeepexVae&>(module_named(method, "vae"));
  const Variable drawn = vae.decode(vae.encode(x, nn::Pass::eval()).mean, nn::Pass::eval());
  EXPECT_EQ(method.explain_towards(x, ones(x)).at("reconstruction").to_doubles(), drawn.value().to_doubles());
}

// CDeepEx, figures 5 and 9: without the last two families of constraints a third class wins.
TEST(EndToEndCdeepex, TheThirdClassDoesNotWinWhereItDoesInXgem) {
  Corridor classifier;
  const data::Dataset images = Corridor::images(512, 1);
  CdeepexConfig config = for_corridor<CdeepexConfig>();
  config.restarts = 2;
  config.fit_iterations = 100;
  config.latent.weight_kl = 0.1;  // codes near enough to each other that the search finds the nearest boundary
  XgemConfig same = for_corridor<XgemConfig>();
  static_cast<LatentSearchConfig&>(same) = config;
  same.form = "equality";
  Cdeepex cdeepex(config, classifier, images, 1, cpu_device());
  Xgem xgem(same, classifier, images, 1, cpu_device());
  for (int step = 0; step < 600; ++step) cdeepex.train_step();
  xgem.take_latent(cdeepex);

  const Tensor x = Corridor::queries(16);
  const Explanation with = cdeepex.explain_towards(x, ones(x)), without = xgem.explain_towards(x, ones(x));
  const auto seen = [&](const Explanation& explanation) {
    return classifier.probabilities(explanation.at("counterfactual")).value();
  };
  EXPECT_LE(Corridor::third_wins(seen(with)), 0.05);
  EXPECT_GE(Corridor::third_wins(seen(without)), 0.8);
  for (const Explanation* explanation : {&with, &without}) {
    const std::vector<double> p = seen(*explanation).to_doubles(), short_of = explanation->at("violation").to_doubles();
    for (std::size_t i = 0; i < short_of.size(); ++i) {
      EXPECT_LE(short_of[i], 0.1) << i;
      EXPECT_NEAR(p[3 * i], p[3 * i + 1], 0.05) << i;  // on the boundary of zero and one
    }
    EXPECT_GE(Corridor::mass_inside(explanation->at("map")), 0.7);  // a map that knows nothing: 0.25
  }
}

/// Asked for the query's class, the counterfactual's explanation is of it again, and nearer to the query.
void expect_way_back(LatentExplainer& method, Corridor& classifier, const Tensor& x, const Tensor& foil) {
  const Tensor back = method.explain_towards(foil, all_of(0, x)).at("counterfactual");
  EXPECT_EQ(classifier.decisions(back).to_doubles(), classifier.decisions(x).to_doubles());
  EXPECT_LT(l1(back, x).item(), l1(foil, x).item());
}

TEST(EndToEndCdeepex, SearchesAGanToo) {
  Corridor classifier;
  CdeepexConfig config = for_corridor<CdeepexConfig>("wgan-gp");
  config.boundary.margin = 1;  // past the boundary
  Cdeepex method(config, classifier, Corridor::images(512, 1), 1, cpu_device());
  for (int step = 0; step < 200; ++step) method.train_step();
  const Tensor x = Corridor::queries(8);
  const Explanation explanation = method.explain_towards(x, ones(x));
  EXPECT_LE(l1(explanation.at("reconstruction"), x).item(), 0.06);
  const std::vector<std::int32_t> decided =
      classifier.decisions(explanation.at("counterfactual")).to_vector<std::int32_t>();
  EXPECT_EQ(decided, std::vector<std::int32_t>(8, 1));
  EXPECT_GE(Corridor::mass_inside(explanation.at("map")), 0.7);
  expect_way_back(method, classifier, x, explanation.at("counterfactual"));
}

TEST(EndToEndXgem, CrossEntropyFormReachesTheClassAskedFor) {
  Corridor classifier;
  Xgem method(for_corridor<XgemConfig>(), classifier, Corridor::images(512, 1), 1, cpu_device());
  for (int step = 0; step < 600; ++step) method.train_step();
  const Tensor x = Corridor::queries(16);
  const Explanation explanation = method.explain_towards(x, ones(x));
  const std::vector<std::int32_t> decided =
      classifier.decisions(explanation.at("counterfactual")).to_vector<std::int32_t>();
  EXPECT_EQ(decided, std::vector<std::int32_t>(16, 1));
  EXPECT_GE(Corridor::mass_inside(explanation.at("map")), 0.8);
  for (const double violation : explanation.at("violation").to_doubles()) EXPECT_EQ(violation, 0);
  expect_way_back(method, classifier, x, explanation.at("counterfactual"));
}

}  // namespace
}  // namespace counterfoil::methods
