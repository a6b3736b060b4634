#include "autograd/shaping.h"
#include "nn/models/dcgan.h"
#include "nn/models/lenet.h"
#include "nn/models/pe_resnet.h"
#include "nn/models/pixelda.h"
#include "nn/models/stargan.h"
#include "nn/models/syce_discriminator.h"
#include "nn/models/unet.h"
#include "nn/models/vae_embedding.h"
#include "tests/nn/golden.h"

// Whole networks against PyTorch, built there from the names and layouts that a checkpoint has.

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
