#include "methods/attributions/lrp.h"

#include <gmock/gmock.h>

#include "tests/methods/attributions/rule_networks.h"

namespace counterfoil::methods {
namespace {

using testing::DoubleNear;
using testing::HasSubstr;
using testing::Pointwise;

/// A method with nearly no epsilon.
std::unique_ptr<Lrp> exact(const std::string& rule = "epsilon", const std::string& input_rule = "same") {
  auto method = std::make_unique<Lrp>();
  method->rule = rule;
  method->input_rule = input_rule;
  method->epsilon = 1e-12;
  return method;
}

/// The relevance of the features of one image, of a classifier with one logit.
std::vector<double> of_one(const Lrp& method, const Functional::Logits& logits, const std::vector<double>& x) {
  Functional classifier(1, logits);
  const Shape shape{1, 1, 1, static_cast<std::int64_t>(x.size())};
  return method.attribute(classifier, numbers_of(x, shape), asking({1})).values.to_doubles();
}

/// logits = features * weight + bias
Functional::Logits linear_of(const std::vector<double>& weight, double bias = 0) {
  const auto count = static_cast<std::int64_t>(weight.size());
  return [w = numbers_of(weight, {1, count}), b = numbers_of({bias}, {1})](const Variable& x) {
    return linear(flatten(x), w, b);
  };
}

TEST(Lrp, SharesByTheEpsilonRule) {
  Lrp method;
  method.epsilon = 0.5;
  // z = 4 - 2 + 1 = 3: R_i = z_i 3 / 3.5. z = -3: R_i = z_i (-3) / (-3.5)
  EXPECT_THAT(of_one(method, linear_of({2, -1}, 1), {2, 2}), Pointwise(DoubleNear(1e-14), {4 * 3 / 3.5, -2 * 3 / 3.5}));
  EXPECT_THAT(of_one(method, linear_of({-2, 1}, -1), {2, 2}),
              Pointwise(DoubleNear(1e-14), {-4 * 3 / 3.5, 2 * 3 / 3.5}));
  // The sign of 0 is +1: exp(0) has relevance 1, shared by 0.5.
  const auto zero = [](const Variable& x) { return exp(linear_of({1, -1})(x)); };
  EXPECT_THAT(of_one(method, zero, {1, 1}), Pointwise(DoubleNear(1e-14), {2., -2.}));
}

TEST(Lrp, SharesByTheSignsOfParts) {
  // Parts 4, -2, 3 and the bias -1: z+ = 7, z- = -3, R = 4.
  const std::vector<double> weight = {2, -1, -3}, x = {2, 2, -1};
  EXPECT_THAT(of_one(*exact("z_plus"), linear_of(weight, -1), x), Pointwise(DoubleNear(1e-10), {16. / 7, 0., 12. / 7}));
  EXPECT_THAT(of_one(*exact("alpha_beta"), linear_of(weight, -1), x),
              Pointwise(DoubleNear(1e-10), {32. / 7, -8. / 3, 24. / 7}));
}

TEST(Lrp, SharesByTheInputRules) {
  // z = 2 - 0.5 + 1 + 1.5 = 4. Squares 4, 1, 1; x w - w-: 2, 0.5, 1.
  EXPECT_THAT(of_one(*exact("epsilon", "w_squared"), linear_of({2, -1, 1}, 1.5), {1, 0.5, 1}),
              Pointwise(DoubleNear(1e-10), {4 * 4 / 6., 4 / 6., 4 / 6.}));
  EXPECT_THAT(of_one(*exact("epsilon", "z_box"), linear_of({2, -1, 1}, 1.5), {1, 0.5, 1}),
              Pointwise(DoubleNear(1e-10), {4 * 2 / 3.5, 4 * 0.5 / 3.5, 4 * 1 / 3.5}));
  // The layers above keep their rule, and curves before the first layer leave no layer that takes the images.
  const Tensor up = numbers_of({3}, {1, 1});
  const auto two = [&](const Variable& x) { return linear(linear_of({2, -1, 1}, 1.5)(x), up); };
  EXPECT_THAT(of_one(*exact("epsilon", "w_squared"), two, {1, 0.5, 1}),
              Pointwise(DoubleNear(1e-10), {12 * 4 / 6., 12 / 6., 12 / 6.}));
  const auto late = [](const Variable& x) { return linear_of({2, -1})(tanh(x)); };
  EXPECT_THROW(of_one(*exact("epsilon", "z_box"), late, {1, 1}), Error);
}

TEST(Lrp, BiasesAbsorbWhatTheGapSays) {
  Functional f(1, linear_of({2, -1}, 1));
  const Attribution found = exact()->attribute(f, numbers_of({2, 2}, {1, 1, 1, 2}), asking({0}));
  EXPECT_THAT(found.values.to_doubles(), Pointwise(DoubleNear(1e-10), {-4., 2.}));
  EXPECT_THAT(found.gap.to_doubles(), Pointwise(DoubleNear(1e-10), {1.}));
}

TEST(Lrp, OfTwoClassesSharesTheirDifference) {
  Functional f(3, [](const Variable& x) { return linear(flatten(x), numbers_of({1, 2, 3, 4, 5, -6}, {3, 2})); });
  nn::Question question = asking({2});
  question.against = asking({1}).classes;
  const Attribution found = exact()->attribute(f, numbers_of({1, 2}, {1, 1, 1, 2}), question);
  EXPECT_THAT(found.values.to_doubles(), Pointwise(DoubleNear(1e-10), {5. - 3, -12. - 8}));
  EXPECT_LE(largest(found.gap), 1e-10);
}

TEST(Lrp, SplitsResidualsInProportionAndConcatenationByItsParts) {
  const auto residual = [](const Variable& x) {
    const Variable h = flatten(x);
    return sum(h + relu(linear(h, numbers_of({1, 1, 0, 3}, {2, 2}))), {1});
  };
  // x = (1, 2), h = (3, 6): each relevance equals its part of the sum, 12 in all, and h's goes to x.
  EXPECT_THAT(of_one(*exact(), residual, {1, 2}), Pointwise(DoubleNear(1e-10), {1. + 1, 2. + 2 + 6}));
  const auto dense = [](const Variable& x) {
    const Variable h = flatten(x);
    return linear_of({1, 2, 3})(concat({h, relu(linear(h, numbers_of({1, 2}, {1, 2})))}, 1));
  };
  EXPECT_THAT(of_one(*exact(), dense, {1, 2}), Pointwise(DoubleNear(1e-10), {1. + 3, 4. + 12}));
}

TEST(Lrp, ReachesReusedAndFunctionalLayers) {
  const Tensor w = numbers_of({1, 0.5, 2, 1}, {2, 2});
  const auto twice = [&](const Variable& x) { return sum(relu(linear(relu(linear(flatten(x), w)), w)), {1}); };
  // h = (2, 4), z = (4, 8): h_0's relevance is 2 (1 + 2), h_1's 4 (0.5 + 1); of h_0 half is each x's, and of h_1 too.
  EXPECT_THAT(of_one(*exact(), twice, {1, 2}), Pointwise(DoubleNear(1e-10), {6., 6.}));
}

TEST(Lrp, TheWinnerOfEachPoolingWindowTakesAll) {
  const auto pooled = [](const Variable& x) {
    PoolGeometry row = PoolGeometry::square(1, 1);
    row.kernel_w = 3;
    return reshape(sum(max_pool(reshape(x, {-1, 1, 5, 1}), row), {1, 2, 3}), {-1, 1});
  };
  EXPECT_THAT(of_one(*exact(), pooled, {1, 2, 4, 3, 5}), Pointwise(DoubleNear(1e-10), {0., 0., 8., 0., 5.}));
}

TEST(Lrp, OfBatchNormIsThatOfTheFoldedConvolution) {
  const Tensor weight = drawn({4, 3, 3, 2}, "weight"), bias = drawn({4}, "bias"), out = drawn({2, 4}, "out");
  const Tensor gamma = drawn({4}, "gamma"), beta = drawn({4}, "beta"), mean = drawn({1, 4}, "mean");
  const Tensor variance = unary(UnaryOp::exp, drawn({1, 4}, "variance"));
  const Tensor scale =
      binary(BinaryOp::divide, gamma.reshape({1, 4}), unary(UnaryOp::sqrt, unary(UnaryOp::affine, variance, 1, 1e-5)));
  const Tensor folded_weight = binary(BinaryOp::multiply, weight, scale.reshape({4, 1, 1, 1}));
  const Tensor folded_bias =
      axpby(1, beta, 1, binary(BinaryOp::multiply, scale, axpby(1, bias.reshape({1, 4}), -1, mean)).reshape({4}));
  const Conv2dGeometry geometry = Conv2dGeometry::square(2, 1);
  const auto end = [&](const Variable& h) { return linear(global_avg_pool(h), out); };
  Functional normed(2, [&](const Variable& x) {
    return end(normalise_with(conv2d(x, weight, bias, geometry), gamma, beta, mean, variance, 1e-5, Activation::relu));
  });
  Functional folded(
      2, [&](const Variable& x) { return end(conv2d(x, folded_weight, folded_bias, geometry, Activation::relu)); });
  const Tensor x = drawn({3, 6, 5, 2}, "x");
  const Attribution one = exact()->attribute(normed, x, asking({0, 1, 0}));
  const Attribution other = exact()->attribute(folded, x, asking({0, 1, 0}));
  expect_near(one.values, other.values, 1e-8);
  expect_near(one.gap, other.gap, 1e-8);
  EXPECT_GE(largest(one.gap), 1e-2);
}

TEST(Lrp, ConservesRelevanceWithoutBiases) {
  const Tensor first = drawn({4, 3, 3, 2}, "first"), second = drawn({4, 3, 3, 4}, "second"), out = drawn({3, 8}, "out");
  const Tensor up = drawn({4, 2, 2, 4}, "up");
  Functional net(3, [&](const Variable& x) {
    const Conv2dGeometry same = Conv2dGeometry::square(1, 1);
    Variable h = conv2d(x, first, {}, same, Activation::leaky_relu, 0.1);
    h = h + tanh(conv2d(h, second, {}, same));                                                        // residual
    h = max_pool(h, PoolGeometry::square(3, 2, 1));                                                   // overlapping
    h = relu(conv_transpose2d(h, up, {}, Conv2dGeometry::square(2, 0), 8, 8));                        // transposed
    h = concat({h, resize(avg_pool(h, PoolGeometry::square(2, 2)), 8, 8, ResizeMode::bilinear)}, 3);  // dense
    return linear(global_avg_pool(h), out);
  });
  const Tensor x = drawn({3, 8, 8, 2}, "x");
  for (const char* rule : {"epsilon", "z_plus"}) {
    SCOPED_TRACE(rule);
    const Attribution found = exact(rule)->attribute(net, x, asking({0, 1, 2}));
    EXPECT_GE(largest(found.values), 1e-3);
    EXPECT_LE(largest(found.gap), 1e-7 * largest(found.values));
  }
}

TEST(Lrp, AgreesWithCaptum) {
  const golden::File file("attributions_rules");
  for (const char* name : {"lrp_large_epsilon", "lrp_pooled"}) {
    SCOPED_TRACE(name);
    const golden::Case golden = file.at(name);
    Lrp method;
    method.epsilon = golden.attribute<double>("epsilon");
    const GoldenNetwork network(golden);
    Functional classifier = network.classifier();
    expect_near(classifier.logits(network.at("x")).value(), network.at("y"), 1e-13);
    const Attribution found = method.attribute(classifier, network.at("x"), network.question());
    expect_near(found.values, network.at("lrp"), method.epsilon < 1e-6 ? 1e-7 : 1e-12);

    const GoldenNetwork single(golden, cpu_device(), DType::f32);
    Functional fast = single.classifier();
    expect_near(method.attribute(fast, single.at("x"), single.question()).values, found.values, 1e-4);
  }
}

TEST(Lrp, ExplainsTheLibrarysClassifiers) {
  const auto networks = library_classifiers();
  const auto on_cpu = library_classifiers(cpu_device(), DType::f32);
  const Tensor x = unary(UnaryOp::sigmoid, drawn({3, 16, 16, 1}, "x"));
  for (std::size_t i = 0; i < networks.size(); ++i) {
    nn::Classifier& classifier = *networks[i].classifier;
    for (const char* rule : {"epsilon", "z_plus", "alpha_beta"}) {
      SCOPED_TRACE(networks[i].name + ", " + rule);
      Lrp method;
      method.rule = rule;
      const nn::Question question = asking({1, 0, 1});
      const Attribution found = method.attribute(classifier, x, question);
      EXPECT_GE(largest(found.values), 1e-4);
      EXPECT_TRUE(std::isfinite(largest(found.gap)));
      const Tensor f32 = x.to(DType::f32).to(cpu_device());
      const nn::Question fast = asking({1, 0, 1}, cpu_device());
      const Tensor found_fast = method.attribute(*on_cpu[i].classifier, f32, fast).values;
      expect_near(found_fast, found.values, 1e-3);
      const Tensor alone = method.attribute(*on_cpu[i].classifier, slice(f32, 0, 1, 2), fast.rows(1, 2)).values;
      EXPECT_EQ(alone.to_doubles(), slice(found_fast, 0, 1, 2).to_doubles());
    }
  }
}

TEST(Lrp, OfAClassifierThatHidesItsGraphSaysSo) {
  Functional f(1, [](const Variable& x) { return Variable(flatten(x).value()); });
  try {
    Lrp().attribute(f, numbers_of({1}, {1, 1, 1, 1}), asking({1}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("LRP: the classifier's graph does not lead from its logits back to the images"));
  }
}

}  // namespace
}  // namespace counterfoil::methods
