#include "autograd/ops.h"
#include "nn/models/cdeepex_classifier.h"
#include "nn/models/cdeepex_vae.h"
#include "nn/models/dcgan.h"
#include "nn/models/ganmex_classifier.h"
#include "nn/models/lenet.h"
#include "nn/models/pe_resnet.h"
#include "nn/models/pixelda.h"
#include "nn/models/stargan.h"
#include "nn/models/syce_discriminator.h"
#include "nn/models/unet.h"
#include "nn/models/vae_embedding.h"
#include "tests/nn/finite_differences.h"
#include "tests/nn/golden.h"

// Whole networks against PyTorch, built there from the names and layouts that a checkpoint has, or against the papers'
// lists of layers in functions that the golden vectors check.

namespace counterfoil::nn {
namespace {

const Pass kTraining{.training = true, .update_statistics = false};

/// Compares output and gradients; the file's roles are the names of the module's own state.
void check(const std::string& name, Module& module, const std::function<Variable(const Variable&)>& forward,
           const std::string& input = "x") {
  const GoldenCase golden("networks", name);
  std::map<std::string, std::string> roles;
  for (const auto& [tensor_name, tensor] : module.state()) {
    if (golden.has(tensor_name)) roles[tensor_name] = tensor_name;
  }
  golden.check(module, roles, forward, input);
}

void check(const std::string& name, Network& network) {
  check(name, network, [&](const Variable& x) { return network.forward(x, kTraining); });
}

TEST(Networks, UNetMatchesPyTorch) {
  TestInit init;
  UNet network(init, {.widths = {2, 3, 4}, .dropout = 0});
  check("unet", network);
  UNet heads(init, {.channels = 2,
                    .outputs = 2,
                    .widths = {2, 3},
                    .extra_blocks = 1,
                    .dropout = 0,
                    .output = UNetOutput::sigmoid,
                    .heads = 2,
                    .head_widths = {3}});
  check("unet_heads", heads, [&](const Variable& x) { return concat(heads.forward_heads(x, kTraining), 3); });
}

TEST(Networks, SyceDiscriminatorMatchesPyTorch) {
  TestInit init;
  SyceDiscriminator network(init, {.image = {7, 6, 1}, .widths = {2, 3}});
  check("syce_discriminator", network);
}

TEST(Networks, LeNetMatchesPyTorch) {
  TestInit init;
  LeNet network(init, {.image = {8, 7, 1},
                       .outputs = 3,
                       .width1 = 2,
                       .width2 = 3,
                       .hidden = 4,
                       .dropout_features = 0,
                       .dropout_hidden = 0});
  check("lenet", network);
}

TEST(Networks, VaeEmbeddingMatchesPyTorch) {
  TestInit init;
  VaeEmbedding network(init, {.image = {7, 6, 1}, .widths = {2, 3}, .code = 4, .hidden = 3});
  check("vae_embedding", network, [&](const Variable& x) {
    const GaussianCode code = network.encode(x, kTraining);
    const Variable image = flatten(network.decode(code.mean, kTraining));
    return concat({code.mean, code.log_variance, image, network.decision_logits(code.mean, kTraining)}, 1);
  });
}

TEST(Networks, DcganMatchesPyTorch) {
  TestInit init;
  const DcganOptions options{.image = {12, 16, 1}, .width = 2};
  DcganGenerator generator(init, 5, options);
  check("dcgan_generator", generator);
  DcganDiscriminator discriminator(init, options);
  check("dcgan_discriminator", discriminator);
}

const PeResnetOptions kSmallPe{.image = {8, 8, 1}, .widths = {2, 3, 4}, .bins = 4};

struct PeExplainer : Module {
  explicit PeExplainer(const Init& init) : encoder(init, kSmallPe), generator(init, kSmallPe) {
    register_child("encoder", encoder);
    register_child("generator", generator);
  }
  PeEncoder encoder;
  PeGenerator generator;
};

TEST(Networks, ProgressiveExaggerationMatchesPyTorch) {
  TestInit init;
  PeExplainer explainer(init);
  check("pe_explainer", explainer, [&](const Variable& x) {
    return explainer.generator.forward(explainer.encoder.forward(x, {}, kTraining), labels_of({3, 0, 1}), kTraining);
  });
  PeDiscriminator discriminator(init, kSmallPe);
  check("pe_discriminator", discriminator, [&](const Variable& x) {
    return discriminator.forward(x, labels_of({3, 0, 2}), kTraining);
  });
}

TEST(Networks, StarganMatchesPyTorch) {
  TestInit init;
  StarganGenerator generator(init, {.image = {8, 4, 1}, .classes = 3, .width = 2, .blocks = 1});
  check("stargan_generator", generator, [&](const Variable& x) {
    return generator.forward(x, labels_of({2, 0}), kTraining);
  });
  StarganCritic critic(init, {.image = {13, 12, 1}, .width = 2});
  check("stargan_critic", critic);
}

/// What is called NAME.weight and NAME.bias in a module.
struct Named {
  explicit Named(Module& module) : state(module.state()) {}
  Variable operator()(const std::string& name) const { return state.at(name); }
  Variable conv(const std::string& name, const Variable& x, const Conv2dGeometry& geometry = {}) const {
    return conv2d(x, (*this)(name + ".weight"), (*this)(name + ".bias"), geometry);
  }
  Variable fc(const std::string& name, const Variable& x) const {
    return linear(x, (*this)(name + ".weight"), (*this)(name + ".bias"));
  }
  std::map<std::string, Tensor> state;
};

// CDeepEx, appendix 6.1: pooling before ReLU, and no ReLU between the linear layers.
TEST(Networks, CdeepexClassifierIsThePapersList) {
  TestInit init;
  CdeepexClassifier network(init, 3);
  jitter(network, init.random);
  const Variable x(init.random.uniform({2, 64, 64, 1}, 0, 1, reference_device(), DType::f64));
  const Named of(network);
  const auto halved = [](const Variable& h) { return relu(max_pool(h, PoolGeometry::square(2, 2))); };
  const Variable features = halved(of.conv("conv2", halved(of.conv("conv1", x))));  // [2,13,13,20]
  const Variable expected = of.fc("fc2", of.fc("fc1", reshape(features, {2, 3380})));
  expect_close(network.forward(x, Pass::eval()).value(), expected.value(), "logits", 1e-9);
}

TEST(Networks, GanmexClassifierIsThePapersList) {
  TestInit init;
  GanmexClassifier network(init, {.image = {20, 18, 2}, .outputs = 3, .width1 = 2, .width2 = 3});
  jitter(network, init.random);
  const Variable x(init.random.uniform({2, 20, 18, 2}, 0, 1, reference_device(), DType::f64));
  const Named of(network);
  const Conv2dGeometry halving = Conv2dGeometry::square(2, 0);
  const Variable features = relu(of.conv("conv2", relu(of.conv("conv1", x, halving)), halving));  // [2,2,1,3]
  const Variable expected = of.fc("fc2", relu(of.fc("fc1", reshape(features, {2, 6}))));
  expect_close(network.forward(x, Pass::eval()).value(), expected.value(), "logits", 1e-9);
  const Pass training{.training = true, .random = &init.random};
  EXPECT_NE(network.forward(x, training).value().to_doubles(), expected.value().to_doubles()) << "dropout";
}

TEST(Networks, CdeepexVaeIsThePapersList) {
  TestInit init;
  CdeepexVae network(init, {.image = {3, 4, 1}, .hidden = {7, 5}, .code = 2});
  jitter(network, init.random);
  const Variable x(init.random.uniform({2, 3, 4, 1}, 0, 1, reference_device(), DType::f64));
  const Named of(network);
  const GaussianCode code = network.encode(x, Pass::eval());
  const Variable h = relu(of.fc("encoder.1", relu(of.fc("encoder.0", reshape(x, {2, 12})))));
  expect_close(code.mean.value(), of.fc("mean", h).value(), "mean");
  expect_close(code.log_variance.value(), of.fc("log_variance", h).value(), "log-variance");
  const Variable up = relu(of.fc("decoder.1", relu(of.fc("decoder.0", code.mean))));
  const Variable drawn = reshape(sigmoid(of.fc("decoder.2", up)), {2, 3, 4, 1});
  expect_close(network.decode(code.mean, Pass::eval()).value(), drawn.value(), "drawn");
}

TEST(Networks, PixeldaMatchesPyTorch) {
  TestInit init;
  const PixeldaOptions options{.image = {4, 6, 1}, .width = 3, .blocks = 1, .code = 2};
  PixeldaGenerator generator(init, options);
  const GoldenCase golden("networks", "pixelda_generator");
  check("pixelda_generator", generator,
        [&](const Variable& x) { return generator.forward(x, golden.at("z"), kTraining); });
  check(
      "pixelda_generator", generator,
      [&](const Variable& z) { return generator.forward(golden.at("x"), z, kTraining); }, "z");

  PixeldaDiscriminator discriminator(init, {.image = {8, 6, 1}, .width = 2, .dropout = 0, .noise = 0, .coarsest = 2});
  Random unused(1, "noise");
  Pass pass = Pass::train(unused);
  pass.update_statistics = false;
  check("pixelda_discriminator", discriminator, [&](const Variable& x) { return discriminator.forward(x, pass); });
}

}  // namespace
}  // namespace counterfoil::nn
