#include "nn/graph_step.h"

#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/config.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/error.h"
#include "kernels/route.h"
#include "kernels/simt/profiler_ranges.h"
#include "kernels/simt/vendor/library_calls.h"
#include "nn/models/lenet.h"
#include "tests/cuda/small_trainings.h"

// Training steps recorded in a graph of the CUDA kernels and replayed, executed by kernels/simt.

namespace counterfoil::cuda_test {
namespace {

using methods::halves;
using testing::HasSubstr;

/// As many steps with a graph and without; every bit is compared, and positions of random streams too.
void expect_graph_agrees(nn::Trainable& replayed, nn::Trainable& eager, int steps) {
  nn::GraphStep graph(replayed, cuda::open());
  for (int step = 0; step < steps; ++step) {
    if (step == 3) {  // a schedule's turn
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
  ASSERT_EQ(replayed.drawn().size(), eager.drawn().size());
  for (std::size_t i = 0; i < eager.drawn().size(); ++i) {
    EXPECT_EQ(replayed.drawn()[i].name, eager.drawn()[i].name);
    EXPECT_EQ(replayed.drawn()[i].rows.to_doubles(), eager.drawn()[i].rows.to_doubles());
  }
}

/// What `counterfoil train` trains, with some settings that are not the default.
struct Training {
  std::string kind;
  std::map<std::string, std::string> settings;

  std::string name() const {
    std::string name = kind;
    for (const auto& [key, text] : settings) name += "_" + text;
    std::ranges::replace(name, '-', '_');
    return name;
  }
};

std::vector<Training> all_trainings() {
  std::vector<Training> all = {{"progressive-exaggeration", {{"mode", "official"}}},
                               {"ganmex", {{"loss", "log"}}},
                               {"ganmex", {{"variant", "stand-alone"}}},
                               {"explaingan", {{"variant", "norec"}}},
                               {"mgen", {{"mask_sigma", "0"}}}};
  for (const app::Kind& kind : app::kinds()) {
    if (kind.name != "bbmp") all.push_back({kind.name, {}});  // it trains nothing
  }
  return all;
}

class GraphOf : public testing::TestWithParam<Training> {
 protected:
  std::unique_ptr<nn::Trainable> make() {
    // Those that the kind has.
    static const std::map<std::string, std::string> small = {{"batch", "3"},
                                                             {"width", "4"},
                                                             {"levels", "1"},
                                                             {"blocks", "1"},
                                                             {"bins", "4"},
                                                             {"code", "5"},
                                                             {"hidden", "4"},
                                                             {"critic_levels", "2"},
                                                             {"gan_width", "4"},
                                                             {"generator_width", "4"},
                                                             {"discriminator_width", "4"},
                                                             {"critic_steps", "2"},
                                                             {"vae_outer", "12"},
                                                             {"generator_levels", "1"},
                                                             {"discriminator_levels", "2"},
                                                             {"discriminator_steps", "2"},
                                                             {"vae_inner", "6"},
                                                             {"augment_zoom", "0.1"},
                                                             {"dropout", "0.2"},
                                                             {"batch_norm", "batch"}};
    app::Settings settings(app::kind_named(GetParam().kind));
    for (const nn::Keys::Key& key : settings.keys().list()) {
      if (const auto found = small.find(key.name); found != small.end()) {
        settings.keys().set_text(key.name, found->second);
      }
    }
    for (const auto& [key, text] : GetParam().settings) settings.keys().set_text(key, text);
    return settings.recipe().make(inputs_);
  }

 private:
  methods::BrighterHalf classifier_{8, cuda::open()};
  data::Splits splits_{halves(24), halves(6, 5), {}};
  app::TrainingInputs inputs_{splits_,
                              11,
                              cuda::open(),
                              [this](const std::string&) -> nn::Classifier& { return classifier_; },
                              [this](const std::string&, const std::string&) -> nn::Classifier& { return classifier_; },
                              {}};
};

/// How often a profiler has seen a phase begin in which one of a method's networks is trained.
std::uint64_t phases() {
  static const std::set<std::string> names = {"classifier",
                                              "critic",
                                              "discriminator",
                                              "discriminator, batch 0",
                                              "discriminators",
                                              "embedding",
                                              "generator",
                                              "generators, batch 0",
                                              "vae"};
  std::uint64_t count = 0;
  for (const auto& [name, opened] : simt::opened_ranges()) count += names.contains(name) ? opened : 0;
  return count;
}

TEST_P(GraphOf, IsTheStepBitForBit) {
  const auto replayed = make(), eager = make();
  constexpr int kSteps = 5;
  const std::uint64_t before = phases();
  expect_graph_agrees(*replayed, *eager, kSteps);
  EXPECT_GE(phases(), before + kSteps) << "no phase for profilers";
  EXPECT_EQ(simt::open_ranges(), 0);
}

INSTANTIATE_TEST_SUITE_P(EndToEnd, GraphOf, testing::ValuesIn(all_trainings()),
                         [](const auto& one) { return one.param.name(); });

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

/// The vendor's route, until the end of the scope.
struct VendorsRoute {
  VendorsRoute() { set_route(cuda::open(), "vendor"); }
  ~VendorsRoute() { set_route(cuda::open(), "auto"); }
  VendorsRoute(const VendorsRoute&) = delete;
  VendorsRoute& operator=(const VendorsRoute&) = delete;
};

TEST(EndToEndGraph, HoldsTheCallsOfTheVendorsLibraries) {
  using Syce = Explained<methods::Syce, methods::SyceConfig>;
  Syce replayed(syce_config(), cuda::open()), eager(syce_config(), cuda::open()), own(syce_config(), cuda::open());
  constexpr int kSteps = 4;
  {
    const VendorsRoute route;
    const std::uint64_t convolutions = simt::library_calls().convolutions, products = simt::library_calls().products;
    expect_graph_agrees(replayed.method, eager.method, kSteps);
    EXPECT_GT(simt::library_calls().convolutions, convolutions);
    EXPECT_GT(simt::library_calls().products, products);
  }
  for (int step = 0; step < kSteps; ++step) own.method.train_step();
  EXPECT_NE(methods::state_of(own.method).at("model.g0.entry.0.conv.weight").to_doubles(),
            methods::state_of(replayed.method).at("model.g0.entry.0.conv.weight").to_doubles())
      << "the libraries round otherwise than the own kernels";
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
class Refused final : public nn::Trainable {
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
