#include "nn/spectral_norm.h"

#include "autograd/pointwise.h"
#include "autograd/reduction.h"
#include "nn/conv2d.h"
#include "nn/embedding.h"
#include "nn/linear.h"
#include "tests/nn/finite_differences.h"
#include "tests/nn/golden.h"

namespace counterfoil::nn {
namespace {

const Pass kMoving{.training = true};
const Pass kStill{.training = true, .update_statistics = false};

TEST(SpectralNorm, MatchesGolden) {
  for (const std::string& name : golden_cases("spectral_norm")) {
    const GoldenCase golden("spectral_norm", name);
    TestInit init;
    SpectralNorm norm(init, golden.at("weight"), golden.attribute<int>("iterations"), golden.attribute<double>("eps"));
    norm.u = golden.at("u");
    const Variable weight = Variable::leaf(golden.at("weight"));
    const Variable y = norm.apply(weight, kMoving);
    expect_close(y.value(), golden.at("y"), name);
    expect_close(norm.u, golden.at("u_after"), name + ".u");
    expect_close(norm.v, golden.at("v_after"), name + ".v");
    const Variables gradients = grad({y}, {weight}, {.d_outputs = {Variable(golden.at("d_y"))}});
    expect_close(gradients.front().value(), golden.at("d_weight"), name + ".d_weight");
  }
}

// a b' has the one singular value |a| |b|; the rotation by 0.6, 0.8 leaves the singular values 3 and 1 of diag(3, 1).
TEST(SpectralNorm, DividesByTheLargestSingularValue) {
  TestInit init;
  const Tensor outer = f64({3, 6, 0, 4, 8, 0}, {2, 3});  // (3,4)' (1,2,0)
  SpectralNorm of_outer(init, outer);
  expect_close(of_outer.apply(Variable(outer), Pass::eval()).value(),
               f64({3 / std::sqrt(125), 6 / std::sqrt(125), 0, 4 / std::sqrt(125), 8 / std::sqrt(125), 0}, {2, 3}),
               "rank one");

  const Tensor rotated = f64({1.8, -0.8, 2.4, 0.6}, {2, 2});
  SpectralNorm of_rotated(init, rotated);
  expect_close(of_rotated.apply(Variable(rotated), kMoving).value(), f64({0.6, -0.8 / 3, 0.8, 0.2}, {2, 2}), "rotated",
               1e-9);
}

TEST(SpectralNorm, MovesItsVectorsOnlyWhenTrainingAndAsked) {
  TestInit init;
  Linear layer(init, 5, 4, {.spectral_norm = true});
  const auto before = layer.state();
  const Variable x(f64(std::vector<double>(5, 1), {1, 5}));
  layer.forward(x, Pass::eval());
  layer.forward(x, kStill);
  EXPECT_EQ(layer.state().at("weight_u").to_doubles(), before.at("weight_u").to_doubles());
  EXPECT_EQ(layer.state().at("weight_v").to_doubles(), before.at("weight_v").to_doubles());
  layer.forward(x, kMoving);
  EXPECT_NE(layer.state().at("weight_v").to_doubles(), before.at("weight_v").to_doubles());
}

// A discriminator sees the real and the fake batch before one backward pass.
TEST(SpectralNorm, GraphOfAnEarlierPassOutlivesALaterOne) {
  TestInit init;
  Linear layer(init, 3, 2, {.spectral_norm = true});
  const Variable x(f64({1, 2, 3}, {1, 3}));
  const Variable first = sum(layer.forward(x, kMoving));
  const auto alone = grad({first}, {layer.weight()}, {.retain_graph = true}).front().value().to_doubles();
  layer.forward(x, kMoving);
  EXPECT_EQ(grad({first}, {layer.weight()}).front().value().to_doubles(), alone);
}

TEST(SpectralNorm, WrapsEveryKindOfWeight) {
  TestInit init;
  Conv2d conv(init, 2, 3, 3, {.geometry = Conv2dGeometry::square(2, 1), .spectral_norm = true});
  Embedding embedding(init, 4, 3, {.spectral_norm = true});
  std::vector<std::string> names;
  for (const auto& [name, tensor] : conv.state()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"bias", "weight_orig", "weight_u", "weight_v"}));

  const Variable x = Variable::leaf(init.random.normal({2, 5, 4, 2}, 0, 1, reference_device(), DType::f64));
  // u and v are constants of the derivative, so the difference quotient must hold them still too.
  expect_gradient([&] { return sum(square(conv.forward(x, kStill))); }, {x, conv.weight()});
  const Tensor index = labels_of({1, 3, 1});
  expect_gradient([&] { return sum(square(embedding.forward(index, kStill))); }, embedding.parameters());
}

}  // namespace
}  // namespace counterfoil::nn
