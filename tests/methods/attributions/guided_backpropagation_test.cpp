#include "methods/attributions/guided_backpropagation.h"

#include <functional>

#include <gmock/gmock.h>

#include "tests/methods/attributions/closed_forms.h"
#include "tests/methods/attributions/small_net.h"

namespace counterfoil::methods {
namespace {

using testing::ElementsAre;

/// One logit per image: the sum over features of w_k a(x_k), for w = 2, -3, 2, -3, ...
class WeightedActivations final : public nn::Classifier {
 public:
  explicit WeightedActivations(std::function<Variable(const Variable&)> activation)
      : activation_(std::move(activation)) {}
  Variable logits(const Variable& x) override {
    const Variable flat = flatten(x);
    std::vector<double> weight;
    for (std::int64_t i = 0; i < flat.shape()[1]; ++i) weight.push_back(i % 2 == 0 ? 2 : -3);
    const Variable last(f64(weight, {flat.shape()[1], 1}));
    return matmul(activation_(flat), last);
  }
  int class_count() const override { return 2; }
  bool single_logit() const override { return true; }

 private:
  std::function<Variable(const Variable&)> activation_;
};

std::vector<double> guided_gradient(const std::function<Variable(const Variable&)>& activation) {
  WeightedActivations f(activation);
  const Tensor x = f64({1, 1, -1, -1}, {1, 1, 1, 4});
  return GuidedBackpropagation().attribute(f, x, {labels_of({1}), {}, {}}).values.to_doubles();
}

TEST(GuidedBackpropagation, RectifiersPassWhatIsPositiveOnBothSides) {
  EXPECT_THAT(guided_gradient([](const Variable& x) { return relu(x); }), ElementsAre(2, 0, 0, 0));
  EXPECT_THAT(guided_gradient([](const Variable& x) { return leaky_relu(x, 0.2); }), ElementsAre(2, 0, 0, 0));
  EXPECT_THAT(guided_gradient([](const Variable& x) { return elu(x, 1); }), ElementsAre(2, 0, 0, 0));
}

TEST(GuidedBackpropagation, FusedRectifiersAreRectifiers) {
  const Variable unit(f64({1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}, {4, 4}));
  for (const Activation activation : {Activation::relu, Activation::leaky_relu}) {
    EXPECT_THAT(guided_gradient([&](const Variable& x) { return linear(x, unit, {}, activation, 0.2); }),
                ElementsAre(2, 0, 0, 0));
    EXPECT_THAT(guided_gradient([&](const Variable& x) {
                  const Variable image = reshape(x, {1, 1, 4, 1}), weight(f64({1}, {1, 1, 1, 1}));
                  return flatten(conv2d(image, weight, {}, {}, activation, 0.2));
                }),
                ElementsAre(2, 0, 0, 0));
    EXPECT_THAT(guided_gradient([&](const Variable& x) {
                  const Variable image = reshape(x, {1, 1, 4, 1}), one(f64({1}, {1})), zero(f64({0}, {1}));
                  const Tensor mean = f64({0}, {1, 1}), variance = f64({1}, {1, 1});
                  return flatten(normalise_with(image, one, zero, mean, variance, 0, activation, 0.2));
                }),
                ElementsAre(2, 0, 0, 0));
  }
}

TEST(GuidedBackpropagation, OtherActivationsKeepTheirDerivatives) {
  EXPECT_THAT(guided_gradient([](const Variable& x) { return x; }), ElementsAre(2, -3, 2, -3));
  const double slope = 1 - std::tanh(1) * std::tanh(1);
  for (const std::vector<double>& found :
       {guided_gradient([](const Variable& x) { return tanh(x); }), guided_gradient([](const Variable& x) {
          const Variable unit(f64({1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}, {4, 4}));
          return linear(x, unit, {}, Activation::tanh);
        })}) {
    for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(found[i], (i % 2 == 0 ? 2 : -3) * slope, 1e-14);
  }
}

TEST(GuidedBackpropagation, MatchesCaptum) {
  SmallProblem small, single(cpu_device());
  for (const std::string& name : small_problem_cases()) {
    const nn::GoldenCase golden = small_problem_case(name);
    const Tensor found =
        GuidedBackpropagation().attribute(small.classifier, small.x, SmallProblem::question(golden)).values;
    expect_relative(found, golden.at("guided"), 1e-12, name);
    const nn::Question question = SmallProblem::question(golden, cpu_device());
    const Tensor on_cpu = GuidedBackpropagation().attribute(single.classifier, single.x, question).values;
    expect_relative(on_cpu, golden.at("guided"), 1e-5, name + " in single precision");
  }
}

}  // namespace
}  // namespace counterfoil::methods
