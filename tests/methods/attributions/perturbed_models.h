#pragma once

#include <memory>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "methods/attributions/attribution.h"
#include "nn/models/lenet.h"
#include "tensor/ops.h"
#include "tests/golden/golden.h"
#include "tests/methods/attributions/answers.h"
#include "tests/methods/attributions/closed_forms.h"

// What the attributions that perturb images are tested on.

namespace counterfoil::methods {

/// The network of a golden case: tanh(x w1 + b1) w2 + b2.
class TanhNetwork final : public nn::Classifier {
 public:
  TanhNetwork(const golden::Case& from, Device& device, DType dtype) {
    for (const char* role : {"w1", "b1", "w2", "b2"}) parts_.emplace_back(from.tensor(role).to(dtype).to(device));
  }
  Variable logits(const Variable& x) override {
    return matmul(tanh(matmul(flatten(x), parts_[0]) + parts_[1]), parts_[2]) + parts_[3];
  }
  int class_count() const override { return static_cast<int>(parts_[3].shape()[1]); }
  bool single_logit() const override { return false; }

 private:
  Variables parts_;
};

inline Tensor uniform_images(const Shape& shape, const std::string& name, Device& device = reference_device(),
                             DType dtype = DType::f64) {
  return Random(17, name).uniform(shape, 0, 1, reference_device(), DType::f64).to(dtype).to(device);
}

/// Whether the method says what the golden case says, in f64 on the reference device, and nearly so on the CPU.
inline void expect_golden(const AttributionMethod& method, const golden::Case& expected, const char* baselines,
                          double tolerance, double cpu_tolerance) {
  const std::uint64_t seed = expected.attributes().value("seed", 0U);
  for (const auto& [device, dtype, within] :
       {std::tuple(&reference_device(), DType::f64, tolerance), std::tuple(&cpu_device(), DType::f32, cpu_tolerance)}) {
    TanhNetwork network(expected, *device, dtype);
    const auto there = [&](const char* role) {
      return expected.has(role) ? expected.tensor(role).to(dtype).to(*device) : Tensor();
    };
    const nn::Question question{expected.indices("classes").to(*device),
                                expected.has("against") ? expected.indices("against").to(*device) : Tensor()};
    const Tensor values = method.attribute(network, there("x"), question, there(baselines), seed).values;
    EXPECT_EQ(values.dtype(), dtype);
    expect_relative(values, expected.tensor("values"), within,
                    fmt::format("{} on {}", expected.name(), device->name()));
  }
}

/// On a convolutional network on the CPU: image n has the same bits whatever the others are, with any number of
/// threads, and other bits under another seed if `draws`.
inline void expect_each_image_by_itself(const AttributionMethod& method, const Tensor& baselines, bool draws) {
  Random random(3, "perturbed");
  const nn::Init init{random, cpu_device()};
  nn::NetworkClassifier network(std::make_shared<nn::LeNet>(init, nn::LeNetOptions{{12, 12, 2}, 3, 4, 6, 8, 0.25, 0.5}),
                                3);
  const Tensor x = uniform_images({3, 12, 12, 2}, "images", cpu_device(), DType::f32);
  const auto attribute = [&](std::int64_t begin, std::int64_t end, std::uint64_t seed) {
    const Tensor given = baselines.defined() ? slice(baselines, 0, begin, end) : Tensor();
    const nn::Question question = asking({2, 0, 1}, cpu_device(), {1, 1, 0}).rows(begin, end);
    return method.attribute(network, slice(x, 0, begin, end), question, given, seed).values.to_vector<float>();
  };
  const int threads = thread_count();
  set_thread_count(1);
  const std::vector<float> all = attribute(0, 3, 1);
  set_thread_count(2);
  EXPECT_EQ(attribute(0, 3, 1), all);
  set_thread_count(threads);
  const std::vector<float> two = attribute(0, 2, 1), first = attribute(0, 1, 1);
  EXPECT_TRUE(std::equal(two.begin(), two.end(), all.begin()));
  EXPECT_TRUE(std::equal(first.begin(), first.end(), all.begin()));
  EXPECT_EQ(attribute(0, 1, 2) != first, draws);
  if (!draws) {  // draws are keyed by the image's place
    const std::vector<float> last = attribute(2, 3, 1);
    EXPECT_TRUE(std::equal(last.begin(), last.end(), all.end() - static_cast<std::ptrdiff_t>(last.size())));
  }
}

}  // namespace counterfoil::methods
