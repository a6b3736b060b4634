#include "tests/golden/golden.h"

#include <array>
#include <functional>
#include <map>

#include <gtest/gtest.h>

// Operations against PyTorch in f64: forward and gradients, and the gradient penalty's second order.

namespace counterfoil {
namespace {

using golden::Case;
using golden::File;

Conv2dGeometry convolution_geometry(const Case& c) {
  const auto stride = c.attribute<std::array<int, 2>>("stride");
  const auto dilation = c.attribute<std::array<int, 2>>("dilation");
  const auto padding = c.attribute<std::array<int, 4>>("padding");
  return {.stride_h = stride[0],
          .stride_w = stride[1],
          .pad_top = padding[0],
          .pad_bottom = padding[1],
          .pad_left = padding[2],
          .pad_right = padding[3],
          .dilation_h = dilation[0],
          .dilation_w = dilation[1],
          .groups = c.attribute<int>("groups")};
}

PoolGeometry pool_geometry(const Case& c) {
  const auto kernel = c.attribute<std::array<int, 2>>("kernel");
  const auto stride = c.attribute<std::array<int, 2>>("stride");
  const auto padding = c.attribute<std::array<int, 4>>("padding");
  return {.kernel_h = kernel[0],
          .kernel_w = kernel[1],
          .stride_h = stride[0],
          .stride_w = stride[1],
          .pad_top = padding[0],
          .pad_bottom = padding[1],
          .pad_left = padding[2],
          .pad_right = padding[3],
          .count_padding = c.attributes().value("count_padding", false)};
}

TEST(Golden, Linear) {
  const File file("linear");
  for (const Case& c : file.cases()) {
    const Variable x = c.leaf("x"), weight = c.leaf("weight"), bias = c.leaf("bias");
    c.expect(linear(x, weight, bias), {{"x", x}, {"weight", weight}, {"bias", bias}});
  }
}

TEST(Golden, Convolution) {
  const File file("conv2d");
  for (const Case& c : file.cases()) {
    const Variable x = c.leaf("x"), weight = c.leaf("weight"), bias = c.leaf("bias");
    c.expect(conv2d(x, weight, bias, convolution_geometry(c)), {{"x", x}, {"weight", weight}, {"bias", bias}});
  }
}

TEST(Golden, TransposedConvolution) {
  const File file("conv_transpose2d");
  for (const Case& c : file.cases()) {
    const Variable x = c.leaf("x"), weight = c.leaf("weight"), bias = c.leaf("bias");
    const Shape& y = c.tensor("y").shape();
    c.expect(conv_transpose2d(x, weight, bias, convolution_geometry(c), y[1], y[2]),
             {{"x", x}, {"weight", weight}, {"bias", bias}});
  }
}

TEST(Golden, BatchNorm) {
  const File file("batch_norm");
  for (const Case& c : file.cases()) {
    const Variable x = c.leaf("x"), gamma = c.leaf("gamma"), beta = c.leaf("beta");
    const auto epsilon = c.attribute<double>("eps");
    const bool conditional = c.starts_with("conditional");
    const Variable scale = conditional ? gather_rows(gamma, c.indices("labels")) : gamma;
    const Variable shift = conditional ? gather_rows(beta, c.indices("labels")) : beta;
    Variable y;
    if (c.attribute<bool>("train")) {
      Tensor mean, variance;
      y = normalise(x, scale, shift, {.epsilon = epsilon}, &mean, &variance);
      if (!conditional) {
        c.expect_equal(mean, "batch_mean");
        c.expect_equal(variance, "batch_var");
      }
      c.expect_equal(normalise_composed(x, scale, shift, {.epsilon = epsilon}).value(), "y");
    } else {
      const Shape row = {1, x.shape()[3]};
      y = normalise_with(x, scale, shift, c.tensor("running_mean").reshape(row), c.tensor("running_var").reshape(row),
                         epsilon);
    }
    c.expect(y, {{"x", x}, {"gamma", gamma}, {"beta", beta}});
  }
}

TEST(Golden, InstanceNorm) {
  const File file("instance_norm");
  for (const Case& c : file.cases()) {
    const Variable x = c.leaf("x"), gamma = c.leaf("gamma"), beta = c.leaf("beta");
    const Shape channels = {x.shape()[3]};
    const Variable ones = Tensor::full(channels, 1, DType::f64, reference_device());
    const Variable zeros = Tensor::zeros(channels, DType::f64, reference_device());
    const NormAttribute options{.epsilon = c.attribute<double>("eps"), .per_image = true};
    c.expect(normalise(x, gamma.defined() ? gamma : ones, beta.defined() ? beta : zeros, options),
             {{"x", x}, {"gamma", gamma}, {"beta", beta}});
  }
}

TEST(Golden, SpectralNorm) {
  const File file("spectral_norm");
  for (const Case& c : file.cases()) {
    const Variable weight = c.leaf("weight");
    const std::int64_t rows = weight.shape()[0];
    const Variable matrix = flatten(weight);
    Tensor u = c.tensor("u").clone();
    Tensor v = Tensor::zeros({matrix.shape()[1]}, DType::f64, reference_device());
    power_iteration(u, v, matrix.value(), c.attribute<int>("iterations"), c.attribute<double>("eps"));
    c.expect_equal(u, "u_after");
    c.expect_equal(v, "v_after");
    const Variable sigma = matmul(matmul(u.reshape({1, rows}), matrix), v.reshape({-1, 1}));
    c.expect_equal(sigma.value(), "sigma");
    c.expect(reshape(matrix / sigma, weight.shape()), {{"weight", weight}});
  }
}

TEST(Golden, Embedding) {
  const File file("embedding");
  for (const Case& c : file.cases()) {
    const Variable weight = c.leaf("weight");
    c.expect(gather_rows(weight, c.indices("index")), {{"weight", weight}});
  }
}

TEST(Golden, Pooling) {
  const File file("pooling");
  for (const Case& c : file.cases()) {
    const Variable x = c.leaf("x");
    Variable y;
    if (c.starts_with("global_avg")) {
      y = global_avg_pool(x);
    } else if (c.starts_with("global_sum")) {
      y = global_sum_pool(x);
    } else if (c.starts_with("max")) {
      y = max_pool(x, pool_geometry(c));
    } else {
      y = avg_pool(x, pool_geometry(c));
    }
    c.expect(y, {{"x", x}});
  }
}

TEST(Golden, Upsampling) {
  const File file("upsampling");
  for (const Case& c : file.cases()) {
    if (c.starts_with("upsample_concat")) {
      const Variable low = c.leaf("low"), skip = c.leaf("skip");
      c.expect(upsample_concat(low, skip), {{"low", low}, {"skip", skip}});
      continue;
    }
    const Variable x = c.leaf("x");
    const auto size = c.attribute<std::array<std::int64_t, 2>>("size");
    const ResizeMode mode = c.starts_with("nearest") ? ResizeMode::nearest : ResizeMode::bilinear;
    c.expect(resize(x, size[0], size[1], mode), {{"x", x}});
  }
}

TEST(Golden, Rearranging) {
  const File file("rearranging");
  for (const Case& c : file.cases()) {
    if (c.starts_with("concat")) {
      std::vector<std::pair<std::string, Variable>> roles;
      Variables parts;
      for (const char* role : {"a", "b", "c"}) {
        if (!c.has(role)) continue;
        parts.push_back(c.leaf(role));
        roles.emplace_back(role, parts.back());
      }
      c.expect(concat(parts, c.attribute<int>("axis")), roles);
      continue;
    }
    const Variable x = c.leaf("x");
    const Shape& y = c.tensor("y").shape();
    if (c.starts_with("slice")) {
      c.expect(slice(x, y, c.attribute<std::vector<std::int64_t>>("begin")), {{"x", x}});
      continue;
    }
    // A border of another value than zero is a border of zeros around x - value, shifted back.
    const auto before = c.attribute<std::array<std::int64_t, 2>>("before");
    const auto value = c.attribute<double>("value");
    const std::vector<std::int64_t> begin = {0, before[0], before[1], 0};
    c.expect(pad(x - value, y, begin) + value, {{"x", x}});
  }
}

TEST(Golden, Activations) {
  using Function = std::function<Variable(const Variable&, const Case&)>;
  const std::vector<std::pair<const char*, Function>> functions = {
      {"relu", [](const Variable& x, const Case&) { return relu(x); }},
      {"leaky_relu", [](const Variable& x, const Case& c) { return leaky_relu(x, c.attribute<double>("slope")); }},
      {"tanh", [](const Variable& x, const Case&) { return tanh(x); }},
      {"sigmoid", [](const Variable& x, const Case&) { return sigmoid(x); }},
      {"softplus", [](const Variable& x, const Case&) { return softplus(x); }},
      {"clip", [](const Variable& x,
                  const Case& c) { return clip(x, c.attribute<double>("low"), c.attribute<double>("high")); }},
      {"softmax", [](const Variable& x, const Case&) { return softmax(x); }},
      {"log_softmax", [](const Variable& x, const Case&) { return log_softmax(x); }},
  };
  const File file("activations");
  for (const Case& c : file.cases()) {
    bool found = false;
    for (const auto& [prefix, function] : functions) {
      if (!c.starts_with(prefix)) continue;
      const Variable x = c.leaf("x");
      c.expect(function(x, c), {{"x", x}});
      found = true;
    }
    EXPECT_TRUE(found) << c.name();
  }
}

TEST(Golden, Images) {
  const File file("images");
  for (const Case& c : file.cases()) {
    const Variable x = c.leaf("x");
    if (c.starts_with("gaussian_blur")) {
      const auto sigma = c.attribute<double>("sigma");
      const Border border = c.attribute<std::string>("border") == "zero" ? Border::zero : Border::replicate;
      const Tensor taps = gaussian_taps(sigma, DType::f64, reference_device());
      c.expect_equal(taps, "taps");
      c.expect(gaussian_blur(x, taps, border), {{"x", x}});
    } else {
      const Shape& y = c.tensor("y").shape();
      c.expect(affine_warp(x, c.tensor("theta"), y[1], y[2]), {{"x", x}});
    }
  }
}

TEST(Golden, Losses) {
  const File file("losses");
  int checked = 0;
  for (const Case& c : file.cases()) {
    ++checked;
    const Variable logits = c.leaf("logits"), real = c.leaf("real"), fake = c.leaf("fake");
    if (c.starts_with("bce")) {
      c.expect(bce_with_logits(logits, Variable(c.tensor("targets"))), {{"logits", logits}});
    } else if (c.starts_with("cross_entropy_per_row")) {
      c.expect(cross_entropy_per_row(logits, c.indices("labels")), {{"logits", logits}});
    } else if (c.starts_with("cross_entropy")) {
      c.expect(cross_entropy(logits, c.indices("labels")), {{"logits", logits}});
    } else if (c.starts_with("gaussian_kl")) {
      const Variable mean = c.leaf("mean"), log_variance = c.leaf("log_variance");
      c.expect(gaussian_kl(mean, log_variance), {{"mean", mean}, {"log_variance", log_variance}});
    } else if (c.starts_with("categorical_kl")) {
      const Variable p = c.leaf("p"), q = c.leaf("q");
      c.expect(categorical_kl(p, q, c.attribute<double>("epsilon")), {{"p", p}, {"q", q}});
    } else if (c.starts_with("l1") || c.starts_with("l2")) {
      const Variable a = c.leaf("a"), b = c.leaf("b");
      c.expect(c.starts_with("l1") ? l1_loss(a, b) : l2_loss(a, b), {{"a", a}, {"b", b}});
    } else if (c.starts_with("hinge_discriminator")) {
      c.expect(hinge_discriminator(real, fake), {{"real", real}, {"fake", fake}});
    } else if (c.starts_with("hinge_generator")) {
      c.expect(hinge_generator(fake), {{"fake", fake}});
    } else if (c.starts_with("non_saturating_discriminator")) {
      c.expect(bce_with_logits(real, 1.0) + bce_with_logits(fake, 0.0), {{"real", real}, {"fake", fake}});
    } else if (c.starts_with("non_saturating_generator")) {
      c.expect(bce_with_logits(fake, 1.0), {{"fake", fake}});
    } else if (c.starts_with("wasserstein_critic")) {
      c.expect(mean(fake) - mean(real), {{"real", real}, {"fake", fake}});
    } else if (c.starts_with("total_variation")) {
      const Variable x = c.leaf("x");
      c.expect(total_variation(x, c.attribute<double>("beta")), {{"x", x}});
    } else {
      ADD_FAILURE() << "unknown loss " << c.name();
    }
  }
  EXPECT_GE(checked, 25);
}

/// The critics of generate_losses.py, by case; `fused` puts the activations into the epilogues.
Variable critic(const Case& c, std::map<std::string, Variable>& p, const Variable& x, bool fused) {
  const Conv2dGeometry same = Conv2dGeometry::square(1, 1);
  const Conv2dGeometry strided = Conv2dGeometry::square(2, 1);
  const auto conv = [&](const Variable& input, const char* layer, const Conv2dGeometry& geometry,
                        Activation activation) {
    const std::string number(1, layer[4]);
    const Variable bias = p.contains("bias" + number) ? p.at("bias" + number) : Variable();
    if (fused) return conv2d(input, p.at(layer), bias, geometry, activation, 0.2);
    return activate(conv2d(input, p.at(layer), bias, geometry), activation, 0.2);
  };
  Variable h;
  if (c.starts_with("strided_leaky")) {
    h = conv(conv(x, "conv1", strided, Activation::leaky_relu), "conv2", strided, Activation::leaky_relu);
  } else if (c.starts_with("smooth")) {
    h = avg_pool(conv(x, "conv1", same, Activation::tanh), PoolGeometry::square(2, 2));
    h = conv(h, "conv2", strided, Activation::sigmoid);
  } else if (c.starts_with("instance_norm")) {
    NormAttribute options{.epsilon = 1e-5, .slope = 0.2, .per_image = true};
    if (fused) options.activation = Activation::leaky_relu;
    h = normalise(conv(x, "conv1", same, Activation::identity), p.at("gamma"), p.at("beta"), options);
    h = conv(fused ? h : leaky_relu(h, 0.2), "conv2", strided, Activation::identity);
  } else {
    h = max_pool(softplus(conv(x, "conv1", same, Activation::identity)), PoolGeometry::square(2, 2));
    h = global_sum_pool(conv(upsample2x(h), "conv2", same, Activation::tanh));
  }
  return linear(flatten(h), p.at("linear"), p.at("linear_bias"));
}

TEST(Golden, GradientPenalty) {
  const File file("gradient_penalty");
  for (const Case& c : file.cases()) {
    for (const bool fused : {false, true}) {
      std::map<std::string, Variable> parameters;
      for (const char* role : {"conv1", "bias1", "conv2", "bias2", "gamma", "beta", "linear", "linear_bias"}) {
        if (c.has(role)) parameters[role] = c.leaf(role);
      }
      const Variable real = c.leaf("real"), fake = c.leaf("fake");
      const Variable at = real + Variable(c.tensor("u")) * (fake - real);
      const Variable score = critic(c, parameters, at, fused);
      c.expect_equal(score.value(), "score");
      const Variable gradient = grad({sum(score)}, {at}, {.create_graph = true})[0];
      c.expect_equal(gradient.value(), "gradient");
      const Variable norm = norm_per_image(gradient, c.attribute<double>("epsilon"));
      c.expect_equal(norm.value(), "norm");
      std::vector<std::pair<std::string, Variable>> roles(parameters.begin(), parameters.end());
      roles.emplace_back("real", real);
      roles.emplace_back("fake", fake);
      c.expect(mean(square(norm - 1)), roles);
    }
  }
}

}  // namespace
}  // namespace counterfoil
