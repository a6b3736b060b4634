#include <cstring>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "autograd/ops.h"
#include "tests/autograd/vectors.h"

namespace counterfoil {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

Tensor values(const std::vector<double>& numbers, const Shape& shape) {
  return Tensor::from(numbers, shape, reference_device());
}

/// An operation that passes its input on and calls a function when it is differentiated.
Variable observed(const Variable& x, std::function<void(const Node&, const Needs&)> observe) {
  return record("observed", x.value(), {x},
                [=](const Node& node, const Variable& d_y, const Needs& needs) -> Variables {
                  observe(node, needs);
                  return {d_y};
                });
}

TEST(Engine, AddsTheGradientsOfEveryPathOfADiamond) {
  const Variable x = leaf({0.5, -2});
  const Variable a = affine(x, 3, 0);
  const Variable b = square(x);
  const Variables d = grad({sum(a * b + b)}, {x});
  // 3 x^3 + x^2
  EXPECT_THAT(numbers(d[0]), ElementsAre(DoubleNear(9 * 0.25 + 1, 1e-15), DoubleNear(9 * 4.0 - 4, 1e-14)));
}

TEST(Engine, SumsManyContributionsWithoutTouchingGradientsSharedWithOthers) {
  // add() hands the same gradient to both terms; adding to one of them in place would change the other.
  const Variable a = leaf({1, 1});
  const Variable b = leaf({1, 1});
  const Variable early = a + b;
  const Variable late = affine(a, 2, 0) + affine(a, 3, 0) + affine(a, 4, 0);
  const Variables late_first = grad({sum(early) + sum(late)}, {a, b});
  EXPECT_THAT(numbers(late_first[0]), ElementsAre(10, 10));
  EXPECT_THAT(numbers(late_first[1]), ElementsAre(1, 1));

  const Variable tripled = affine(a, 2, 0) + affine(a, 3, 0) + affine(a, 4, 0);
  const Variable joined = a + b;
  const Variables shared_first = grad({sum(tripled) + sum(joined)}, {a, b, joined});
  EXPECT_THAT(numbers(shared_first[0]), ElementsAre(10, 10));
  EXPECT_THAT(numbers(shared_first[1]), ElementsAre(1, 1));
  EXPECT_THAT(numbers(shared_first[2]), ElementsAre(1, 1));
}

TEST(Engine, GivesZerosForAnInputThatTheOutputDoesNotDependOn) {
  const Variable x = leaf({1, 2});
  const Variable unused = leaf({3, 4, 5});
  const Variables d = grad({sum(x)}, {unused, x});
  EXPECT_THAT(numbers(d[0]), ElementsAre(0, 0, 0));
  EXPECT_THAT(numbers(d[1]), ElementsAre(1, 1));
}

TEST(Engine, DifferentiatesWithRespectToComputedVariablesAndRepeatedOnes) {
  const Variable x = leaf({2});
  const Variable h = square(x);
  const Variable y = square(h);
  const Variables d = grad({y, h}, {h, x, h, y});
  EXPECT_THAT(numbers(d[0]), ElementsAre(2 * 4 + 1));
  EXPECT_THAT(numbers(d[1]), ElementsAre((2 * 4 + 1) * 4));
  EXPECT_THAT(numbers(d[2]), ElementsAre(2 * 4 + 1));
  EXPECT_THAT(numbers(d[3]), ElementsAre(1));
}

TEST(Engine, WeighsOutputsByTheirGivenGradients) {
  const Variable x = leaf({2, 3});
  const Variables d = grad({square(x), sum(x)}, {x}, {.d_outputs = {values({10, 100}, {2}), Variable()}});
  EXPECT_THAT(numbers(d[0]), ElementsAre(10 * 4 + 1, 100 * 6 + 1));
}

TEST(Engine, DifferentiatesAgainAndAgain) {
  const Variable x = leaf({1.5});
  const Variable first = grad({square(square(x))}, {x}, {.create_graph = true})[0];
  const Variable second = grad({first}, {x}, {.create_graph = true})[0];
  const Variable third = grad({second}, {x}, {.create_graph = true})[0];
  const Variable fourth = grad({third}, {x})[0];
  EXPECT_DOUBLE_EQ(first.item(), 4 * 1.5 * 1.5 * 1.5);
  EXPECT_DOUBLE_EQ(second.item(), 12 * 1.5 * 1.5);
  EXPECT_DOUBLE_EQ(third.item(), 24 * 1.5);
  EXPECT_DOUBLE_EQ(fourth.item(), 24);
}

TEST(Engine, FirstOrderGradientsAreConstants) {
  const Variable x = leaf({1.5});
  const Variable d = grad({square(x)}, {x})[0];
  EXPECT_FALSE(d.requires_grad());
  EXPECT_THAT([&] { grad({d}, {d}); }, ThrowsMessage<Error>(HasSubstr("input 0 is a constant")));
}

TEST(Engine, RefusesAFreedGraph) {
  const Variable x = leaf({1.5});
  const Variable h = square(x);
  const Variable y = exp(h);
  grad({y}, {x});
  EXPECT_THAT([&] { grad({y}, {x}); }, ThrowsMessage<Error>(HasSubstr("backward through a freed graph: exp")));
  EXPECT_THAT([&] { grad({affine(h, 2, 0)}, {x}); }, ThrowsMessage<Error>(HasSubstr("square")));
  // What lies above the freed part is still there.
  EXPECT_DOUBLE_EQ(grad({affine(h, 2, 0)}, {h})[0].item(), 2);
}

TEST(Engine, KeepsTheGraphWhenAskedAndWhereItDidNotGo) {
  const Variable x = leaf({1.5});
  const Variable weight = leaf({2});
  const Variable h = square(x);
  const Variable y = h * weight;
  const double before = grad({y}, {x}, {.retain_graph = true})[0].item();
  EXPECT_EQ(grad({y}, {weight})[0].item(), 2.25);  // frees y's node, not h's
  EXPECT_EQ(grad({h}, {x})[0].item(), 3);
  EXPECT_EQ(before, 6);
}

TEST(Engine, RefusesValuesChangedInPlace) {
  const Variable x = leaf({1.5});
  const Variable y = square(x);
  Tensor storage = x.value();
  fill(storage, 7);
  EXPECT_THAT([&] { grad({y}, {x}); }, ThrowsMessage<Error>(HasSubstr("input 0 of square, shape [1], was changed")));

  const Variable z = exp(x);
  Tensor result = z.value();
  fill(result, 7);
  EXPECT_THAT([&] { grad({z}, {x}); }, ThrowsMessage<Error>(HasSubstr("the result of exp")));

  Variable fresh = leaf({1.5});
  const Variable w = square(fresh);
  fresh.set_value(values({3}, {1}));
  EXPECT_THAT([&] { grad({w}, {fresh}); }, ThrowsMessage<Error>(HasSubstr("was changed")));
  EXPECT_EQ(grad({square(fresh)}, {fresh})[0].item(), 6);
}

TEST(Engine, SaysWhatIsWrongWithItsArguments) {
  const Variable x = leaf({1, 2});
  const Variable y = square(x);
  EXPECT_THAT([&] { grad({y}, {x}); }, ThrowsMessage<Error>(HasSubstr("output 0 has shape [2]; give d_outputs")));
  EXPECT_THAT([&] { grad({y}, {x}, {.d_outputs = {values({1}, {1})}}); },
              ThrowsMessage<Error>(HasSubstr("d_outputs[0] has shape [1], its output [2]")));
  EXPECT_THAT([&] { grad({sum(y)}, {x, x.detach()}); }, ThrowsMessage<Error>(HasSubstr("input 1 is a constant")));
  EXPECT_THAT([&] { grad({sum(y)}, {Variable()}); }, ThrowsMessage<Error>(HasSubstr("input 0 is undefined")));
  EXPECT_THAT([&] { grad({Variable()}, {x}); }, ThrowsMessage<Error>(HasSubstr("output 0 is undefined")));
  EXPECT_THAT([&] { Variable(y).set_value(values({1, 2}, {2})); }, ThrowsMessage<Error>(HasSubstr("result of square")));
  EXPECT_THAT([&] { Variable(x).set_value(values({1}, {1})); }, ThrowsMessage<Error>(HasSubstr("expected f64 [2]")));
}

TEST(Engine, ComputesOnlyThePathsToTheRequestedInputs) {
  const Variable x = leaf({1});
  const Variable frozen = leaf({2});
  int visits = 0;
  const Variable behind = observed(frozen, [&](const Node&, const Needs&) { ++visits; });
  Needs seen;
  const Variable product =
      record("product", x.value(), {x, behind}, [&](const Node&, const Variable& d_y, const Needs& needs) -> Variables {
        seen = needs;
        return {d_y, needs[1] ? d_y : Variable()};
      });
  grad({product}, {x}, {.retain_graph = true});
  EXPECT_THAT(seen, ElementsAre(true, false));
  EXPECT_EQ(visits, 0);
  grad({product}, {x, frozen});
  EXPECT_THAT(seen, ElementsAre(true, true));
  EXPECT_EQ(visits, 1);
}

TEST(Engine, GoesFromTheYoungestOperationToTheOldest) {
  const Variable x = leaf({1});
  std::vector<int> visited;
  const auto step = [&](const Variable& input, int name) {
    return observed(input, [&visited, name](const Node&, const Needs&) { visited.push_back(name); });
  };
  const Variable a = step(x, 1);
  const Variable b = step(x, 2);
  const Variable c = step(a, 3);
  const Variable d = step(b, 4);
  grad({d, c}, {x});
  EXPECT_THAT(visited, ElementsAre(4, 3, 2, 1));
}

TEST(Engine, StopsAtAnUndefinedGradient) {
  const Variable x = leaf({1});
  int visits = 0;
  const Variable below = observed(x, [&](const Node&, const Needs&) { ++visits; });
  const Variable blocked = record("blocked", below.value(), {below},
                                  [](const Node&, const Variable&, const Needs&) -> Variables { return {Variable()}; });
  EXPECT_EQ(grad({blocked}, {x})[0].item(), 0);
  EXPECT_EQ(visits, 0);
}

TEST(Engine, RefusesGradientsOfTheWrongShapeOrNumber) {
  const Variable x = leaf({1, 2});
  const auto with_rule = [&](const BackwardRule& rule) { return sum(record("custom", x.value(), {x}, rule)); };
  const Variable short_one =
      with_rule([](const Node&, const Variable&, const Needs&) -> Variables { return {values({1}, {1})}; });
  EXPECT_THAT([&] { grad({short_one}, {x}); },
              ThrowsMessage<Error>(HasSubstr("the rule of custom returned f64 [1] as the gradient of input 0")));
  const Variable none = with_rule([](const Node&, const Variable&, const Needs&) -> Variables { return {}; });
  EXPECT_THAT([&] { grad({none}, {x}); }, ThrowsMessage<Error>(HasSubstr("returned 0 gradients for 1 inputs")));
}

TEST(Recording, IsOffUnderNoGradOnThisThreadAlone) {
  const Variable x = leaf({1});
  {
    const NoGrad off;
    EXPECT_FALSE(is_recording());
    EXPECT_FALSE(square(x).requires_grad());
    bool elsewhere = false;
    std::thread([&] { elsewhere = is_recording(); }).join();
    EXPECT_TRUE(elsewhere);
    { const NoGrad nested; }
    EXPECT_FALSE(is_recording());
  }
  EXPECT_TRUE(is_recording());
  EXPECT_TRUE(square(x).requires_grad());
  EXPECT_FALSE(square(x.detach()).requires_grad());
}

TEST(Recording, IsOnInABackwardPassOnlyWithCreateGraph) {
  const Variable x = leaf({1});
  bool recorded = true;
  const Variable y = observed(x, [&](const Node&, const Needs&) { recorded = is_recording(); });
  grad({y}, {x}, {.retain_graph = true});
  EXPECT_FALSE(recorded);
  grad({y}, {x}, {.create_graph = true});
  EXPECT_TRUE(recorded);
  const Variable failing = observed(x, [](const Node&, const Needs&) { fail("no"); });
  EXPECT_THROW(grad({failing}, {x}), Error);
  EXPECT_TRUE(is_recording());
}

TEST(Tape, NamesOperationsAndShowsTheirInputsAndSettings) {
  const Variable x = Variable::leaf(Tensor::full({1, 5, 5, 2}, 1, DType::f64, reference_device()));
  const Variable weight = Variable::leaf(Tensor::full({3, 3, 3, 2}, 1, DType::f64, reference_device()));
  const Variable y = conv2d(x, weight, {}, Conv2dGeometry::square(2, 1), Activation::leaky_relu, 0.2);
  const auto node = y.node();
  ASSERT_NE(node, nullptr);
  EXPECT_EQ(node->op(), "conv2d");
  ASSERT_EQ(node->inputs().size(), 2u);
  EXPECT_EQ(node->input(0), x);
  EXPECT_EQ(node->input(1), weight);
  EXPECT_EQ(node->output(), y);
  EXPECT_EQ(node->attribute<ConvolutionAttribute>().geometry, Conv2dGeometry::square(2, 1));
  EXPECT_EQ(node->attribute<ConvolutionAttribute>().slope, 0.2);
  EXPECT_THAT([&] { (void)node->attribute<PoolGeometry>(); }, ThrowsMessage<Error>(HasSubstr("conv2d")));
  EXPECT_EQ(x.node(), nullptr);
  EXPECT_EQ(y.detach().node(), nullptr);
}

TEST(Tape, DifferentiatesAndDestroysAGraphOfAMillionOperations) {
  const Variable x = leaf({0});
  Variable y = x;
  for (int i = 0; i < 1'000'000; ++i) y = affine(y, 1, 1);
  EXPECT_EQ(y.item(), 1e6);
  EXPECT_EQ(grad({y}, {x}, {.retain_graph = true})[0].item(), 1);
  y = Variable();  // destroys the whole graph without a call stack to match
  EXPECT_EQ(grad({square(x)}, {x})[0].item(), 0);
}

TEST(Tape, DestroysALongGraphHeldByTheRulesOfItsOperations) {
  Variable y = leaf({0});
  for (int i = 0; i < 200'000; ++i) {
    y = record("held", y.value(), {y},
               [y](const Node&, const Variable& d_y, const Needs&) -> Variables { return {d_y}; });
  }
  y = Variable();
}

TEST(Tape, FreesValuesAsTheBackwardPassGoes) {
  Device& device = reference_device();
  constexpr std::int64_t kElements = 1 << 16;
  constexpr std::size_t kBytes = kElements * sizeof(double);
  const Variable x = Variable::leaf(Tensor::full({kElements}, 1.0, DType::f64, device));
  const std::size_t before = device.memory_use().in_use;
  std::size_t at_the_bottom = 0;
  Variable h = observed(x, [&](const Node&, const Needs&) { at_the_bottom = device.memory_use().in_use - before; });
  for (int i = 0; i < 20; ++i) h = square(h);
  const Variable y = sum(h);
  h = Variable();
  EXPECT_GE(device.memory_use().in_use - before, 20 * kBytes);
  const Variables d = grad({y}, {x});
  EXPECT_LE(at_the_bottom, 3 * kBytes);
  EXPECT_LE(device.memory_use().in_use - before, kBytes + 1024);
}

TEST(Tape, AllocatesNothingNewInTheSteadyState) {
  Device& device = reference_device();
  const Variable x = leaf({1, 2, 3, 4});
  const auto step = [&] { return grad({sum(exp(square(x)) * x + x)}, {x})[0]; };
  for (int i = 0; i < 3; ++i) step();
  const std::size_t before = device.memory_use().system_calls;
  for (int i = 0; i < 10; ++i) step();
  EXPECT_EQ(device.memory_use().system_calls, before);
}

TEST(Tape, RepeatsBitForBit) {
  const Variable x = leaf({0.1, 0.7, -1.3});
  const auto run = [&] {
    const Variable h = tanh(x) * sigmoid(x) + exp(x) / (square(x) + 1);
    return numbers(grad({sum(h * h + sin(h) + h)}, {x})[0]);
  };
  const std::vector<double> first = run();
  const std::vector<double> second = run();
  EXPECT_EQ(std::memcmp(first.data(), second.data(), first.size() * sizeof(double)), 0);
}

}  // namespace
}  // namespace counterfoil
