#include <cmath>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/cuda/cuda_device.h"
#include "kernels/error.h"
#include "methods/classifier_training.h"
#include "methods/explaingan.h"
#include "methods/syce.h"
#include "metrics/embedding.h"
#include "nn/graph_step.h"
#include "nn/models/lenet.h"
#include "tests/methods/halves.h"

// Whole training steps on the CUDA kernels, executed by kernels/simt: against the CPU, and recorded in a graph.

namespace counterfoil::cuda_test {
namespace {

using methods::halves;
using testing::HasSubstr;

methods::ClassifierConfig classifier_config() {
  methods::ClassifierConfig config;
  config.batch = 6;
  config.learning_rate = 1e-3;
  return config;
}

std::unique_ptr<methods::ClassifierTraining> classifier_on(
    Device& device, const methods::ClassifierConfig& config = classifier_config()) {
  return std::make_unique<methods::ClassifierTraining>(config, data::Splits{halves(18), halves(8, 5), {}}, 7, device);
}

methods::SyceConfig syce_config() {
  methods::SyceConfig config;
  config.batch = 3;
  config.generator_width = config.discriminator_width = 4;
  config.generator_levels = config.discriminator_levels = 2;
  config.generator_learning_rate = 1e-3;
  config.augmentation = {0.1, 0.1, 10, false, false};
  return config;
}

/// A method with the classifier that it explains.
template <typename Method, typename Config>
struct Explained {
  Explained(const Config& config, Device& device)
      : classifier(8, device), method(config, classifier, halves(24), 11, device) {}
  methods::BrighterHalf classifier;
  Method method;
};

/// |a - b| <= tolerance (|b| + root mean square of b) + slack, element by element of every tensor.
void expect_near(const methods::State& a, const methods::State& b, double tolerance, double slack) {
  for (const auto& [name, tensor] : b) {
    const std::vector<double> found = a.at(name).to_doubles(), expected = tensor.to_doubles();
    double squares = 0;
    for (const double value : expected) squares += value * value;
    const double scale = std::sqrt(squares / static_cast<double>(expected.size()));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_LE(std::abs(found[i] - expected[i]), tolerance * (std::abs(expected[i]) + scale) + slack)
          << name << " at " << i << ": " << found[i] << ", expected " << expected[i];
    }
  }
}

/// Some steps on both devices, which differ by rounding. Losses and moments, which are averages of gradients, agree to
/// 1e-4. Adam divides by the root of the second moment, so a weight whose gradient is rounding alone moves by a whole
/// rate: weights agree to 1e-4 and a tenth of the rate.
void expect_cpu_agrees(nn::Trainable& on_simt, nn::Trainable& on_cpu, int steps, double rate) {
  constexpr double kTolerance = 1e-4;
  for (int step = 0; step < steps; ++step) {
    const nn::LossTerms found = on_simt.train_step(), expected = on_cpu.train_step();
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].first, expected[i].first);
      EXPECT_NEAR(found[i].second, expected[i].second, kTolerance * (1 + std::abs(expected[i].second)))
          << found[i].first << " of step " << step;
    }
  }
  methods::State weights_expected, found = methods::state_of(on_simt);
  for (const auto& [name, tensor] : methods::state_of(on_cpu)) {
    if (name.starts_with("model.")) weights_expected.emplace(name, tensor);
  }
  expect_near(found, weights_expected, kTolerance, 0.1 * rate);
  methods::State moments = methods::state_of(on_cpu);
  std::erase_if(moments, [](const auto& entry) { return entry.first.starts_with("model."); });
  expect_near(found, moments, kTolerance, 0);
}

TEST(EndToEndSimt, LeNetAgreesWithTheCpu) {
  const auto on_simt = classifier_on(cuda::open()), on_cpu = classifier_on(cpu_device());
  const methods::State before = methods::state_of(*on_cpu);
  expect_cpu_agrees(*on_simt, *on_cpu, 4, classifier_config().learning_rate);
  EXPECT_TRUE(methods::moved(*on_simt, "classifier", before));
}

TEST(EndToEndSimt, SyceAgreesWithTheCpu) {
  using Syce = Explained<methods::Syce, methods::SyceConfig>;
  Syce on_simt(syce_config(), cuda::open()), on_cpu(syce_config(), cpu_device());
  expect_cpu_agrees(on_simt.method, on_cpu.method, 2, syce_config().generator_learning_rate);
  const Tensor x = halves(6).all_images(cpu_device());
  const Tensor found = on_simt.method.explain(x.to(cuda::open())).at("counterfactual");
  const std::vector<double> expected = on_cpu.method.explain(x).at("counterfactual").to_doubles();
  EXPECT_THAT(found.to_doubles(), testing::Pointwise(testing::DoubleNear(1e-4), expected));
}

/// As many steps with a graph and without; every bit is compared, and positions of random streams too.
void expect_graph_agrees(nn::Trainable& replayed, nn::Trainable& eager, int steps) {
  nn::GraphStep graph(replayed, cuda::open());
  for (int step = 0; step < steps; ++step) {
    if (step == 4) {  // a schedule's turn
      for (nn::Trainable* one : {&replayed, &eager}) {
        for (const auto& [name, optimiser] : one->training_state().optimisers) optimiser->set_learning_rate(3e-4);
      }
    }
    EXPECT_EQ(graph.run(), eager.train_step()) << "step " << step;
  }
  methods::expect_same_bits(methods::state_of(replayed), methods::state_of(eager));
  const auto& a = replayed.training_state().randoms;
  const auto& b = eager.training_state().randoms;
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].second->position(), b[i].second->position()) << a[i].first;
}

TEST(EndToEndGraph, ClassifierWithDropoutAcrossEpochs) {
  const auto replayed = classifier_on(cuda::open()), eager = classifier_on(cuda::open());
  expect_graph_agrees(*replayed, *eager, 8);
}

TEST(EndToEndGraph, SyceWithDropoutPenaltyAndRunningAverages) {
  methods::SyceConfig config = syce_config();
  config.dropout = 0.2;
  config.batch_norm = "batch";
  using Syce = Explained<methods::Syce, methods::SyceConfig>;
  Syce replayed(config, cuda::open()), eager(config, cuda::open());
  expect_graph_agrees(replayed.method, eager.method, 5);
  // And it goes on without the graph, from the same state.
  replayed.method.train_step();
  eager.method.train_step();
  methods::expect_same_bits(methods::state_of(replayed.method), methods::state_of(eager.method));
}

TEST(EndToEndGraph, ExplainganWithBatchNorm) {
  methods::ExplainganConfig config;
  config.batch = 3;
  config.width = 4;
  config.code = 6;
  using Explaingan = Explained<methods::Explaingan, methods::ExplainganConfig>;
  Explaingan replayed(config, cuda::open()), eager(config, cuda::open());
  expect_graph_agrees(replayed.method, eager.method, 5);
}

TEST(EndToEndGraph, EmbeddingWithDeviceAndHostNumbers) {
  metrics::EmbeddingConfig config;
  config.batch = 4;
  config.network = {{8, 8, 1}, {4, 8}, 5, 4};
  const data::Dataset images = halves(12);
  const auto make = [&] {
    return std::make_unique<metrics::EmbeddingTraining>(
        config, images.all_images(cuda::open()),
        Tensor::from(images.labels, Shape{std::ssize(images.labels)}, cuda::open()), 3);
  };
  const auto replayed = make(), eager = make();
  expect_graph_agrees(*replayed, *eager, 6);
}

// What is not theirs never changes under the feet of other work between the launches.
TEST(EndToEndGraph, OtherWorkBetweenLaunchesKeepsItsMemory) {
  const auto replayed = classifier_on(cuda::open()), eager = classifier_on(cuda::open());
  nn::GraphStep graph(*replayed, cuda::open());
  std::vector<Tensor> others;
  for (int step = 0; step < 5; ++step) {
    graph.run();
    eager->train_step();
    for (const std::int64_t size : {1, 64, 600, 5000, 40000}) {
      others.push_back(Tensor::full({size}, static_cast<double>(size + step), DType::f32, cuda::open()));
    }
  }
  methods::expect_same_bits(methods::state_of(*replayed), methods::state_of(*eager));
  for (std::size_t i = 0; i < others.size(); ++i) {
    const auto fifths = static_cast<std::int64_t>(i / 5);
    const auto expected = static_cast<double>(others[i].size() + fifths);
    EXPECT_THAT(others[i].to_doubles(), testing::Each(expected));
  }
}

/// One Adam step on a weight, with something that a graph must refuse.
class Refused final : public nn::Trainable, public nn::StagedStep {
 public:
  enum class Sin : std::uint8_t { none, reads, host_number, unlisted_stream, unlisted_optimiser };

  explicit Refused(Sin sin)
      : sin_(sin),
        network_(std::make_unique<nn::LeNet>(nn::Init{random_, cuda::open()},
                                             nn::LeNetOptions{{8, 8, 1}, 1, 2, 2, 2, 0.25, 0.5})),
        optimiser_(nn::adam(network_->named_parameters(), {})) {
    state_.modules = {{"network", network_.get()}};
    if (sin != Sin::unlisted_optimiser) state_.optimisers = {{"network", optimiser_.get()}};
    if (sin != Sin::unlisted_stream) state_.randoms = {{"numbers", &random_}};
  }
  nn::LossTerms train_step() override { return run_stages(); }
  std::int64_t images_per_step() const override { return 2; }
  std::vector<Tensor> draw() override { return {Tensor::full({2, 8, 8, 1}, 0.5, DType::f32, cuda::open())}; }
  nn::DeviceTerms compute(const std::vector<Tensor>& batch) override {
    const Variable loss = reshape(mean(square(network_->forward(batch[0], nn::Pass::train(random_)))), {1});
    if (sin_ == Sin::reads) loss.item();
    if (sin_ == Sin::host_number) random_.uniform();
    optimiser_->minimise(loss);
    return {{"loss", loss.value()}};
  }

 private:
  Sin sin_;
  Random random_{5, "numbers"};
  std::unique_ptr<nn::LeNet> network_;
  std::unique_ptr<nn::Optimiser> optimiser_;
};

TEST(EndToEndGraph, RefusesWhatAGraphCannotHold) {
  const auto second_step = [](Refused::Sin sin) {
    Refused refused(sin);
    nn::GraphStep graph(refused, cuda::open());
    graph.run();
    graph.run();
  };
  EXPECT_NO_THROW(second_step(Refused::Sin::none));
  const std::pair<Refused::Sin, const char*> sins[] = {
      {Refused::Sin::reads, "what is recorded in a graph copies to the host"},
      {Refused::Sin::host_number, "draws numbers of the stream 'numbers' on the host"},
      {Refused::Sin::unlisted_stream, "a random stream that its training state does not list"},
      {Refused::Sin::unlisted_optimiser, "an optimiser that its training state does not list"}};
  for (const auto& [sin, message] : sins) {
    const auto refused = [&second_step, sin = sin] { second_step(sin); };
    EXPECT_THAT(refused, testing::ThrowsMessage<Error>(HasSubstr(message)));
    EXPECT_EQ(Tensor::full({2}, 3, DType::f32, cuda::open()).to_vector<float>()[1], 3) << "the device goes on";
  }
  const auto on_cpu = classifier_on(cpu_device());
  EXPECT_THAT([&] { nn::GraphStep(*on_cpu, cpu_device()); },
              testing::ThrowsMessage<Error>(HasSubstr("device 'cpu' has no graphs")));
}

}  // namespace
}  // namespace counterfoil::cuda_test
