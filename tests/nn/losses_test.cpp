#include "nn/losses.h"

#include "autograd/matmul.h"
#include "autograd/ops.h"
#include "nn/models/syce_discriminator.h"
#include "tests/nn/finite_differences.h"
#include "tests/nn/golden.h"

namespace counterfoil::nn {
namespace {

using Roles = std::map<std::string, Variable>;

Variable convolved(const Variable& x, const Roles& p, int i, int stride) {
  const std::string number = std::to_string(i);
  const Variable bias = p.contains("bias" + number) ? p.at("bias" + number) : Variable();
  return conv2d(x, p.at("conv" + number), bias, Conv2dGeometry::square(stride, 1));
}

Variable head(const Variable& h, const Roles& p) {
  return linear(flatten(h), p.at("linear"), p.at("linear_bias"));
}

Variable strided_leaky(const Variable& x, const Roles& p) {
  const Variable h = leaky_relu(convolved(x, p, 1, 2), 0.2);
  return head(leaky_relu(convolved(h, p, 2, 2), 0.2), p);
}

Variable smooth(const Variable& x, const Roles& p) {
  const Variable h = avg_pool(tanh(convolved(x, p, 1, 1)), PoolGeometry::square(2, 2));
  return head(sigmoid(convolved(h, p, 2, 2)), p);
}

Variable instance_normed(const Variable& x, const Roles& p) {
  NormAttribute norm;
  norm.activation = Activation::leaky_relu;
  norm.slope = 0.2;
  norm.per_image = true;
  return head(convolved(normalise(convolved(x, p, 1, 1), p.at("gamma"), p.at("beta"), norm), p, 2, 2), p);
}

Variable pooled(const Variable& x, const Roles& p) {
  const Variable h = max_pool(softplus(convolved(x, p, 1, 1)), PoolGeometry::square(2, 2));
  return head(global_sum_pool(tanh(convolved(upsample2x(h), p, 2, 1))), p);
}

TEST(GradientPenalty, ValueAndWeightGradientsMatchGolden) {
  const std::map<std::string, Variable (*)(const Variable&, const Roles&)> critics = {
      {"strided_leaky", strided_leaky},
      {"strided_leaky_batch1", strided_leaky},
      {"smooth", smooth},
      {"instance_norm", instance_normed},
      {"max_pool", pooled}};
  for (const std::string& name : golden_cases("gradient_penalty")) {
    const GoldenCase golden("gradient_penalty", name);
    Roles parameters;
    for (const char* role : {"conv1", "bias1", "gamma", "beta", "conv2", "bias2", "linear", "linear_bias"}) {
      if (golden.has(role)) parameters[role] = Variable::leaf(golden.at(role));
    }
    const Variable real(golden.at("real")), fake(golden.at("fake")), u(golden.at("u"));
    const Variable penalty = gradient_penalty([&](const Variable& x) { return critics.at(name)(x, parameters); },
                                              (real + u * (fake - real)).value());
    expect_close(penalty.value(), golden.at("y"), name);
    Variables wanted;
    for (const auto& [role, variable] : parameters) wanted.push_back(variable);
    const Variables gradients = grad({penalty}, wanted);
    std::size_t i = 0;
    for (const auto& [role, variable] : parameters) {
      expect_close(gradients[i++].value(), golden.at("d_" + role), name + ".d_" + role, 1e-9);
    }
  }
}

TEST(GradientPenalty, GradientOfTheDiscriminatorsWeightsMatchesDifferences) {
  TestInit init;
  SyceDiscriminator critic(init, {.image = {6, 5, 1}, .widths = {3, 2}});
  jitter(critic, init.random);
  const Tensor real = init.random.uniform({2, 6, 5, 1}, 0, 1, reference_device(), DType::f64);
  const Tensor fake = init.random.uniform({2, 6, 5, 1}, 0, 1, reference_device(), DType::f64);
  const auto penalty = [&] {
    Random random(3, "u");
    return gradient_penalty([&](const Variable& x) { return critic.forward(x, Pass::eval()); }, real, fake, random);
  };
  expect_gradient(penalty, critic.parameters(), 1e-6, 30);
  double largest = 0;
  for (const Variable& g : grad({penalty()}, critic.parameters())) {
    for (const double value : g.value().to_doubles()) largest = std::max(largest, std::abs(value));
  }
  EXPECT_GT(largest, 1e-3) << "a penalty that nothing can lower tests nothing";
}

// The critic a x has the gradient a everywhere.
TEST(GradientPenalty, OneSidedSparesSmallGradients) {
  const Tensor x = f64({1, 2}, {2, 1});
  const auto penalty = [&](double slope, bool one_sided) {
    return gradient_penalty([&](const Variable& at) { return at * slope; }, x, {.one_sided = one_sided}).item();
  };
  EXPECT_NEAR(penalty(3, false), 4, 1e-9);
  EXPECT_NEAR(penalty(3, true), 4, 1e-9);
  EXPECT_NEAR(penalty(0.5, false), 0.25, 1e-9);
  EXPECT_EQ(penalty(0.5, true), 0);
}

TEST(GradientPenalty, IsFiniteWhereTheGradientVanishes) {
  const Variable w = Variable::leaf(f64({0}, {1, 1}));
  const Variable penalty = gradient_penalty([&](const Variable& x) { return linear(x, w); }, f64({1, 2}, {2, 1}));
  EXPECT_NEAR(penalty.item(), 1, 1e-5);
  EXPECT_TRUE(std::isfinite(grad({penalty}, {w}).front().item()));
}

TEST(GradientPenalty, RefusesBatchesThatDiffer) {
  TestInit init;
  EXPECT_THROW(
      gradient_penalty([](const Variable& x) { return x; }, f64({1, 2}, {2, 1}), f64({1}, {1, 1}), init.random), Error);
}

TEST(AdversarialLosses, MatchGolden) {
  const std::map<std::string, Variable (*)(const Variable&, const Variable&)> both = {
      {"non_saturating_discriminator", gan_discriminator}, {"wasserstein_critic", wasserstein_critic}};
  for (const auto& [name, function] : both) {
    const GoldenCase golden("losses", name);
    const Variable real = Variable::leaf(golden.at("real")), fake = Variable::leaf(golden.at("fake"));
    const Variable y = function(real, fake);
    expect_close(y.value(), golden.at("y"), name);
    const Variables gradients = grad({y}, {real, fake});
    expect_close(gradients[0].value(), golden.at("d_real"), name + ".d_real");
    expect_close(gradients[1].value(), golden.at("d_fake"), name + ".d_fake");
  }
  const GoldenCase golden("losses", "non_saturating_generator");
  const Variable fake = Variable::leaf(golden.at("fake"));
  const Variable y = gan_generator(fake);
  expect_close(y.value(), golden.at("y"), "generator");
  expect_close(grad({y}, {fake}).front().value(), golden.at("d_fake"), "generator.d_fake");
  EXPECT_EQ(wasserstein_generator(Variable(f64({1, 3}, {2, 1}))).item(), -2);
}

}  // namespace
}  // namespace counterfoil::nn
