#include "nn/module.h"

#include "nn/linear.h"
#include "nn/module_list.h"
#include "tests/nn/golden.h"

namespace counterfoil::nn {
namespace {

/// Two linear layers in a list, one parameter and one buffer of its own.
struct Small : Module {
  explicit Small(const Init& init) {
    layers.add(init, 3, 2);
    layers.add(init, 2, 1);
    scale = register_parameter("scale", Tensor::full(Shape{1}, 2, init.dtype, init.device));
    register_child("layers", layers);
    average = Tensor::zeros(Shape{2}, init.dtype, init.device);
    register_buffer("average", average);
  }
  using Module::register_buffer;
  ModuleList<Linear> layers;
  Variable scale;
  Tensor average;
};

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Module, NamesParametersInOrderOfRegistration) {
  TestInit init;
  Small module(init);
  std::vector<std::string> names;
  for (const auto& [name, variable] : module.named_parameters("g.")) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"g.scale", "g.layers.0.weight", "g.layers.0.bias", "g.layers.1.weight",
                                             "g.layers.1.bias"}));
  EXPECT_EQ(module.parameter_count(), 1 + 6 + 2 + 2 + 1);
  ASSERT_EQ(module.named_buffers().size(), 1U);
  EXPECT_EQ(module.named_buffers().front().first, "average");
}

TEST(Module, StateGoesRoundThroughAFile) {
  TestInit init;
  Small source(init), target(init);
  source.average = f64({5, 6}, {2});
  const std::filesystem::path file = std::filesystem::path(COUNTERFOIL_BINARY_DIR) / "nn_module_state.safetensors";
  write_safetensors(file, {source.state("g."), {}});
  const Variable held = target.layers[0].weight();
  target.load_state(read_safetensors(file, reference_device()).tensors, "g.");
  for (const auto& [name, tensor] : source.state()) {
    EXPECT_EQ(target.state().at(name).to_doubles(), tensor.to_doubles()) << name;
  }
  EXPECT_EQ(held.value().to_doubles(), source.layers[0].weight().value().to_doubles()) << "an optimiser's copy";
  std::filesystem::remove(file);
}

TEST(Module, StateIsACopy) {
  TestInit init;
  Small module(init);
  auto state = module.state();
  const double before = module.scale.item();
  module.load_state(state);
  state.at("scale").mutable_view().as<double>()[0] = 100;
  EXPECT_EQ(module.scale.item(), before);
}

TEST(Module, ConvertsBetweenFloatingTypes) {
  TestInit init;
  Small module(init);
  auto state = module.state();
  state.at("scale") = Tensor::from(std::vector<float>{0.5F}, Shape{1}, reference_device());
  module.load_state(state);
  EXPECT_EQ(module.scale.item(), 0.5);
  EXPECT_EQ(module.scale.dtype(), DType::f64);
}

TEST(Module, RefusesAStateThatDoesNotFitAndChangesNothing) {
  TestInit init;
  Small module(init);
  const auto whole = module.state();

  auto missing = whole;
  missing["layers.0.weights"] = missing.at("layers.0.weight");
  missing.erase("layers.0.weight");
  missing.at("scale") = f64({77}, {1});
  EXPECT_EQ(message_of([&] { module.load_state(missing); }),
            "the tensor 'layers.0.weight' is missing; the nearest name there is 'layers.0.weights'");

  auto unexpected = whole;
  unexpected["layers.1.biass"] = f64({1}, {1});
  EXPECT_EQ(message_of([&] { module.load_state(unexpected); }),
            "the tensor 'layers.1.biass' is not expected; the nearest name there is 'layers.1.bias'");

  auto reshaped = whole;
  reshaped.at("layers.0.weight") = f64(std::vector<double>(6), {3, 2});
  EXPECT_EQ(message_of([&] { module.load_state(reshaped); }),
            "tensor 'layers.0.weight': expected shape [2, 3], found [3, 2]");

  auto integers = whole;
  integers.at("scale") = labels_of({1});
  EXPECT_EQ(message_of([&] { module.load_state(integers); }), "tensor 'scale': expected f64, found i32");

  EXPECT_EQ(module.scale.item(), whole.at("scale").item());
}

TEST(Module, OtherPrefixesAreNoneOfItsBusiness) {
  TestInit init;
  Small module(init);
  auto state = module.state("f.");
  state["g.scale"] = f64({1}, {1});
  EXPECT_NO_THROW(module.load_state(state, "f."));
}

TEST(Module, RefusesTwoEntriesOfOneName) {
  TestInit init;
  Small module(init);
  Tensor more;
  EXPECT_THROW(module.register_buffer("scale", more), Error);
}

}  // namespace
}  // namespace counterfoil::nn
