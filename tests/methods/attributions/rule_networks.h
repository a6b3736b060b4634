#pragma once

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "autograd/ops.h"
#include "methods/one_against_all.h"
#include "nn/models/cdeepex_classifier.h"
#include "nn/models/ganmex_classifier.h"
#include "nn/models/lenet.h"
#include "nn/residual.h"
#include "tensor/ops.h"
#include "tests/golden/golden.h"
#include "tests/methods/attributions/answers.h"

// What the rule-based attributions are tested on: classifiers from functions, the golden networks, and the library's
// own.

namespace counterfoil::methods {

class Functional final : public nn::Classifier {
 public:
  using Logits = std::function<Variable(const Variable& x)>;
  Functional(int outputs, Logits logits) : outputs_(outputs), logits_(std::move(logits)) {}
  Variable logits(const Variable& x) override { return logits_(x); }
  int class_count() const override { return outputs_ == 1 ? 2 : outputs_; }
  bool single_logit() const override { return outputs_ == 1; }

 private:
  int outputs_;
  Logits logits_;
};

inline Tensor numbers_of(const std::vector<double>& values, const Shape& shape) {
  return Tensor::from(values, shape, reference_device());
}

/// From N(0, deviation^2), f64 on the reference device.
inline Tensor drawn(const Shape& shape, const std::string& name, double deviation = 1) {
  Random random(11, name);
  return random.normal(shape, 0, deviation, reference_device(), DType::f64);
}

inline void expect_near(const Tensor& found, const Tensor& expected, double tolerance) {
  ASSERT_EQ(found.shape(), expected.shape());
  EXPECT_LE(largest(axpby(1, found.to(reference_device()).to(DType::f64), -1,
                          expected.to(reference_device()).to(DType::f64))),
            tolerance * (1 + largest(expected)));
}

/// The networks of tests/golden/generate_attributions_rules.py, from their roles. `at` moves a parameter to where and
/// to what the test computes in.
class GoldenNetwork {
 public:
  explicit GoldenNetwork(golden::Case network, Device& device = reference_device(), DType dtype = DType::f64)
      : case_(std::move(network)), device_(device), dtype_(dtype) {}

  Tensor at(const std::string& role) const { return case_.tensor(role).to(dtype_).to(device_); }
  nn::Question question() const { return {.classes = case_.indices("classes").to(device_)}; }
  int outputs() const { return static_cast<int>(case_.tensor("y").shape()[1]); }
  /// The baselines, the same for all images: [N,B,H,W,C].
  Tensor baselines() const {
    const Tensor each = at("baselines");
    const Shape& s = each.shape();
    const Shape all{at("x").shape()[0], s[0], s[1], s[2], s[3]};
    return broadcast_to(each.reshape({1, s[0], s[1], s[2], s[3]}), all);
  }

  Functional classifier() const {
    return {outputs(), [this](const Variable& x) { return logits(x); }};
  }

 private:
  Variable conv(const Variable& x, int layer, int stride = 1, int padding = 0,
                Activation activation = Activation::identity) const {
    const std::string name = std::to_string(layer);
    return conv2d(x, at(name + ".weight"), at(name + ".bias"), Conv2dGeometry::square(stride, padding), activation);
  }
  Variable dense(const Variable& x, int layer, Activation activation = Activation::identity) const {
    const std::string name = std::to_string(layer);
    return linear(x, at(name + ".weight"), at(name + ".bias"), activation);
  }
  Variable norm(const Variable& x, int layer, Activation activation = Activation::identity, double slope = 0) const {
    const std::string name = std::to_string(layer);
    return normalise_with(x, at(name + ".weight"), at(name + ".bias"), at(name + ".running_mean").reshape({1, -1}),
                          at(name + ".running_var").reshape({1, -1}), 1e-5, activation, slope);
  }

  // Activations are fused where they can be, and on their own elsewhere.
  Variable logits(const Variable& x) const {
    const std::string& name = case_.name();
    const PoolGeometry halves = PoolGeometry::square(2, 2);
    if (name == "deeplift_plain") {
      const Variable h = conv(max_pool(conv(conv(x, 0, 1, 1, Activation::relu), 2), halves), 4);
      return dense(dense(flatten(avg_pool(elu(h, 0.7), halves)), 9, Activation::tanh), 11);
    }
    if (name == "deeplift_normed") {
      const Variable h = conv(norm(conv(x, 0, 2), 1, Activation::leaky_relu, 0.2), 3, 1, 0, Activation::sigmoid);
      return dense(softplus(dense(flatten(max_pool(conv(h, 5), halves)), 9)), 11);
    }
    if (name == "lrp_pooled") {
      const Variable h = max_pool(relu(conv(x, 0)), halves);
      return dense(flatten(conv(h, 3, 1, 0, Activation::relu)), 7);
    }
    const Variable h = norm(avg_pool(conv(x, 0, 1, 0, Activation::relu), halves), 3);
    return dense(relu(dense(flatten(tanh(conv(h, 4))), 8)), 10);
  }

  golden::Case case_;
  Device& device_;
  DType dtype_;
};

/// Moves every parameter and running average off the round numbers they start with.
inline void stir(nn::Module& module, const std::string& name) {
  for (const auto& [key, parameter] : module.named_parameters()) {
    Variable variable = parameter;
    const Tensor noise = drawn(variable.shape(), name + key, 0.1).to(variable.dtype()).to(variable.device());
    variable.set_value(axpby(1, variable.value(), 1, noise));
  }
  for (const auto& [key, buffer] : module.named_buffers()) {
    const Tensor noise = drawn(buffer->shape(), name + key, 0.3).to(buffer->dtype()).to(buffer->device());
    *buffer = axpby(1, *buffer, 1, unary(UnaryOp::abs, noise));
  }
}

/// Pre-activation residual blocks with batch norm, as those of Progressive Exaggeration, and a linear end.
class Residual final : public nn::Network {
 public:
  explicit Residual(const nn::Init& init)
      : norm_(init, 1, {.activation = Activation::relu}),
        conv_(init, 1, 4, 3, {.geometry = Conv2dGeometry::square(1, 1)}),
        down_(init, 4, 6, nn::ResidualOptions{.resize = nn::Resize::down}),
        same_(init, 6, 6),
        critic_(init, 6, 8, nn::CriticBlockOptions{.downsample = true, .spectral_norm = true}),
        out_(init, 8, 3) {
    register_child("norm", norm_);
    register_child("conv", conv_);
    register_child("down", down_);
    register_child("same", same_);
    register_child("critic", critic_);
    register_child("out", out_);
  }
  Variable forward(const Variable& x, const nn::Pass& pass) override {
    const Variable h = same_.forward(down_.forward(conv_.forward(norm_.forward(x, pass), pass), pass), pass);
    return out_.forward(global_sum_pool(relu(critic_.forward(h, pass))), pass);
  }

 private:
  nn::BatchNorm norm_;
  nn::Conv2d conv_;
  nn::ResidualBlock down_, same_;
  nn::CriticBlock critic_;
  nn::Linear out_;
};

struct Named {
  std::string name;
  std::shared_ptr<nn::Classifier> classifier;
};

/// The classifiers that the library trains, small, and networks with residual blocks and of one class against all:
/// images [N,16,16,1].
inline std::vector<Named> library_classifiers(Device& device = reference_device(), DType dtype = DType::f64) {
  Random random(5, "networks");
  const nn::Init init{random, device, dtype};
  const nn::ImageShape image{16, 16, 1};
  std::vector<Named> all;
  const auto add = [&](const std::string& name, std::shared_ptr<nn::Network> network, int outputs) {
    stir(*network, name);
    all.push_back({name, std::make_shared<nn::NetworkClassifier>(std::move(network), outputs)});
  };
  const nn::LeNetOptions lenet{.image = image, .outputs = 1, .width1 = 3, .width2 = 4, .hidden = 5};
  add("LeNet", std::make_shared<nn::LeNet>(init, lenet), 1);
  const nn::GanmexClassifierOptions ganmex{.image = image, .outputs = 3, .width1 = 3, .width2 = 4};
  add("GANMEX", std::make_shared<nn::GanmexClassifier>(init, ganmex), 3);
  add("CDeepEx", std::make_shared<nn::CdeepexClassifier>(init, 3), 3);
  add("residual", std::make_shared<Residual>(init), 3);
  all.push_back({"one against all", std::make_shared<OneAgainstAll>(all.back().classifier, 1)});
  return all;
}

}  // namespace counterfoil::methods
