#include "nn/residual.h"

#include "autograd/pointwise.h"
#include "autograd/reduction.h"
#include "nn/models/ordinal_projection.h"
#include "tests/nn/finite_differences.h"
#include "tests/nn/golden.h"

namespace counterfoil::nn {
namespace {

const Pass kTraining{.training = true};

std::map<std::string, std::string> conv_roles(const GoldenCase& golden) {
  std::map<std::string, std::string> roles = {
      {"conv1.weight", "conv1"}, {"conv1.bias", "bias1"}, {"conv2.weight", "conv2"}, {"conv2.bias", "bias2"}};
  if (golden.has("skip")) roles.insert({{"skip.weight", "skip"}, {"skip.bias", "skip_bias"}});
  return roles;
}

TEST(Residual, BlocksMatchGolden) {
  const std::map<std::string, Resize> resizes = {{"same", Resize::none}, {"up", Resize::up}, {"down", Resize::down}};
  for (const std::string name : {"plain", "plain_widening", "down", "up"}) {
    const GoldenCase golden("blocks", name);
    const Shape& w = golden.at("conv1").shape();
    TestInit init;
    ResidualBlock block(
        init, w[3], w[0],
        {.resize = resizes.at(golden.attribute<std::string>("resize")), .epsilon = golden.attribute<double>("eps")});
    auto roles = conv_roles(golden);
    roles.insert(
        {{"norm1.weight", "gamma1"}, {"norm1.bias", "beta1"}, {"norm2.weight", "gamma2"}, {"norm2.bias", "beta2"}});
    golden.check(block, roles, [&](const Variable& x) { return block.forward(x, kTraining); });
  }
}

TEST(Residual, CriticBlocksMatchGolden) {
  for (const std::string& name : golden_cases("blocks", "discriminator")) {
    const GoldenCase golden("blocks", name);
    const Shape& w = golden.at("conv1").shape();
    TestInit init;
    CriticBlock block(init, w[3], w[0],
                      {.downsample = golden.attribute<std::string>("resize") == "down",
                       .first = golden.attribute<bool>("first"),
                       .spectral_norm = false});
    golden.check(block, conv_roles(golden), [&](const Variable& x) { return block.forward(x, kTraining); });
  }
}

TEST(Residual, ConditionalBlockWithEqualRowsIsTheUnconditionalOne) {
  TestInit init;
  ResidualBlock plain(init, 2, 3, {.resize = Resize::up});
  ResidualBlock conditional(init, 2, 3, {.resize = Resize::up, .classes = 2});
  auto state = plain.state();
  for (const char* name : {"norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"}) {
    std::vector<double> row =
        init.random.normal(state.at(name).shape(), 1, 0.5, reference_device(), DType::f64).to_doubles();
    state.at(name) = f64(row, state.at(name).shape());
  }
  plain.load_state(state);
  for (const char* name : {"norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"}) {
    std::vector<double> rows = state.at(name).to_doubles();
    const auto columns = static_cast<std::int64_t>(rows.size());
    rows.insert(rows.end(), rows.begin(), rows.end());
    state.at(name) = f64(rows, {2, columns});
  }
  conditional.load_state(state);
  const Variable x(init.random.normal({3, 4, 2, 2}, 0, 1, reference_device(), DType::f64));
  expect_close(conditional.forward(x, labels_of({0, 1, 1}), kTraining).value(), plain.forward(x, kTraining).value(),
               "conditional");
}

TEST(Residual, GradientsOfWholeBlocksMatchDifferences) {
  for (const Resize resize : {Resize::none, Resize::up, Resize::down}) {
    for (const bool training : {true, false}) {
      TestInit init;
      ResidualBlock block(init, 2, 3, {.resize = resize, .classes = 3});
      jitter(block, init.random);
      const Variable x = Variable::leaf(init.random.normal({2, 5, 4, 2}, 0, 1, reference_device(), DType::f64));
      Variables leaves = block.parameters();
      leaves.push_back(x);
      const Pass pass{.training = training, .update_statistics = false};
      const Tensor labels = labels_of({2, 0});
      expect_gradient([&] { return sum(square(block.forward(x, labels, pass))); }, leaves, 1e-5);
    }
  }
}

TEST(Residual, SaysWhenLabelsAreMissingOrTooMany) {
  TestInit init;
  ResidualBlock plain(init, 2, 2), conditional(init, 2, 2, {.classes = 3});
  const Variable x(Tensor::zeros({1, 2, 2, 2}, DType::f64, reference_device()));
  EXPECT_THROW(plain.forward(x, labels_of({0}), kTraining), Error);
  EXPECT_THROW(conditional.forward(x, kTraining), Error);
}

TEST(OrdinalProjection, MatchesGolden) {
  for (const std::string& name : golden_cases("blocks", "projection")) {
    const GoldenCase golden("blocks", name);
    TestInit init;
    OrdinalProjection head(init, golden.at("features").shape()[3],
                           {.bins = golden.attribute<std::int64_t>("bins"), .spectral_norm = false});
    golden.check(
        head, {{"psi.weight", "psi_weight"}, {"psi.bias", "psi_bias"}, {"thresholds.weight", "thresholds"}},
        [&](const Variable& x) { return head.forward(x, golden.labels("labels"), kTraining); }, "features");
  }
}

// phi = (1 + 2, 0 + 4) = (3, 4); psi = 2*3 - 1*4 + 0.5 = 2.5.
TEST(OrdinalProjection, MatchesAHandComputation) {
  TestInit init;
  const Tensor features = f64({1, -7, 2, 4, 1, -7, 2, 4, 1, -7, 2, 4}, {3, 1, 2, 2});
  const Tensor psi = f64({2, -1}, {1, 2}), bias = f64({0.5}, {1});

  OrdinalProjection separate(init, 2, {.bins = 3, .spectral_norm = false});
  separate.load_state({{"psi.weight", psi}, {"psi.bias", bias}, {"thresholds.weight", f64({1, 1, 10, 0}, {2, 2})}});
  // v_0 . phi = 7, v_1 . phi = 30: bin 0 passes no threshold, bin 1 the first, bin 2 both.
  expect_close(separate.forward(Variable(features), labels_of({0, 1, 2}), kTraining).value(),
               f64({2.5, 9.5, 39.5}, {3, 1}), "separate thresholds");

  OrdinalProjection shared(init, 2, {.bins = 3, .shared = true, .spectral_norm = false});
  shared.load_state({{"psi.weight", psi}, {"psi.bias", bias}, {"thresholds.weight", f64({1, 1, 10, 0}, {2, 2})}});
  // Not passed counts 7 each, passed 30 each.
  expect_close(shared.forward(Variable(features), labels_of({0, 1, 2}), kTraining).value(),
               f64({2.5 + 14, 2.5 + 37, 2.5 + 60}, {3, 1}), "shared thresholds");
}

}  // namespace
}  // namespace counterfoil::nn
