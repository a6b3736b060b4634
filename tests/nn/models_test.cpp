#include <algorithm>

#include "autograd/pointwise.h"
#include "autograd/pooling.h"
#include "autograd/reduction.h"
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

namespace counterfoil::nn {
namespace {

Tensor images(TestInit& init, const Shape& shape) {
  return init.random.uniform(shape, 0, 1, reference_device(), DType::f64);
}

std::string shape_of(const Variable& x) {
  return x.shape().to_string();
}

TEST(Models, HaveThePublishedParameterCounts) {
  TestInit init;
  EXPECT_EQ(UNet(init).parameter_count(), 204499);
  EXPECT_EQ(SyceDiscriminator(init).parameter_count(), 204961);
  EXPECT_EQ(LeNet(init).parameter_count(), 1198721);
  EXPECT_EQ(LeNet(init, {.outputs = 10}).parameter_count(), 1198721 - 129 + 1290);
  EXPECT_EQ(CdeepexClassifier(init).parameter_count(), 174840);
}

TEST(Models, CdeepexClassifierSeesDigitsAt64x64) {
  TestInit init;
  CdeepexClassifier network(init);
  const Tensor x = images(init, Shape{2, 28, 28, 1});
  const Variable large = resize(x, 64, 64, ResizeMode::bilinear);
  EXPECT_EQ(network.forward(x, Pass::eval()).value().to_doubles(),
            network.forward(large, Pass::eval()).value().to_doubles());
  EXPECT_THROW(network.forward(images(init, Shape{1, 28, 28, 3}), Pass::eval()), Error);
}

TEST(Models, HaveTheParameterCountsOfTheirTables) {
  TestInit init;
  // Weights and biases layer by layer.
  EXPECT_EQ(VaeEmbedding(init).parameter_count(), (160 + 4640 + 18496) + 2 * 6500 + (6464 + 65) + 101 * 1024 +
                                                      (64 * 9 * 32 + 32) + (32 * 9 * 16 + 16) + (16 * 9 + 1));
  EXPECT_EQ(CdeepexVae(init).parameter_count(),
            (4097 * 784 + 785 * 400) + 2 * 401 * 120 + (121 * 400 + 401 * 784 + 785 * 4096));
  EXPECT_EQ(GanmexClassifier(init).parameter_count(),
            (36 + 1) * 32 + (36 * 32 + 1) * 64 + (4 * 4 * 64 + 1) * 256 + 2570);
  // StarGAN: image and 10 class planes; two halvings; two 3x3 convolutions in each of 6 blocks; two doublings. Each
  // norm has twice its channels.
  EXPECT_EQ(StarganGenerator(init).parameter_count(), 49 * 11 * 64 + 16 * (64 * 128 + 128 * 256) + 12 * 9 * 256 * 256 +
                                                          16 * (256 * 128 + 128 * 64) + 49 * 64 +
                                                          2 * (64 + 128 + 256 + 12 * 256 + 128 + 64));
  const std::int64_t critic = (16 + 1) * 64 + (16 * 64 + 1) * 128 + (16 * 128 + 1) * 256 + 9 * 256;
  EXPECT_EQ(StarganCritic(init).parameter_count(), critic);
  EXPECT_EQ(StarganCritic(init, {.class_head = true}).parameter_count(), critic + 3 * 3 * 256 * 10);
  // PixelDA: the noise's plane; two 3x3 convolutions in each of 6 blocks; 28, 14, 7 and 4 rows in the discriminator.
  EXPECT_EQ(PixeldaGenerator(init).parameter_count(),
            10 * 784 + 2 * 784 + (9 * 2 + 1) * 64 + 12 * (9 * 64 * 64 + 2 * 64) + (64 + 1));
  EXPECT_EQ(PixeldaDiscriminator(init).parameter_count(),
            (9 + 1) * 64 + 9 * (64 * 128 + 128 * 256 + 256 * 512) + 2 * (128 + 256 + 512) + (4 * 4 * 512 + 1));
  const DcganOptions gray{.image = {64, 64, 1}};
  // CDeepEx, appendix 6.1: 4x4 filters 200-512-256-128-64-1 without biases, four batch norms.
  EXPECT_EQ(DcganGenerator(init, 200, gray).parameter_count(),
            16 * (200 * 512 + 512 * 256 + 256 * 128 + 128 * 64 + 64) + 2 * (512 + 256 + 128 + 64));
  EXPECT_EQ(DcganDiscriminator(init, gray).parameter_count(),
            (16 * 64 + 64) + 16 * (64 * 128 + 128 * 256 + 256 * 512) + 2 * (128 + 256 + 512) + (16 * 512 + 1));
}

// At 28x28x1, as docs/methods has them; ExplainGAN's and SyCE's are counted elsewhere.
TEST(Models, HaveTheParameterCountsOfTheMethodsPages) {
  TestInit init;
  const ImageShape digits = {28, 28, 1};
  EXPECT_EQ(StarganGenerator(init, {.image = digits}).parameter_count(), 8433664);
  EXPECT_EQ(StarganCritic(init, {.image = digits}).parameter_count(), 659136);
  EXPECT_EQ(PixeldaGenerator(init, {.image = digits}).parameter_count(), 454593);
  EXPECT_EQ(PixeldaDiscriminator(init, {.image = digits}).parameter_count(), 1558913);
  EXPECT_EQ(DcganGenerator(init, 120, {.image = digits}).parameter_count(), 885120);
  EXPECT_EQ(DcganDiscriminator(init, {.image = digits, .norm = false}).parameter_count(), 138561);
  EXPECT_EQ(CdeepexVae(init, {.image = digits}).parameter_count(), 2003904);
  EXPECT_EQ(UNet(init, {.extra_blocks = 2}).parameter_count(), 223123);  // SSyE
  // CycSAE: each head in the place of the last layer's 33.
  EXPECT_EQ(UNet(init, {.heads = 2, .head_widths = {32, 16}}).parameter_count(), 204499 - 33 + 2 * 13889);
}

TEST(UNet, GivesImagesInRange) {
  for (const UNetOutput output : {UNetOutput::clip, UNetOutput::sigmoid}) {
    TestInit init;
    UNet network(init, {.channels = 2, .outputs = 2, .widths = {3, 4, 5}, .output = output});
    const Variable y = network.forward(Variable(images(init, {2, 8, 12, 2})), Pass::train(init.random));
    EXPECT_EQ(shape_of(y), "[2, 8, 12, 2]");
    const auto values = y.value().to_doubles();
    EXPECT_GE(*std::min_element(values.begin(), values.end()), 0);
    EXPECT_LE(*std::max_element(values.begin(), values.end()), 1);
  }
}

TEST(UNet, GradientMatchesDifferences) {
  TestInit init;
  UNet network(init, {.widths = {2, 3},
                      .extra_blocks = 1,
                      .dropout = 0,
                      .output = UNetOutput::identity,
                      .heads = 2,
                      .head_widths = {2}});
  jitter(network, init.random);
  const Variable x = Variable::leaf(images(init, {2, 4, 6, 1}));
  Variables leaves = network.parameters();
  leaves.push_back(x);
  const auto loss = [&] {
    const Variables y = network.forward_heads(x, {.training = true, .update_statistics = false});
    return sum(square(y[0])) + sum(square(y[1] - 0.5));
  };
  expect_gradient(loss, leaves, 2e-5, 4);
}

TEST(UNet, NamesItsPartsAndSaysWhatItNeeds) {
  TestInit init;
  UNet network(init, {.widths = {2, 3, 4}});
  const auto state = network.state();
  for (const char* name : {"entry.0.norm.running_mean", "down.1.widen.conv.weight", "down.0.residual.2.conv.bias",
                           "up.1.0.norm.weight", "heads.0.output.weight"}) {
    EXPECT_TRUE(state.contains(name)) << name;
  }
  EXPECT_THROW(network.forward(Variable(images(init, {1, 6, 8, 1})), Pass::eval()), Error);
  EXPECT_THROW(network.forward(Variable(images(init, {1, 8, 8, 3})), Pass::eval()), Error);
  EXPECT_THROW(UNet(init, {.widths = {4}}), Error);
}

TEST(Dcgan, FitsEveryUsualExtent) {
  for (const std::int64_t extent : {28, 32, 64}) {
    TestInit init;
    const DcganOptions options{.image = {extent, extent, 1}, .width = 2};
    DcganEncoder encoder(init, 6, options);
    DcganDiscriminator discriminator(init, options);
    DcganGenerator generator(init, 6, options);
    const Pass pass{.training = true};
    const Variable z = encoder.forward(Variable(images(init, {2, extent, extent, 1})), pass);
    EXPECT_EQ(shape_of(z), "[2, 6]");
    const Variable x = generator.forward(z, pass);
    EXPECT_EQ(x.shape().to_string(), (Shape{2, extent, extent, 1}).to_string());
    EXPECT_EQ(shape_of(discriminator.forward(x, pass)), "[2, 1]");
    EXPECT_THROW(encoder.forward(Variable(images(init, {1, 16, 16, 1})), pass), Error);
  }
}

TEST(Dcgan, PartsMakeTheWhole) {
  TestInit init;
  DcganOptions options{.image = {32, 32, 1}, .width = 2};
  DcganEncoder whole(init, 3, options);
  options.last = 2;
  DcganEncoder own(init, 3, options);
  options.first = 2;
  options.last = -1;
  DcganEncoder shared(init, 3, options);
  auto state = whole.state();
  std::map<std::string, Tensor> first, second;
  for (const auto& [name, tensor] : state) {
    const int layer = name[7] - '0';
    std::string moved = name;
    moved[7] = static_cast<char>('0' + (layer < 2 ? layer : layer - 2));
    (layer < 2 ? first : second).emplace(moved, tensor);
  }
  own.load_state(first);
  shared.load_state(second);
  const Variable x(images(init, {2, 32, 32, 1}));
  EXPECT_EQ(shared.forward(own.forward(x, Pass::eval()), Pass::eval()).value().to_doubles(),
            whole.forward(x, Pass::eval()).value().to_doubles());
  options.first = 4;
  EXPECT_THROW(DcganEncoder(init, 3, options), Error);
}

PeResnetOptions small_pe() {
  return {.image = {16, 16, 1}, .widths = {2, 3, 4}, .bins = 4};
}

TEST(PeResnet, RunsThroughItsShapes) {
  TestInit init;
  PeEncoder encoder(init, small_pe());
  PeGenerator generator(init, small_pe());
  PeDiscriminator discriminator(init, small_pe());
  const Pass pass{.training = true};
  const Variable x(images(init, {2, 16, 16, 1}));
  const Variable z = encoder.forward(x, {}, pass);
  EXPECT_EQ(shape_of(z), "[2, 4, 4, 4]");
  const Variable y = generator.forward(z, labels_of({0, 3}), pass);
  EXPECT_EQ(shape_of(y), "[2, 16, 16, 1]");
  EXPECT_EQ(shape_of(discriminator.forward(y, labels_of({0, 3}), pass)), "[2, 1]");
  EXPECT_THROW(PeEncoder(init, {.image = {18, 16, 1}, .widths = {2, 3, 4}}), Error);
}

TEST(PeResnet, ThePublishedSizesAreWhatTheNotesSay) {
  TestInit init;
  Init small{init.random, reference_device(), DType::f32, zeros()};
  const auto block = [](std::int64_t in, std::int64_t out) { return 9 * in * out + out + 9 * out * out + out; };
  const auto skip = [](std::int64_t in, std::int64_t out) { return in * out + out; };
  const std::vector<std::int64_t> w = {64, 128, 256, 512, 1024, 1024};
  std::int64_t generator = 2 * 64 + (9 * 64 * 3 + 3), discriminator = 0, in = 3;
  for (std::size_t i = w.size() - 1; i-- > 0;) {
    generator += block(w[i + 1], w[i]) + skip(w[i + 1], w[i]) + 10 * 2 * (w[i + 1] + w[i]);
  }
  for (std::size_t i = 0; i < w.size(); ++i) {
    discriminator += block(in, w[i]) + (i + 1 < w.size() ? skip(in, w[i]) : 0);
    in = w[i];
  }
  discriminator += 1024 + 1 + 9 * 1024;
  EXPECT_EQ(PeGenerator(small).parameter_count(), generator);
  EXPECT_EQ(PeDiscriminator(small).parameter_count(), discriminator);
}

TEST(PeResnet, LabelsChangeTheImageAndTheLogit) {
  TestInit init;
  PeGenerator generator(init, small_pe());
  auto state = generator.state();
  state.at("blocks.0.norm2.bias") =
      init.random.normal(state.at("blocks.0.norm2.bias").shape(), 0, 1, reference_device(), DType::f64);
  generator.load_state(state);
  PeDiscriminator discriminator(init, small_pe());
  const Variable z(init.random.normal({1, 4, 4, 4}, 0, 1, reference_device(), DType::f64));
  const Variable a = generator.forward(z, labels_of({0}), Pass::eval());
  const Variable b = generator.forward(z, labels_of({1}), Pass::eval());
  EXPECT_NE(a.value().to_doubles(), b.value().to_doubles());
  EXPECT_NE(discriminator.forward(a, labels_of({0}), Pass::eval()).item(),
            discriminator.forward(a, labels_of({1}), Pass::eval()).item());
}

TEST(PeResnet, DiscriminatorGradientMatchesDifferences) {
  TestInit init;
  PeDiscriminator discriminator(init, {.image = {4, 4, 1}, .widths = {2, 3}, .bins = 3});
  jitter(discriminator, init.random);
  const Variable x = Variable::leaf(images(init, {2, 4, 4, 1}));
  Variables leaves = discriminator.parameters();
  leaves.push_back(x);
  const Pass still{.training = true, .update_statistics = false};
  expect_gradient([&] { return sum(square(discriminator.forward(x, labels_of({2, 1}), still))); }, leaves, 1e-5, 4);
}

TEST(Stargan, RunsThroughItsShapes) {
  TestInit init;
  const StarganOptions options{.image = {12, 8, 1}, .classes = 3, .width = 2, .blocks = 1};
  StarganGenerator generator(init, options);
  StarganCritic critic(init, options);
  const Variable x(images(init, {2, 12, 8, 1}));
  const Variable y = generator.forward(x, labels_of({0, 2}), Pass::eval());
  EXPECT_EQ(shape_of(y), "[2, 12, 8, 1]");
  EXPECT_NE(y.value().to_doubles(), generator.forward(x, labels_of({1, 2}), Pass::eval()).value().to_doubles());
  EXPECT_EQ(shape_of(critic.forward(y, Pass::eval())), "[2, 1]");
  for (const auto& [name, tensor] : generator.state()) EXPECT_FALSE(name.ends_with("conv.bias")) << name;
  EXPECT_EQ(StarganCritic(init).parameters().size(), 2 * 3 + 1U)
      << "28x28: three strided convolutions, then the output";
  EXPECT_THROW(generator.forward(x, labels_of({0}), Pass::eval()), Error);
  EXPECT_THROW(critic.class_logits(y, Pass::eval()), Error);
  StarganOptions with_head = options;
  with_head.class_head = true;
  EXPECT_EQ(shape_of(StarganCritic(init, with_head).class_logits(y, Pass::eval())), "[2, 3]");
}

TEST(Pixelda, RunsThroughItsShapesAndListensToTheNoise) {
  TestInit init;
  const PixeldaOptions options{.image = {9, 6, 2}, .width = 2, .blocks = 1, .code = 3};
  PixeldaGenerator generator(init, options);
  PixeldaDiscriminator discriminator(init, options);
  const Variable x(images(init, {2, 9, 6, 2})), z(images(init, {2, 3}));
  const Variable y = generator.forward(x, z, Pass::eval());
  EXPECT_EQ(shape_of(y), "[2, 9, 6, 2]");
  EXPECT_NE(y.value().to_doubles(), generator.forward(x, -z, Pass::eval()).value().to_doubles());
  EXPECT_EQ(shape_of(discriminator.forward(y, Pass::eval())), "[2, 1]");
  // Dropout and noise disturb it in training alone.
  const auto judged = [&](const Pass& pass) { return discriminator.forward(y, pass).value().to_doubles(); };
  const Pass training{.training = true, .random = &init.random, .update_statistics = false};
  EXPECT_EQ(judged(Pass::eval()), judged(Pass::eval()));
  EXPECT_NE(judged(training), judged(training));
  const Variable leaf = Variable::leaf(z.value());
  Variables leaves = generator.parameters();
  leaves.push_back(leaf);
  expect_gradient([&] { return sum(square(generator.forward(x, leaf, training))); }, leaves, 1e-5, 4);
}

TEST(Vae, CodesAndDecodesOddExtents) {
  TestInit init;
  VaeEmbedding network(init, {.image = {11, 6, 2}, .widths = {2, 3}, .code = 4, .hidden = 3});
  const Variable x(images(init, {3, 11, 6, 2}));
  const GaussianCode code = network.encode(x, Pass::eval());
  EXPECT_EQ(shape_of(code.log_variance), "[3, 4]");
  EXPECT_EQ(network.forward(x, Pass::eval()).value().to_doubles(), code.mean.value().to_doubles());
  EXPECT_EQ(shape_of(network.decode(sample(code, init.random), Pass::eval())), "[3, 11, 6, 2]");
  EXPECT_EQ(shape_of(network.decision_logits(code.mean, Pass::eval())), "[3, 1]");

  CdeepexVae linear_network(init, {.image = {4, 3, 1}, .hidden = {5}, .code = 2});
  const GaussianCode flat = linear_network.encode(Variable(images(init, {2, 4, 3, 1})), Pass::eval());
  EXPECT_EQ(shape_of(linear_network.decode(flat.mean, Pass::eval())), "[2, 4, 3, 1]");
}

TEST(Vae, SamplesHaveTheMeanAndTheVariance) {
  TestInit init;
  const GaussianCode code{Variable(Tensor::full({4000, 1}, 3, DType::f64, reference_device())),
                          Variable(Tensor::full({4000, 1}, std::log(4.0), DType::f64, reference_device()))};
  double mean = 0, squares = 0;
  for (const double value : sample(code, init.random).value().to_doubles()) {
    mean += value / 4000;
    squares += (value - 3) * (value - 3) / 4000;
  }
  EXPECT_NEAR(mean, 3, 0.16);
  EXPECT_NEAR(squares, 4, 0.45);
}

}  // namespace
}  // namespace counterfoil::nn
