#include "autograd/convolution.h"
#include "autograd/pooling.h"
#include "nn/batch_norm.h"
#include "nn/conditional_batch_norm.h"
#include "nn/conv2d.h"
#include "nn/conv_transpose2d.h"
#include "nn/embedding.h"
#include "nn/instance_norm.h"
#include "nn/linear.h"
#include "tests/nn/golden.h"

namespace counterfoil::nn {
namespace {

using Roles = std::map<std::string, std::string>;

Roles weight_and_bias(const GoldenCase& golden) {
  Roles roles = {{"weight", "weight"}};
  if (golden.has("bias")) roles["bias"] = "bias";
  return roles;
}

Conv2dGeometry geometry_of(const GoldenCase& golden) {
  const auto stride = golden.attribute<std::vector<int>>("stride");
  const auto padding = golden.attribute<std::vector<int>>("padding");
  const auto dilation = golden.attribute<std::vector<int>>("dilation");
  return {.stride_h = stride[0],
          .stride_w = stride[1],
          .pad_top = padding[0],
          .pad_bottom = padding[1],
          .pad_left = padding[2],
          .pad_right = padding[3],
          .dilation_h = dilation[0],
          .dilation_w = dilation[1],
          .groups = golden.attribute<int>("groups")};
}

TEST(Layers, LinearMatchesGolden) {
  for (const std::string& name : golden_cases("linear")) {
    const GoldenCase golden("linear", name);
    const Shape& w = golden.at("weight").shape();
    TestInit init;
    Linear layer(init, w[1], w[0], {.bias = golden.has("bias")});
    golden.check(layer, weight_and_bias(golden), [&](const Variable& x) { return layer.forward(x, Pass::eval()); });
  }
}

TEST(Layers, Conv2dMatchesGolden) {
  for (const std::string& name : golden_cases("conv2d")) {
    const GoldenCase golden("conv2d", name);
    const Shape& w = golden.at("weight").shape();
    const Conv2dGeometry geometry = geometry_of(golden);
    TestInit init;
    Conv2d layer(init, w[3] * geometry.groups, w[0], {w[1], w[2]}, {.geometry = geometry, .bias = golden.has("bias")});
    golden.check(layer, weight_and_bias(golden), [&](const Variable& x) { return layer.forward(x, Pass::eval()); });
  }
}

// Against the convolution and the resizing one after the other, also where the CPU takes Winograd's form.
TEST(Layers, ResizedConv2dIsAConvolutionAndAResizing) {
  struct Case {
    Device& device;
    DType dtype;
    std::int64_t in, out;
    double tolerance;
  };
  const Conv2dGeometry plain = Conv2dGeometry::square(1, 1);
  for (const Case& c :
       {Case{reference_device(), DType::f64, 2, 3, 1e-12}, Case{cpu_device(), DType::f32, 32, 48, 5e-5}}) {
    for (const Resize resize : {Resize::up, Resize::down}) {
      Random random(11, "resized convolution");
      Conv2d layer({random, c.device, c.dtype}, c.in, c.out, 3, {.geometry = plain, .resize = resize});
      const Variable weight = layer.parameters().at(0), bias = layer.parameters().at(1);
      Variable(bias).set_value(random.normal({c.out}, 0, 1, c.device, c.dtype));
      const Variable x = Variable::leaf(random.normal({2, 9, 8, c.in}, 0, 1, c.device, c.dtype));
      const Variable found = layer.forward(x, Pass::eval());
      const Variable expected = resize == Resize::up
                                    ? conv2d(upsample2x(x), weight, bias, plain)
                                    : avg_pool(conv2d(x, weight, bias, plain), PoolGeometry::square(2, 2));
      ASSERT_EQ(found.shape(), expected.shape());
      expect_close(found.value(), expected.value(), "y", c.tolerance);
      const Variable d_y = random.normal(found.shape(), 0, 0.1, c.device, c.dtype);
      const Variables wanted = {x, weight, bias};
      const Variables d_found = grad({found}, wanted, {.d_outputs = {d_y}});
      const Variables d_expected = grad({expected}, wanted, {.d_outputs = {d_y}});
      for (std::size_t i = 0; i < wanted.size(); ++i)
        expect_close(d_found[i].value(), d_expected[i].value(), "gradient", c.tolerance);
    }
  }
  TestInit init;
  EXPECT_THROW(Conv2d(init, 2, 2, 3, {.resize = Resize::up}), Error);  // no padding
  EXPECT_THROW(Conv2d(init, 2, 2, 3, {.geometry = plain, .activation = Activation::relu, .resize = Resize::down}),
               Error);
}

TEST(Layers, ConvTranspose2dMatchesGolden) {
  for (const std::string& name : golden_cases("conv_transpose2d")) {
    const GoldenCase golden("conv_transpose2d", name);
    const Shape& w = golden.at("weight").shape();
    const Conv2dGeometry geometry = geometry_of(golden);
    const auto output_padding = golden.attribute<std::vector<int>>("output_padding");
    TestInit init;
    ConvTranspose2d layer(init, w[0], w[3] * geometry.groups, {w[1], w[2]},
                          {.geometry = geometry,
                           .output_padding_h = output_padding[0],
                           .output_padding_w = output_padding[1],
                           .bias = golden.has("bias")});
    golden.check(layer, weight_and_bias(golden), [&](const Variable& x) { return layer.forward(x, Pass::eval()); });
  }
}

TEST(Layers, ConvolutionsRefuseImpossibleOptions) {
  TestInit init;
  EXPECT_THROW(Conv2d(init, 4, 6, 3, {.geometry = Conv2dGeometry::square(1, 1, 1, 3)}), Error);
  EXPECT_THROW(ConvTranspose2d(init, 4, 6, 3, {.geometry = Conv2dGeometry::square(2, 1), .output_padding_h = 2}),
               Error);
}

TEST(Layers, BatchNormMatchesGolden) {
  for (const char* prefix : {"train", "eval"}) {
    for (const std::string& name : golden_cases("batch_norm", prefix)) {
      const GoldenCase golden("batch_norm", name);
      const bool training = golden.attribute<bool>("train");
      TestInit init;
      BatchNorm layer(init, golden.at("gamma").size(),
                      {.epsilon = golden.attribute<double>("eps"),
                       .momentum = training ? golden.attribute<double>("momentum") : 0});
      const std::string before = training ? "_before" : "";
      golden.check(layer,
                   {{"weight", "gamma"},
                    {"bias", "beta"},
                    {"running_mean", "running_mean" + before},
                    {"running_var", "running_var" + before}},
                   [&](const Variable& x) { return layer.forward(x, {.training = training}); });
      const auto after = layer.state();
      expect_close(after.at("running_mean"), golden.at("running_mean"), name + ".running_mean");
      expect_close(after.at("running_var"), golden.at("running_var"), name + ".running_var");
    }
  }
}

TEST(Layers, BatchNormOfRowsIsThatOfOnePixelImages) {
  const GoldenCase golden("batch_norm", "train_rows");
  const Tensor x = golden.at("x");
  TestInit init;
  BatchNorm layer(init, x.shape()[3]);
  const Pass pass{.training = true};
  const Tensor images = layer.forward(Variable(x), pass).value();
  const Tensor rows = layer.forward(Variable(x.reshape({x.shape()[0], -1})), pass).value();
  EXPECT_EQ(rows.shape().to_string(), x.reshape({x.shape()[0], -1}).shape().to_string());
  EXPECT_EQ(rows.to_doubles(), images.to_doubles());
}

TEST(Layers, ConditionalBatchNormMatchesGolden) {
  for (const std::string& name : golden_cases("batch_norm", "conditional")) {
    const GoldenCase golden("batch_norm", name);
    const Shape& table = golden.at("gamma").shape();
    TestInit init;
    ConditionalBatchNorm layer(init, table[1], table[0], {.epsilon = golden.attribute<double>("eps")});
    golden.check(layer, {{"weight", "gamma"}, {"bias", "beta"}},
                 [&](const Variable& x) { return layer.forward(x, golden.labels("labels"), {.training = true}); });
  }
}

TEST(Layers, InstanceNormMatchesGolden) {
  for (const std::string& name : golden_cases("instance_norm")) {
    const GoldenCase golden("instance_norm", name);
    const bool affine = golden.has("gamma");
    TestInit init;
    InstanceNorm layer(init, golden.at("x").shape()[3], {.epsilon = golden.attribute<double>("eps"), .affine = affine});
    golden.check(layer, affine ? Roles{{"weight", "gamma"}, {"bias", "beta"}} : Roles{},
                 [&](const Variable& x) { return layer.forward(x, Pass::eval()); });
  }
}

TEST(Layers, EmbeddingMatchesGolden) {
  for (const std::string& name : golden_cases("embedding")) {
    const GoldenCase golden("embedding", name);
    const Shape& table = golden.at("weight").shape();
    TestInit init;
    Embedding layer(init, table[0], table[1]);
    layer.load_state({{"weight", golden.at("weight")}});
    const Variable y = layer.forward(golden.labels("index"), Pass::eval());
    expect_close(y.value(), golden.at("y"), name);
    const Variables gradients = grad({y}, layer.parameters(), {.d_outputs = {Variable(golden.at("d_y"))}});
    expect_close(gradients.front().value(), golden.at("d_weight"), name + ".d_weight");
  }
}

}  // namespace
}  // namespace counterfoil::nn
