#include "methods/attributions/grad_cam.h"

#include <gmock/gmock.h>

#include "tests/methods/attributions/rule_networks.h"

namespace counterfoil::methods {
namespace {

using testing::DoubleNear;
using testing::HasSubstr;
using testing::Pointwise;

std::unique_ptr<GradCam> cam(std::int64_t layer, bool relu = true) {
  auto method = std::make_unique<GradCam>();
  method->layer = layer;
  method->relu = relu;
  return method;
}

/// The map: the sum over a pixel's channels.
Tensor map_of(const GradCam& method, nn::Classifier& classifier, const Tensor& x, const nn::Question& question) {
  return reduce(ReduceOp::sum, method.attribute(classifier, x, question).values, {3});
}

/// Weights of a 1x1 convolution, [out,1,1,in].
Tensor mixing(const std::vector<double>& weights, std::int64_t out) {
  return numbers_of(weights, {out, 1, 1, static_cast<std::int64_t>(weights.size()) / out});
}

TEST(GradCam, WeightsTheChannelsByTheirMeanGradient) {
  // A = relu((x, 1 - x)); S = sum over pixels p = 0, 1, 2, 3 of p (5 A^0 - 2 A^1): dS/dA is 5 p and -2 p, on the mean
  // 7.5 and -3.
  const Tensor pair = mixing({1, -1}, 2), sums = numbers_of({0, 0, 5, -2, 10, -4, 15, -6}, {1, 8});
  Functional f(1, [&](const Variable& x) {
    return linear(flatten(conv2d(x, pair, numbers_of({0, 1}, {2}), {}, Activation::relu)), sums);
  });
  const Tensor x = numbers_of({0, 0.5, 1, 2}, {1, 2, 2, 1});
  EXPECT_THAT(map_of(*cam(1), f, x, asking({1})).to_doubles(), Pointwise(DoubleNear(1e-14), {0., 2.25, 7.5, 15.}));
  EXPECT_THAT(map_of(*cam(1, false), f, x, asking({1})).to_doubles(),
              Pointwise(DoubleNear(1e-14), {-3., 2.25, 7.5, 15.}));
  EXPECT_THAT(map_of(*cam(1), f, x, asking({0})).to_doubles(), Pointwise(DoubleNear(1e-14), {3., 0., 0., 0.}));
  // Of two logits, S and x_0 too: dS/dA^0 of their difference is on the mean 7.5 - 1/4.
  const Tensor both = numbers_of({0, 0, 5, -2, 10, -4, 15, -6, 1, 0, 0, 0, 0, 0, 0, 0}, {2, 8});
  Functional two(2, [&](const Variable& image) {
    return linear(flatten(conv2d(image, pair, numbers_of({0, 1}, {2}), {}, Activation::relu)), both);
  });
  EXPECT_THAT(map_of(*cam(1, false), two, x, asking({0}, reference_device(), {1})).to_doubles(),
              Pointwise(DoubleNear(1e-14), {-3., 7.25 / 2 - 1.5, 7.25, 14.5}));
}

TEST(GradCam, IsEnlargedBilinearlyAndSpreadOverTheChannels) {
  const Tensor sums = mixing({1, 1}, 1);
  Functional f(1, [&](const Variable& x) {
    return reshape(mean(conv2d(avg_pool(x, PoolGeometry::square(2, 2)), sums, {}, {}), {1, 2, 3}), {-1, 1});
  });
  // A = (0, 8), each of weight 1/2: centres at 0.5 and 2.5 of four columns.
  const Tensor x = numbers_of({0, 0, 0, 0, 4, 4, 4, 4, 0, 0, 0, 0, 4, 4, 4, 4}, {1, 2, 4, 2});
  const Tensor values = cam(1)->attribute(f, x, asking({1})).values;
  EXPECT_EQ(values.shape(), x.shape());
  EXPECT_THAT(values.to_doubles(),
              Pointwise(DoubleNear(1e-14), {0., 0., .5, .5, 1.5, 1.5, 2., 2., 0., 0., .5, .5, 1.5, 1.5, 2., 2.}));
}

TEST(GradCam, FindsTheLayersOnTheGraph) {
  const Tensor w = drawn({2, 3, 3, 2}, "w"), one = drawn({2, 1, 1, 2}, "one"), head = drawn({1, 2, 2, 4}, "head");
  const Conv2dGeometry same = Conv2dGeometry::square(1, 1);
  Variables layers(3);
  Functional f(1, [&](const Variable& x) {
    layers[0] = tanh(conv2d(x, w, {}, same) + numbers_of({1, 2}, {2}));  // bias and activation
    const Variable h = max_pool(layers[0], PoolGeometry::square(2, 2));
    layers[1] = relu(conv2d(relu(conv2d(h, w, {}, same)), w, {}, same) + conv2d(h, one, {}, {}));           // residual
    layers[2] = leaky_relu(concat({layers[1], conv2d(layers[1], one, {}, {}, Activation::relu)}, 3), 0.1);  // dense
    return reshape(conv2d(layers[2], head, {}, {}), {-1, 1});                                               // one pixel
  });
  const Tensor x = drawn({1, 4, 4, 2}, "x");
  const std::vector<std::pair<int, int>> places = {{1, 2}, {2, 1}, {4, 0}};
  for (const auto& [from_end, index] : places) {
    SCOPED_TRACE(from_end);
    const Tensor found = map_of(*cam(from_end), f, x, asking({1}));
    const Variable fresh = f.logits(Variable::leaf(x));
    const Variable layer = layers[static_cast<std::size_t>(index)];
    const Tensor g = grad({sum(fresh)}, {layer}).front().value();
    const double pixels = static_cast<double>(g.shape()[1] * g.shape()[2]);
    const Tensor map =
        reduce(ReduceOp::sum, binary(BinaryOp::multiply, layer.value(), reduce(ReduceOp::sum, g, {1, 2})), {3});
    expect_near(found,
                resize(unary(UnaryOp::relu, unary(UnaryOp::affine, map, 1 / pixels)), 4, 4, ResizeMode::bilinear),
                1e-14);
  }
  EXPECT_THROW(map_of(*cam(6), f, x, asking({1})), Error);
}

TEST(GradCam, GuidedIsTheMapTimesGuidedBackPropagation) {
  // A = relu(x_0 - x_1 + 1) at two pixels, S = A_0 + 3 A_1: a = 2, the map (0, 2 * 4), and what guides (1, -1) and
  // (3, -3).
  const Tensor pair = mixing({1, -1}, 1), sums = numbers_of({1, 3}, {1, 2});
  Functional f(1, [&](const Variable& x) {
    return linear(flatten(conv2d(x, pair, numbers_of({1}, {1}), {}, Activation::relu)), sums);
  });
  const Tensor x = numbers_of({0, 2, 4, 1}, {1, 1, 2, 2});
  EXPECT_THAT(GuidedGradCam().attribute(f, x, asking({1})).values.to_doubles(),
              Pointwise(DoubleNear(1e-14), {0., 0., 8. * 3, -8. * 3}));
}

TEST(GradCam, AgreesWithCaptum) {
  const golden::File file("attributions_rules");
  const golden::Case golden = file.at("grad_cam_rectified");
  const GoldenNetwork network(golden), single(golden, cpu_device(), DType::f32);
  Functional classifier = network.classifier(), fast = single.classifier();
  expect_near(classifier.logits(network.at("x")).value(), network.at("y"), 1e-13);
  expect_near(map_of(*cam(1), classifier, network.at("x"), network.question()), network.at("map"), 1e-13);
  expect_near(map_of(*cam(1, false), classifier, network.at("x"), network.question()), network.at("signed_map"), 1e-13);
  expect_near(map_of(*cam(1), fast, single.at("x"), single.question()), network.at("map"), 1e-5);
}

TEST(GradCam, ExplainsTheLibrarysClassifiers) {
  const auto networks = library_classifiers();
  const auto on_cpu = library_classifiers(cpu_device(), DType::f32);
  const Tensor x = unary(UnaryOp::sigmoid, drawn({3, 16, 16, 1}, "x"));
  for (std::size_t i = 0; i < networks.size(); ++i) {
    SCOPED_TRACE(networks[i].name);
    nn::Classifier& classifier = *networks[i].classifier;
    const nn::Question question = asking({1, 0, 1});
    const Tensor together = map_of(*cam(1, false), classifier, x, question);
    EXPECT_GE(largest(together), 1e-4);
    for (const double value : map_of(*cam(1), classifier, x, question).to_doubles()) EXPECT_GE(value, 0);
    const Tensor f32 = x.to(DType::f32).to(cpu_device());
    const nn::Question fast = asking({1, 0, 1}, cpu_device());
    const Tensor found_fast = map_of(*cam(1, false), *on_cpu[i].classifier, f32, fast);
    expect_near(found_fast, together, 1e-4);
    const Tensor alone = map_of(*cam(1, false), *on_cpu[i].classifier, slice(f32, 0, 1, 2), fast.rows(1, 2));
    EXPECT_EQ(alone.to_doubles(), slice(found_fast, 0, 1, 2).to_doubles());
  }
}

TEST(GradCam, SaysWhatItCannotExplain) {
  const Tensor x = numbers_of({1, 2}, {1, 1, 2, 1});
  const auto message = [&](const GradCam& method, const Functional::Logits& logits) -> std::string {
    Functional f(1, logits);
    try {
      method.attribute(f, x, asking({1}));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const auto hidden = [](const Variable& images) { return Variable(slice(flatten(images).value(), 1, 0, 1)); };
  EXPECT_THAT(message(*cam(1), hidden),
              HasSubstr("Grad-CAM: the classifier's graph does not lead from its logits back"));
  const auto dense = [](const Variable& images) { return sum(tanh(flatten(images)), {1}); };
  EXPECT_THAT(message(*cam(1), dense), HasSubstr("layer 1 from the end, but the classifier has 0 with a convolution"));
}

}  // namespace
}  // namespace counterfoil::methods
