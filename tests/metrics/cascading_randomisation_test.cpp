#include "metrics/cascading_randomisation.h"

#include <gmock/gmock.h>

#include "nn/batch_norm.h"
#include "nn/conv2d.h"
#include "nn/linear.h"
#include "tests/metrics/perturbed_classifier.h"

namespace counterfoil::metrics {
namespace {

using testing::ElementsAre;

/// A convolution, a norm, and two linear layers, the last under spectral norm.
class Layers final : public nn::Network {
 public:
  explicit Layers(const nn::Init& init)
      : conv_(init, 2, 3, 1),
        norm_(init, 3),
        hidden_(init, 3 * 4 * 4, 8),
        output_(init, 8, 5, {.spectral_norm = true}) {
    register_child("features.conv", conv_);
    register_child("features.norm", norm_);
    register_child("hidden", hidden_);
    register_child("output", output_);
  }
  Variable forward(const Variable& x, const nn::Pass& pass) override {
    const Variable features = relu(norm_.forward(conv_.forward(x, pass), pass));
    return output_.forward(relu(hidden_.forward(reshape(features, {x.shape()[0], -1}), pass)), pass);
  }

 private:
  nn::Conv2d conv_;
  nn::BatchNorm norm_;
  nn::Linear hidden_, output_;
};

using State = std::map<std::string, std::vector<double>>;

State values_of(nn::Module& network) {
  State values;
  for (const auto& [name, tensor] : network.state()) values[name] = tensor.to_doubles();
  return values;
}

std::vector<std::string> changed(const State& before, const State& after) {
  std::vector<std::string> names;
  for (const auto& [name, values] : after) {
    if (values != before.at(name)) names.push_back(name);
  }
  return names;
}

double norm(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

class CascadingRandomisation : public testing::Test {
 protected:
  Random random{7, "layers"};
  Layers network{nn::Init{random, reference_device(), DType::f64, nn::normal(0.3)}};
  State before = values_of(network);

  std::vector<State> states(std::uint64_t seed) {
    std::vector<State> all;
    randomise_cascading(network, seed, [&](const std::string&) { all.push_back(values_of(network)); });
    return all;
  }
};

TEST_F(CascadingRandomisation, GoesFromTheOutputAndKeepsWhatItReplaced) {
  std::vector<std::string> layers;
  randomise_cascading(network, 1, [&](const std::string& layer) { layers.push_back(layer); });
  EXPECT_THAT(layers, ElementsAre("output", "hidden", "features.norm", "features.conv"));
  const std::vector<State> after = states(1);
  ASSERT_EQ(after.size(), 4u);
  // Biases are 0 and keep their norm.
  EXPECT_THAT(changed(before, after[0]), ElementsAre("output.weight_orig", "output.weight_u", "output.weight_v"));
  EXPECT_THAT(changed(after[0], after[1]), ElementsAre("hidden.weight"));
  EXPECT_THAT(changed(after[1], after[2]), ElementsAre("features.norm.weight"));
  EXPECT_THAT(changed(after[2], after[3]), ElementsAre("features.conv.weight"));
}

TEST_F(CascadingRandomisation, NumbersAreGaussianOfTheSameNorm) {
  const State after = states(1).back();
  for (const char* name : {"output.weight_orig", "hidden.weight", "features.norm.weight", "features.conv.weight"})
    EXPECT_NEAR(norm(after.at(name)), norm(before.at(name)), 1e-12) << name;
  const std::vector<double>& weights = after.at("hidden.weight");  // 384 numbers
  const double deviation = norm(weights) / std::sqrt(static_cast<double>(weights.size()));
  double within = 0, sum = 0;
  for (const double w : weights) {
    within += std::abs(w) < deviation;
    sum += w;
  }
  EXPECT_NEAR(within / 384, 0.683, 0.06);
  EXPECT_LT(std::abs(sum), 4 * std::sqrt(384.0) * deviation);
  const std::vector<double>& others = after.at("output.weight_orig");  // no layer has another's numbers
  EXPECT_GT(std::abs(others[1] / others[0] - weights[1] / weights[0]), 1e-6);
}

TEST_F(CascadingRandomisation, SpectralNormFollows) {
  const Tensor x = Tensor::full(Shape{1, 4, 4, 2}, 1, DType::f64, reference_device());
  randomise_cascading(network, 1, [&](const std::string&) {
    // sigma = u' W v is the largest singular value: v is what W' u points to.
    const State now = values_of(network);
    const std::vector<double>&w = now.at("output.weight_orig"), &u = now.at("output.weight_u");
    std::vector<double> across(8);
    for (std::size_t i = 0; i < w.size(); ++i) across[i % 8] += w[i] * u[i / 8];
    const double largest = norm(across);
    EXPECT_GT(largest, norm(w) / std::sqrt(5.0));
    for (const double z : network.forward(x, nn::Pass::eval()).value().to_doubles()) EXPECT_TRUE(std::isfinite(z));
  });
}

TEST_F(CascadingRandomisation, IsUndoneAlsoAfterAnError) {
  randomise_cascading(network, 1, [](const std::string&) {});
  EXPECT_THAT(changed(before, values_of(network)), ElementsAre());
  EXPECT_THROW(randomise_cascading(network, 1, [](const std::string&) { fail("enough"); }), Error);
  EXPECT_THAT(changed(before, values_of(network)), ElementsAre());
}

TEST_F(CascadingRandomisation, DependsOnTheSeedAlone) {
  EXPECT_EQ(states(1), states(1));
  EXPECT_NE(states(1), states(2));
}

TEST_F(CascadingRandomisation, OfFloatsOnTheCpu) {
  Random floats(7, "layers");
  const auto shared = std::make_shared<Layers>(nn::Init{floats, cpu_device(), DType::f32, nn::normal(0.3)});
  nn::NetworkClassifier classifier(shared, 5);
  const Tensor x = Tensor::full(Shape{2, 4, 4, 2}, 1, DType::f32, cpu_device());
  const nn::Question question{classes_of({0, 3}).to(cpu_device())};
  const std::vector<double> scores = nn::scores(classifier, x, question).to_doubles();
  std::vector<std::vector<double>> seen = {scores};
  std::vector<State> after;
  randomise_cascading(*shared, 1, [&](const std::string&) {
    seen.push_back(nn::scores(classifier, x, question).to_doubles());
    after.push_back(values_of(*shared));
    EXPECT_NE(seen.back(), seen[seen.size() - 2]);
  });
  EXPECT_EQ(nn::scores(classifier, x, question).to_doubles(), scores);
  // The numbers that the reference device has, in another precision.
  const State in_double = states(1).back();
  expect_all_near(after.back().at("features.conv.weight"), in_double.at("features.conv.weight"), 1e-5);
}

TEST(RankSimilarity, ByHand) {
  const Tensor a = f64({1, 2, 3, -4, 0, 0, 0, 0}, {2, 2, 2, 1});
  const Tensor b = f64({1, 2, 3, 4, 1, 2, 3, 4}, {2, 2, 2, 1});
  const RankSimilarity found = rank_similarity(a, b);
  // Ranks 2 3 4 1 against 1 2 3 4: 1 - 6 (1 + 1 + 1 + 9) / (4 * 15).
  expect_all_near(found.values, {-0.2, 0}, 1e-12);
  expect_all_near(found.magnitudes, {1, 0}, 1e-12);
  EXPECT_THROW(rank_similarity(a, f64({1, 2, 3, 4}, {1, 2, 2, 1})), Error);
}

}  // namespace
}  // namespace counterfoil::metrics
