#include "methods/latent_model.h"

#include <gtest/gtest.h>

#include "methods/cdeepex.h"
#include "methods/xgem.h"
#include "tests/methods/halves.h"

namespace counterfoil::methods {
namespace {

constexpr std::int64_t kCount = 16, kCode = 3, kBatch = 8;

template <typename Config>
Config small(const std::string& latent) {
  Config config;
  config.latent.latent = latent;
  config.latent.code = kCode;
  config.latent.batch = kBatch;
  config.latent.gan_width = 4;
  config.latent.critic_steps = 2;
  config.latent.vae_outer = 12;
  config.latent.vae_inner = 6;
  config.restarts = 2;
  config.fit_iterations = 3;
  config.rounds = 2;
  config.iterations = 2;
  return config;
}

Tensor normal(Random& random) {
  return random.normal(Shape{kBatch, kCode}, 0, 1, cpu_device());
}

TEST(LatentModel, LossesOfTheGanAndTheirGradients) {
  BrighterHalf classifier;
  const data::Dataset images = halves(kCount);
  CdeepexConfig config = small<CdeepexConfig>("wgan-gp");
  config.latent.critic_steps = 1;
  config.latent.gan_learning_rate = 0;
  config.latent.weight_gradient_penalty = 7;
  Cdeepex method(config, classifier, images, 5, cpu_device());
  const nn::LossTerms found = method.train_step();

  auto& generator = dynamic_cast<nn::Network&>(module_named(method, "generator"));
  auto& critic = dynamic_cast<nn::Network&>(module_named(method, "training.critic"));
  data::BatchSampler batches(kCount, kBatch, 5, "batches");
  Random codes(5, "codes");
  nn::Pass pass = nn::Pass::train(codes);
  pass.update_statistics = false;
  const Variable real = affine(images.images(batches.next(), cpu_device()), 2, -1);
  const Variable fake = generator.forward(normal(codes), pass).detach();
  const Tensor u = codes.uniform(Shape{kBatch, 1, 1, 1}, 0, 1, cpu_device());
  const Variable between = Variable::leaf((real + Variable(u) * (fake - real)).value());
  const Variable slope = grad({sum(critic.forward(between, pass))}, {between}, {.create_graph = true}).front();
  const Variable norm = sqrt(sum(square(flatten(slope)), {1}) + 1e-12);
  const Variable penalty = reshape(mean(square(norm - 1)), {1});
  const Variable distance = reshape(mean(critic.forward(fake, pass)) - mean(critic.forward(real, pass)), {1});
  const Variable made = reshape(-mean(critic.forward(generator.forward(normal(codes), pass), pass)), {1});
  EXPECT_NEAR(term(found, "L_critic"), distance.item(), 1e-5);
  EXPECT_NEAR(term(found, "L_gp"), penalty.item(), 1e-5);
  EXPECT_NEAR(term(found, "L_generator"), made.item(), 1e-5);
  EXPECT_GT(expect_last_gradient(method, "critic", {"training.critic"}, distance + penalty * 7), 1e-4);
  EXPECT_GT(expect_last_gradient(method, "generator", {"generator"}, made), 1e-6);
}

TEST(LatentModel, LossesOfTheVaeAndTheirGradients) {
  BrighterHalf classifier;
  const data::Dataset images = halves(kCount);
  XgemConfig config = small<XgemConfig>("vae");
  config.latent.vae_learning_rate = 0;
  config.latent.weight_kl = 0.7;
  Xgem method(config, classifier, images, 5, cpu_device());
  const nn::LossTerms found = method.train_step();

  auto& vae = dynamic_cast<nn::CdeepexVae&>(module_named(method, "vae"));
  data::BatchSampler batches(kCount, kBatch, 5, "batches");
  Random codes(5, "codes");
  const nn::Pass pass = nn::Pass::eval();
  const Tensor x = images.images(batches.next(), cpu_device());
  const nn::GaussianCode code = vae.encode(x, pass);
  const Variable z = code.mean + sqrt(exp(code.log_variance)) * Variable(normal(codes));
  const Variable error = reshape(sum(square(vae.decode(z, pass) - Variable(x))) / kBatch, {1});
  const Variable variance = exp(code.log_variance);
  const Variable kl = reshape(sum(variance + square(code.mean) - 1 - log(variance)) / (2.0 * kBatch), {1});
  EXPECT_NEAR(term(found, "L_error"), error.item(), 1e-4);
  EXPECT_NEAR(term(found, "L_kl"), kl.item(), 1e-4);
  // The first moment of Adam is a tenth of the only gradient yet.
  EXPECT_GT(expect_last_gradient(method, "vae", {"vae"}, (error + kl * 0.7) * 0.1), 1e-4);
}

TEST(LatentModel, EachStepMovesItsOwnNetworkAndNeverTheClassifier) {
  BrighterHalf classifier;
  const std::vector<double> weight = classifier.weight().value().to_doubles();
  Cdeepex gan(small<CdeepexConfig>("wgan-gp"), classifier, halves(kCount), 5, cpu_device());
  EXPECT_EQ(optimiser_named(gan, "generator").parameters().size(), module_named(gan, "generator").parameters().size());
  EXPECT_EQ(optimiser_named(gan, "critic").parameters().size(),
            module_named(gan, "training.critic").parameters().size());
  const State before = state_of(gan);
  gan.train_step();
  EXPECT_TRUE(moved(gan, "generator", before));
  EXPECT_TRUE(moved(gan, "training.critic", before));
  EXPECT_EQ(classifier.weight().value().to_doubles(), weight);
}

TEST(LatentModel, SameBitsHoweverTrained) {
  BrighterHalf classifier;
  const data::Dataset images = halves(3 * kCount);
  expect_same_bits_however_trained(
      [&] { return std::make_unique<Cdeepex>(small<CdeepexConfig>("wgan-gp"), classifier, images, 7, cpu_device()); });
  expect_same_bits_however_trained(
      [&] { return std::make_unique<Xgem>(small<XgemConfig>("vae"), classifier, images, 7, cpu_device()); });
}

TEST(LatentModel, IsTakenFromAnotherRun) {
  BrighterHalf classifier;
  Xgem trained(small<XgemConfig>("vae"), classifier, halves(kCount), 5, cpu_device());
  for (int i = 0; i < 3; ++i) trained.train_step();
  Cdeepex taker(small<CdeepexConfig>("vae"), classifier, halves(kCount), 6, cpu_device());
  taker.take_latent(trained);
  expect_same_bits(module_named(taker, "vae").state(), module_named(trained, "vae").state());
  Cdeepex other(small<CdeepexConfig>("wgan-gp"), classifier, halves(kCount), 6, cpu_device());
  EXPECT_THROW(other.take_latent(trained), Error);
  CdeepexConfig longer = small<CdeepexConfig>("vae");
  longer.latent.code = kCode + 1;
  Cdeepex misfit(longer, classifier, halves(kCount), 6, cpu_device());
  EXPECT_THROW(misfit.take_latent(trained), Error);
}

TEST(LatentModel, RefusesWhatItCannotDo) {
  BrighterHalf classifier;
  CdeepexConfig config = small<CdeepexConfig>("wgan-gp");
  config.fit_iterations = 0;
  EXPECT_THROW(Cdeepex(config, classifier, halves(kCount), 5, cpu_device()), Error);
}

}  // namespace
}  // namespace counterfoil::methods
