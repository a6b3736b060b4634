#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "autograd/ops.h"
#include "tests/autograd/vectors.h"

namespace counterfoil {
namespace {

using testing::ElementsAre;

/// Guided back-propagation: a ReLU passes positive gradients alone (Springenberg et al. 2015).
BackwardRules guided() {
  return {{"relu", [](const Node& node, const Variable& d_y, const Needs& needs) {
             return node.rule()(node, relu(d_y), needs);
           }}};
}

TEST(BackwardRules, ReplaceTheDerivativeOfAnOperationAndOfNothingElse) {
  const Variable x = leaf({1, 2, -3, 4});
  const Variable y = sum(relu(x) * Tensor::from(std::vector<double>{5, -6, 7, 8}, {4}, reference_device()));
  const BackwardRules rules = guided();
  EXPECT_THAT(numbers(grad({y}, {x}, {.retain_graph = true, .rules = &rules})[0]), ElementsAre(5, 0, 0, 8));
  EXPECT_THAT(numbers(grad({y}, {x}, {.retain_graph = true})[0]), ElementsAre(5, -6, 0, 8));
  const BackwardRules of_others = {{"tanh", guided().at("relu")}};
  EXPECT_THAT(numbers(grad({y}, {x}, {.rules = &of_others})[0]), ElementsAre(5, -6, 0, 8));
}

TEST(BackwardRules, ReachFunctionalAndReusedLayers) {
  // One layer called twice, with a ReLU that belongs to no module: y = relu(-relu(x W) W) . (1, -1) + 3 relu(x W) . (1,
  // 1)
  const Variable x = Variable::leaf(Tensor::from(std::vector<double>{1, 2}, {1, 2}, reference_device()));
  const Tensor weight = Tensor::from(std::vector<double>{1, 0, 0, -1}, {2, 2}, reference_device());
  const auto layer = [&](const Variable& input) { return relu(linear(input, weight)); };
  int calls = 0;
  const BackwardRules counting = {{"relu", [&](const Node& node, const Variable& d_y, const Needs& needs) {
                                     ++calls;
                                     return node.rule()(node, d_y, needs);
                                   }}};
  const Variable h = layer(x);  // (1, 0)
  const Variable y = sum(layer(-h)) + 3 * sum(h);
  EXPECT_THAT(numbers(grad({y}, {x}, {.retain_graph = true, .rules = &counting})[0]), ElementsAre(3, 0));
  EXPECT_EQ(calls, 2);
  // Negative gradients meet the lower ReLU: 3 - 5 becomes 0.
  const Variable z = 3 * sum(h) - 5 * sum(h);
  const BackwardRules rules = guided();
  EXPECT_THAT(numbers(grad({z}, {x}, {.retain_graph = true, .rules = &rules})[0]), ElementsAre(0, 0));
  EXPECT_THAT(numbers(grad({z}, {x})[0]), ElementsAre(-2, 0));
}

TEST(BackwardRules, ReadTheOutputAndSettingsOfTheNode) {
  // epsilon-LRP through a linear layer: R_in = x * (W' (R_out / z)), here without the epsilon.
  const Variable x = Variable::leaf(Tensor::from(std::vector<double>{1, 2, 3}, {1, 3}, reference_device()));
  const Tensor weight = Tensor::from(std::vector<double>{1, 1, 1, 0, 2, -1}, {2, 3}, reference_device());
  const BackwardRules rules = {{"matmul", [](const Node& node, const Variable& relevance, const Needs&) -> Variables {
                                  const auto& options = node.attribute<MatmulOptions>();
                                  EXPECT_TRUE(options.transpose_b);
                                  const Variable share = relevance / node.output();
                                  return {node.input(0) * matmul(share, node.input(1)), {}};
                                }}};
  const Variable y = linear(x, weight);  // (6, 1)
  const Variable relevance = grad({y}, {x}, {.rules = &rules, .d_outputs = {y.detach()}})[0];
  EXPECT_THAT(numbers(relevance), ElementsAre(1, 2 + 4, 3 - 3));  // sums to 7, as the outputs do
}

TEST(BackwardRules, CanBeDifferentiated) {
  const Variable x = leaf({2});
  const BackwardRules rules = {{"exp", [](const Node& node, const Variable& d_y, const Needs&) -> Variables {
                                  return {d_y * square(node.input(0))};
                                }}};
  const Variable d = grad({exp(x)}, {x}, {.create_graph = true, .rules = &rules})[0];
  EXPECT_EQ(d.item(), 4);
  EXPECT_EQ(grad({d}, {x})[0].item(), 4);
}

}  // namespace
}  // namespace counterfoil
