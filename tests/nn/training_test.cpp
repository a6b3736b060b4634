#include "autograd/loss.h"
#include "autograd/pointwise.h"
#include "nn/classifier.h"
#include "nn/losses.h"
#include "nn/models/lenet.h"
#include "nn/models/syce_discriminator.h"
#include "nn/models/unet.h"
#include "nn/optimiser.h"
#include "tests/nn/golden.h"

// A generator and a critic trained together for a few steps: everything on this floor at once, in f32.

namespace counterfoil::nn {
namespace {

struct Training {
  explicit Training(Device& device)
      : random(5, "training"),
        init{random, device},
        generator(init, {.widths = {4, 6}}),
        critic(init, {.image = {8, 8, 1}, .widths = {4, 6}}),
        generator_adam(adam(generator.named_parameters(), {.learning_rate = 1e-3})),
        critic_adam(adam(critic.named_parameters(), {.learning_rate = 2e-3})) {}

  double step() {
    const Pass pass = Pass::train(random);
    const Tensor x = random.uniform({6, 8, 8, 1}, 0, 1, init.device);
    const Variable y = generator.forward(Variable(x), pass);
    const Variable loss = l1_loss(y, Variable(x)) + 0.25 * gan_generator(critic.forward(y, pass));
    generator_adam->minimise(loss);
    const Tensor fake = y.value();
    const auto judge = [&](const Variable& images) { return critic.forward(images, pass); };
    critic_adam->minimise(gan_discriminator(judge(Variable(x)), judge(Variable(fake))) +
                          gradient_penalty(judge, x, fake, random));
    return loss.item();
  }

  std::map<std::string, Tensor> state() {
    auto all = generator.state("g.");
    all.merge(critic.state("d."));
    all.merge(generator_adam->state("ga."));
    all.merge(critic_adam->state("da."));
    return all;
  }

  Random random;
  Init init;
  UNet generator;
  SyceDiscriminator critic;
  std::unique_ptr<Optimiser> generator_adam, critic_adam;
};

void expect_same_bits(std::map<std::string, Tensor> a, std::map<std::string, Tensor> b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, tensor] : a) EXPECT_EQ(tensor.to_doubles(), b.at(name).to_doubles()) << name;
}

TEST(Training, SameBitsWithOneThreadOrTwo) {
  const int before = thread_count();
  set_thread_count(1);
  Training one(cpu_device());
  for (int i = 0; i < 3; ++i) one.step();
  set_thread_count(2);
  Training two(cpu_device());
  for (int i = 0; i < 3; ++i) two.step();
  set_thread_count(before);
  expect_same_bits(one.state(), two.state());
}

TEST(Training, SameBitsWhenStoppedAndResumed) {
  Training straight(cpu_device()), stopped(cpu_device()), resumed(cpu_device());
  for (int i = 0; i < 4; ++i) straight.step();
  for (int i = 0; i < 2; ++i) stopped.step();
  const auto saved = stopped.state();
  resumed.generator.load_state(saved, "g.");
  resumed.critic.load_state(saved, "d.");
  resumed.generator_adam->load_state(saved, "ga.");
  resumed.critic_adam->load_state(saved, "da.");
  resumed.random.seek(stopped.random.position());
  for (int i = 0; i < 2; ++i) resumed.step();
  expect_same_bits(straight.state(), resumed.state());
}

TEST(Training, CpuFollowsTheReference) {
  Training reference(reference_device()), cpu(cpu_device());
  for (int i = 0; i < 2; ++i) EXPECT_NEAR(cpu.step(), reference.step(), 1e-4);
}

/// Images whose left (class 0) or right (class 1) half is brighter.
std::pair<Tensor, Tensor> halves(Random& random, std::int64_t count) {
  std::vector<float> pixels;
  std::vector<std::int32_t> classes;
  for (std::int64_t n = 0; n < count; ++n) {
    const auto label = static_cast<std::int32_t>(random.integer(2));
    classes.push_back(label);
    for (int i = 0; i < 64; ++i) {
      pixels.push_back(static_cast<float>(0.7 * random.uniform() + ((i % 8 < 4) == (label == 0) ? 0.3 : 0.0)));
    }
  }
  return {Tensor::from(pixels, {count, 8, 8, 1}, cpu_device()), Tensor::from(classes, {count}, cpu_device())};
}

TEST(Training, AClassifierLearns) {
  Random random(11, "halves");
  const LeNetOptions options{.image = {8, 8, 1}, .width1 = 4, .width2 = 8, .hidden = 16};
  auto network = std::make_shared<LeNet>(Init{random, cpu_device()}, options);
  const auto optimiser = adam(network->named_parameters(), {.learning_rate = 1e-2});
  for (int i = 0; i < 60; ++i) {
    const auto [x, classes] = halves(random, 32);
    const Variable targets(classes.to(DType::f32).reshape({-1, 1}));
    optimiser->minimise(bce_with_logits(network->forward(Variable(x), Pass::train(random)), targets));
  }
  const auto [x, classes] = halves(random, 500);
  const auto expected = classes.to_vector<std::int32_t>();
  const auto decided = NetworkClassifier(network, 1).decisions(x).to_vector<std::int32_t>();
  int right = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) right += decided[i] == expected[i] ? 1 : 0;
  EXPECT_GE(right, 475);
}

TEST(Training, NeedsNoNewMemoryInASteadyState) {
  Training training(cpu_device());
  for (int i = 0; i < 3; ++i) training.step();
  const std::size_t before = cpu_device().memory_use().system_calls;
  for (int i = 0; i < 3; ++i) training.step();
  EXPECT_EQ(cpu_device().memory_use().system_calls, before);
}

}  // namespace
}  // namespace counterfoil::nn
