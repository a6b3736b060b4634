#include "methods/attributions/deeplift.h"

#include <gmock/gmock.h>

#include "tests/methods/attributions/rule_networks.h"

namespace counterfoil::methods {
namespace {

using testing::DoubleNear;
using testing::Each;
using testing::ElementsAre;
using testing::Pointwise;

Attribution deep_lift(nn::Classifier& classifier, const Tensor& x, const Tensor& baseline,
                      const nn::Question& question) {
  return DeepLift().attribute(classifier, x, question, baseline);
}

/// What an image of few features has, of a classifier with one logit.
std::vector<double> of_one(const Functional::Logits& logits, const std::vector<double>& x,
                           const std::vector<double>& baseline) {
  Functional classifier(1, logits);
  const Shape shape{1, 1, 1, static_cast<std::int64_t>(x.size())};
  const Attribution found = deep_lift(classifier, numbers_of(x, shape), numbers_of(baseline, shape), asking({1}));
  EXPECT_LE(largest(found.gap), 1e-14);
  return found.values.to_doubles();
}

TEST(DeepLift, HasTheClosedFormsOfTheRescaleRule) {
  // relu(2 a - 3 b): from -1 at the baseline to 5, so that m = 5 / 6
  const auto unit = [](const Variable& x) { return relu(matmul(flatten(x), numbers_of({2, -3}, {2, 1}))); };
  EXPECT_THAT(of_one(unit, {4, 1}, {1, 1}), Pointwise(DoubleNear(1e-14), {6 * 5.0 / 6, 0.0}));
  EXPECT_THAT(of_one(unit, {4, 1}, {2.5, 2}), Pointwise(DoubleNear(1e-14), {1.5 * 2 * 5 / 6, 3.0 * 5 / 6}));
  // Of a curve that meets its baseline: nothing.
  EXPECT_THAT(of_one([](const Variable& x) { return tanh(flatten(x)); }, {0.5}, {0.5}), ElementsAre(0));
  // sqrt has no derivative at 0, but a difference.
  EXPECT_THAT(of_one([](const Variable& x) { return sqrt(flatten(x)); }, {4}, {0}), ElementsAre(2));
}

TEST(DeepLift, SplitsProductsAndQuotientsByBothOrders) {
  const auto of_halves = [](auto operation) {
    return [operation](const Variable& x) {
      const Variable flat = flatten(x);
      return operation(slice(flat, 1, 0, 1), slice(flat, 1, 1, 2));
    };
  };
  // 5 * 4 - 2 * 3: 3 (4 + 3) / 2 and 1 (5 + 2) / 2
  EXPECT_THAT(of_one(of_halves([](const Variable& a, const Variable& b) { return a * b; }), {5, 4}, {2, 3}),
              ElementsAre(10.5, 3.5));
  // 6 / 4 - 2 / 1: 4 (1/4 + 1) / 2 and (1/4 - 1) (6 + 2) / 2
  EXPECT_THAT(of_one(of_halves([](const Variable& a, const Variable& b) { return a / b; }), {6, 4}, {2, 1}),
              Pointwise(DoubleNear(1e-14), {2.5, -3.0}));
  // max(5, 4) - max(2, 3): the image's winner rises by 2; min(5, 4) - min(2, 3): its winner of the image too
  EXPECT_THAT(of_one(of_halves([](const Variable& a, const Variable& b) { return maximum(a, b); }), {5, 4}, {2, 3}),
              ElementsAre(2, 0));
  EXPECT_THAT(of_one(of_halves([](const Variable& a, const Variable& b) { return minimum(a, b); }), {5, 4}, {6, 9}),
              ElementsAre(0, -2));
}

TEST(DeepLift, LosesNothingWherePoolingWindowsOverlap) {
  // Windows of 3 with stride 1 over 5 pixels: y = (4, 4, 4), y_0 = (1, 1, 5); what rises goes to the 4, which two
  // windows share, what falls to the baseline's 5.
  const auto pooled = [](const Variable& x) {
    PoolGeometry row = PoolGeometry::square(1, 1);
    row.kernel_w = 3;
    return reshape(sum(max_pool(reshape(x, {-1, 1, 5, 1}), row), {1, 2, 3}), {-1, 1});
  };
  EXPECT_THAT(of_one(pooled, {0, 0, 4, 0, 0}, {1, 1, 1, 0, 5}), Pointwise(DoubleNear(1e-14), {0., 0., 6., 0., -1.}));
  // Equal maxima at different places: no difference, and none is made up.
  EXPECT_THAT(of_one(pooled, {0, 0, 3, 0, 0}, {0, 3, 3, 3, 0}), Each(0));

  const Tensor weight = drawn({3, 3, 3, 2}, "kernel");
  Functional net(3, [&](const Variable& x) {
    const Variable h = conv2d(x, weight, {}, Conv2dGeometry::square(1, 1), Activation::relu);
    return flatten(sum(square(max_pool(h, PoolGeometry::square(3, 2, 1))), {1, 2}));
  });
  const Tensor x = drawn({4, 7, 8, 2}, "x"), x0 = drawn({4, 7, 8, 2}, "x0");
  const Attribution found = deep_lift(net, x, x0, asking({0, 1, 2, 0}));
  EXPECT_LE(largest(found.gap), 1e-11);
  EXPECT_GE(largest(nn::scores(net, x, asking({0, 1, 2, 0}))), 1);
}

TEST(DeepLift, IsCompleteForEveryCurveTheLibraryHas) {
  // Positive numbers, where all of them are defined; f64.
  using Curve = std::function<Variable(const Variable&)>;
  const std::vector<Curve> curves = {
      [](const Variable& x) { return relu(x - 0.7); },
      [](const Variable& x) { return leaky_relu(x - 0.7, 0.2); },
      [](const Variable& x) { return elu(x - 0.7, 0.5); },
      [](const Variable& x) { return sigmoid(x); },
      [](const Variable& x) { return tanh(x); },
      [](const Variable& x) { return softplus(x); },
      [](const Variable& x) { return clip(x, 0.5, 1); },
      [](const Variable& x) { return projected_clip(x, 0.5, 1); },
      [](const Variable& x) { return abs(x - 0.8); },
      [](const Variable& x) { return exp(x); },
      [](const Variable& x) { return log(x); },
      [](const Variable& x) { return sqrt(x); },
      [](const Variable& x) { return reciprocal(x); },
      [](const Variable& x) { return pow(x, 1.7); },
      [](const Variable& x) { return sin(x) + cos(3 * x); },
      [](const Variable& x) { return square(x); },
      [](const Variable& x) { return sum_abs(x - 0.8, {1}); },
      [](const Variable& x) { return sum_squares(x, {1}); },
      [](const Variable& x) { return max(x, {1}); },
      [](const Variable& x) { return maximum(x, Tensor::full({1}, 0.9, DType::f64, reference_device())); },
      [](const Variable& x) { return log_softmax(5 * x) * softmax(3 * x); },
  };
  const Tensor x = unary(UnaryOp::exp, drawn({3, 1, 1, 6}, "x", 0.5)),
               x0 = unary(UnaryOp::exp, drawn({3, 1, 1, 6}, "x0", 0.5));
  for (std::size_t i = 0; i < curves.size(); ++i) {
    SCOPED_TRACE(i);
    Functional f(1, [&](const Variable& images) {
      const Variable y = curves[i](flatten(images));
      return reshape(sum(y, {1}), {-1, 1});
    });
    EXPECT_LE(largest(deep_lift(f, x, x0, asking({1, 1, 1})).gap), 1e-12);
  }
}

TEST(DeepLift, OfProductsOfMatricesFromTheImagesIsComplete) {
  Functional attention(1, [](const Variable& x) {
    const Variable rows = reshape(x, {-1, 2, 3});
    const Variable weights = softmax(reshape(matmul(rows, rows, {.transpose_b = true}), {-1, 2}));
    return reshape(sum(matmul(reshape(weights, {-1, 2, 2}), rows), {1, 2}), {-1, 1});
  });
  const Tensor x = drawn({3, 1, 1, 6}, "x"), x0 = drawn({3, 1, 1, 6}, "x0");
  EXPECT_LE(largest(deep_lift(attention, x, x0, asking({1, 1, 0})).gap), 1e-13);
}

TEST(DeepLift, OfInstanceNormIsComplete) {
  const Tensor gamma = drawn({4}, "gamma"), beta = drawn({4}, "beta"), weight = drawn({4, 3, 3, 2}, "weight");
  Functional net(4, [&](const Variable& x) {
    const NormAttribute own{.activation = Activation::leaky_relu, .slope = 0.1, .per_image = true};
    const Variable h = normalise(conv2d(x, weight, {}, {}), gamma, beta, own);
    return flatten(sum(square(h), {1, 2}));
  });
  const Tensor x = drawn({3, 6, 5, 2}, "x"), x0 = drawn({3, 6, 5, 2}, "x0", 0.3);
  const Attribution found = deep_lift(net, x, x0, asking({0, 1, 3}));
  EXPECT_LE(largest(found.gap), 1e-11);
  EXPECT_GE(largest(found.values), 0.1);
}

TEST(DeepLift, OfTwoClassesIsTheDifference) {
  const golden::File file("attributions_rules");
  const GoldenNetwork network(file.at("deeplift_plain"));
  Functional net = network.classifier();
  const Tensor x = network.at("x"), x0 = baseline_of_each(network.baselines(), 0);
  const auto count = static_cast<std::size_t>(x.shape()[0]);
  const std::vector<std::int32_t> of(count, 1), held(count, 0);
  const Attribution found = deep_lift(net, x, x0, asking(of, reference_device(), held));
  EXPECT_LE(largest(found.gap), 1e-11);
  expect_near(found.values,
              axpby(1, deep_lift(net, x, x0, asking(of)).values, -1, deep_lift(net, x, x0, asking(held)).values),
              1e-12);
}

TEST(DeepLift, OfProbabilitiesDoesNotDependOnTheBatch) {
  Functional net(4, [weight = drawn({4, 6}, "weight", 3)](const Variable& x) { return linear(flatten(x), weight); });
  const Tensor x = drawn({3, 1, 2, 3}, "x"), x0 = drawn({3, 1, 2, 3}, "x0");
  nn::Question question = asking({0, 3, 1});
  question.scale = nn::Question::Scale::probabilities;
  const Attribution together = deep_lift(net, x, x0, question);
  EXPECT_LE(largest(together.gap), 1e-14);
  for (std::int64_t n = 0; n < 3; ++n) {
    const auto row = [n](const Tensor& t) { return slice(t, 0, n, n + 1); };
    expect_near(deep_lift(net, row(x), row(x0), question.rows(n, n + 1)).values, row(together.values), 1e-14);
  }
  // Nor on the other baselines.
  const Tensor other = deep_lift(net, x, unary(UnaryOp::affine, x0, -1), question).values;
  const std::vector<Tensor> sets = {x0.reshape({3, 1, 1, 2, 3}),
                                    unary(UnaryOp::affine, x0, -1).reshape({3, 1, 1, 2, 3})};
  const Tensor mean = DeepShap().attribute(net, x, question, concat(sets, 1)).values;
  expect_near(mean, axpby(0.5, together.values, 0.5, other), 1e-14);
  // Far apart: the sum of exp(z) is the same of both, and each exp(z) changes by 1 while its z does by 600.
  Functional steep(2, [](const Variable& image) { return flatten(image) * 300; });
  nn::Question certain = asking({0});
  certain.scale = nn::Question::Scale::probabilities;
  const Attribution apart =
      deep_lift(steep, numbers_of({1, -1}, {1, 1, 1, 2}), numbers_of({-1, 1}, {1, 1, 1, 2}), certain);
  EXPECT_THAT(apart.values.to_doubles(), Pointwise(DoubleNear(1e-12), {1 - 1.0 / 600, 1.0 / 600}));
}

TEST(DeepLift, ReachesReusedAndFunctionalLayers) {
  // tanh(w tanh(w x)), the one layer twice.
  const Tensor w = numbers_of({1.5}, {1, 1});
  const auto twice = [&](const Variable& x) {
    const auto layer = [&](const Variable& h) { return linear(h, w, {}, Activation::tanh); };
    return layer(layer(flatten(x)));
  };
  const auto f = [](double x) { return std::tanh(1.5 * std::tanh(1.5 * x)); };
  EXPECT_NEAR(of_one(twice, {1.2}, {-0.3})[0], f(1.2) - f(-0.3), 1e-14);
}

TEST(DeepLift, AgreesWithCaptum) {
  const golden::File file("attributions_rules");
  for (const char* name : {"deeplift_plain", "deeplift_normed"}) {
    SCOPED_TRACE(name);
    const GoldenNetwork network(file.at(name));
    Functional classifier = network.classifier();
    const Tensor x = network.at("x"), sets = network.baselines();
    const Tensor first = baseline_of_each(sets, 0);
    expect_near(classifier.logits(x).value(), network.at("y"), 1e-13);
    const Attribution one = deep_lift(classifier, x, first, network.question());
    expect_near(one.values, network.at("deep_lift"), 1e-12);
    EXPECT_LE(largest(one.gap), 1e-13);
    const Attribution mean = DeepShap().attribute(classifier, x, network.question(), sets);
    expect_near(mean.values, network.at("deep_shap"), 1e-12);
    EXPECT_LE(largest(mean.gap), 1e-13);
    expect_near(DeepShap().attribute(classifier, x, network.question(), first).values, one.values, 1e-15);

    const GoldenNetwork single(file.at(name), cpu_device(), DType::f32);
    Functional fast = single.classifier();
    const Attribution f32 = deep_lift(fast, single.at("x"), baseline_of_each(single.baselines(), 0), single.question());
    expect_near(f32.values, one.values, 1e-5);
    EXPECT_LE(largest(f32.gap), 1e-5);
  }
}

TEST(DeepLift, ExplainsTheLibrarysClassifiers) {
  for (const auto& [name, classifier] : library_classifiers()) {
    SCOPED_TRACE(name);
    const Tensor x = drawn({3, 16, 16, 1}, "x"), x0 = drawn({3, 16, 16, 1}, "x0");
    const nn::Question question = asking({1, 0, 1});
    const Attribution found = deep_lift(*classifier, x, x0, question);
    EXPECT_LE(largest(found.gap), 1e-11);
    EXPECT_GE(largest(found.values), 1e-4);
  }
  for (const auto& [name, classifier] : library_classifiers(cpu_device(), DType::f32)) {
    SCOPED_TRACE(name);
    Random random(3, "images");
    const Shape shape{2, 16, 16, 1};
    const Tensor x = random.uniform(shape, 0, 1, cpu_device()), x0 = random.uniform(shape, 0, 1, cpu_device());
    const nn::Question question = asking({1, 0}, cpu_device());
    const Attribution found = deep_lift(*classifier, x, x0, question);
    EXPECT_LE(largest(found.gap), 1e-5);
    const Attribution alone = deep_lift(*classifier, slice(x, 0, 1, 2), slice(x0, 0, 1, 2), question.rows(1, 2));
    EXPECT_EQ(alone.values.to_doubles(), slice(found.values, 0, 1, 2).to_doubles());
  }
}

TEST(DeepLift, ShowsInTheGapWhatItDoesNotCover) {
  Functional f(1, [](const Variable& x) {
    const Variable flat = flatten(x);
    return sum(select(greater_than(flat, 0.5), square(flat), flat), {1});
  });
  const Attribution found =
      deep_lift(f, numbers_of({1, 2}, {1, 1, 1, 2}), numbers_of({0, 0.25}, {1, 1, 1, 2}), asking({1}));
  EXPECT_GE(largest(found.gap), 0.1);
}

TEST(DeepLift, SaysWhatItCannotExplain) {
  const Tensor x = numbers_of({1, 2}, {2, 1, 1, 1}), x0 = numbers_of({0, 0}, {2, 1, 1, 1});
  const auto message = [&](const Functional::Logits& logits) -> std::string {
    Functional f(1, logits);
    try {
      deep_lift(f, x, x0, asking({1, 1}));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(message([](const Variable& images) { return Variable(flatten(images).value()); }),
              testing::HasSubstr("does not lead from its logits back to the images"));
  EXPECT_THAT(message([](const Variable& images) {
                return reshape(tanh(reshape(images, {1, -1})), {-1, 1});
              }),
              testing::HasSubstr("DeepLIFT: tanh has [1, 2] where the leading axis should be that of the 2 images"));
}

}  // namespace
}  // namespace counterfoil::methods
