#pragma once

#include <memory>
#include <string>

#include "autograd/ops.h"
#include "nn/batch_norm.h"
#include "nn/conv2d.h"
#include "nn/linear.h"
#include "nn/score.h"
#include "tests/methods/attributions/answers.h"
#include "tests/nn/golden.h"

// The network, images and baselines of tests/golden/attributions_gradients.safetensors.

namespace counterfoil::methods {

/// conv1 - norm - ReLU - max-pool - conv2 - ReLU - max-pool - fc1 - ReLU - fc2: [N,8,8,2] -> [N,4]. One ReLU is an
/// operation of its own, two are fused.
class SmallNet final : public nn::Network {
 public:
  explicit SmallNet(const nn::Init& init)
      : conv1_(init, 2, 4, 3, {.geometry = Conv2dGeometry::square(1, 1)}),
        norm_(init, 4, {.epsilon = 1e-3, .activation = Activation::relu}),
        conv2_(init, 4, 5, 3, {.activation = Activation::relu}),
        fc1_(init, 5, 6),
        fc2_(init, 6, 4) {
    register_child("conv1", conv1_);
    register_child("norm", norm_);
    register_child("conv2", conv2_);
    register_child("fc1", fc1_);
    register_child("fc2", fc2_);
  }

  Variable forward(const Variable& x, const nn::Pass& pass) override {
    Variable h = max_pool(norm_.forward(conv1_.forward(x, pass), pass), PoolGeometry::square(2, 2));
    h = max_pool(conv2_.forward(h, pass), PoolGeometry::square(2, 2));
    return fc2_.forward(relu(fc1_.forward(flatten(h), pass)), pass);
  }

 private:
  nn::Conv2d conv1_;
  nn::BatchNorm norm_;
  nn::Conv2d conv2_;
  nn::Linear fc1_, fc2_;
};

/// The golden network as a classifier with its images, in f64 on the reference device or in f32 on another.
struct SmallProblem {
  explicit SmallProblem(Device& device = reference_device())
      : dtype(&device == &reference_device() ? DType::f64 : DType::f32),
        network(std::make_shared<SmallNet>(nn::Init{random, device, dtype})),
        classifier(network, 4),
        x(golden.at("x").to(dtype).to(device)),
        baseline(golden.at("baseline").to(dtype).to(device)) {
    auto state = network->state();
    for (auto& [name, value] : state) value = golden.at(name);
    network->load_state(state);
  }

  static nn::Question question(const nn::GoldenCase& asked, Device& device = reference_device()) {
    return {asked.labels("classes").to(device), asked.has("against") ? asked.labels("against").to(device) : Tensor(),
            asked.attribute<bool>("probabilities") ? nn::Question::Scale::probabilities : nn::Question::Scale::logits};
  }

  nn::GoldenCase golden{"attributions_gradients", "net"};
  DType dtype;
  Random random{1, "small net"};
  std::shared_ptr<SmallNet> network;
  nn::NetworkClassifier classifier;
  Tensor x, baseline;
};

inline const std::vector<std::string>& small_problem_cases() {
  static const std::vector<std::string> names = {"logits", "logits_against", "probabilities_against"};
  return names;
}

inline nn::GoldenCase small_problem_case(const std::string& name) {
  return {"attributions_gradients", name};
}

}  // namespace counterfoil::methods
