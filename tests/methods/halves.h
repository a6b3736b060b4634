#pragma once

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "autograd/ops.h"
#include "data/dataset.h"
#include "methods/explainer.h"
#include "nn/classifier.h"

// The smallest problem on which a loss term can be checked: noise whose left (class 0) or right (class 1) half is
// brighter, and a linear classifier that sees it.

namespace counterfoil::methods {

inline constexpr std::int64_t kSide = 8;

inline data::Dataset halves(std::int64_t count, std::uint64_t seed = 3) {
  Random random(seed, "halves");
  data::Dataset dataset{kSide, kSide, 1, {}, {}, {"left", "right"}};
  for (std::int64_t i = 0; i < count; ++i) {
    const auto label = static_cast<std::int32_t>(i % 2);
    for (std::int64_t p = 0; p < kSide * kSide; ++p) {
      const bool bright = (p % kSide >= kSide / 2) == (label == 1);
      dataset.pixels.push_back(static_cast<std::uint8_t>(random.integer(140) + (bright ? 100 : 0)));
    }
    dataset.labels.push_back(label);
  }
  return dataset;
}

/// One logit: scale * (mean of the right half - mean of the left half).
class BrighterHalf final : public nn::Classifier {
 public:
  explicit BrighterHalf(double scale = 8, Device& device = cpu_device()) {
    std::vector<float> weight;
    const auto value = static_cast<float>(2 * scale / (kSide * kSide));
    for (std::int64_t p = 0; p < kSide * kSide; ++p) weight.push_back(p % kSide >= kSide / 2 ? value : -value);
    weight_ = Variable::leaf(Tensor::from(weight, Shape{kSide * kSide, 1}, device));
  }
  Variable logits(const Variable& x) override { return matmul(flatten(x), weight_); }
  int class_count() const override { return 2; }
  bool single_logit() const override { return true; }
  const Variable& weight() const { return weight_; }

 private:
  Variable weight_;
};

/// The images of a dataset that a classifier decides `domain`, f32 [M,H,W,C].
inline Tensor domain_images(nn::Classifier& classifier, const data::Dataset& dataset, int domain,
                            Device& device = cpu_device()) {
  const std::vector<std::int32_t> decisions =
      classifier.decisions(dataset.all_images(device)).to_vector<std::int32_t>();
  std::vector<std::int32_t> positions;
  for (std::size_t i = 0; i < decisions.size(); ++i) {
    if (decisions[i] == domain) positions.push_back(static_cast<std::int32_t>(i));
  }
  return dataset.images(positions, device);
}

// The losses in elementary operations.

/// mean of L_bce(target, sigmoid(logit)).
inline Variable bce(const Variable& logits, double target) {
  return mean(softplus(logits) - logits * target);
}

inline Variable l1(const Variable& a, const Variable& b) {
  return mean(abs(a - b));
}

/// Average of the L1 and L2 distances, eq. 11.
inline Variable mixed(const Variable& a, const Variable& b) {
  return (l1(a, b) + mean(square(a - b))) * 0.5;
}

// What a training run remembers.

inline nn::Module& module_named(nn::Trainable& trainable, const std::string& name) {
  for (const auto& [key, module] : trainable.training_state().modules) {
    if (key == name) return *module;
  }
  fail("no module {}", name);
}

inline nn::Optimiser& optimiser_named(nn::Trainable& trainable, const std::string& name) {
  for (const auto& [key, optimiser] : trainable.training_state().optimisers) {
    if (key == name) return *optimiser;
  }
  fail("no optimiser {}", name);
}

using State = std::map<std::string, Tensor>;

inline State state_of(nn::Trainable& trainable) {
  State state;
  for (const auto& [name, module] : trainable.training_state().modules)
    state.merge(module->state("model." + name + "."));
  for (const auto& [name, optimiser] : trainable.training_state().optimisers)
    state.merge(optimiser->state("optimiser." + name + "."));
  return state;
}

/// Copies everything that a checkpoint holds from one training to another of the same kind.
inline void restore(nn::Trainable& to, nn::Trainable& from) {
  const State state = state_of(from);
  nn::TrainingState& parts = to.training_state();
  for (const auto& [name, module] : parts.modules) module->load_state(state, "model." + name + ".");
  for (const auto& [name, optimiser] : parts.optimisers) optimiser->load_state(state, "optimiser." + name + ".");
  for (std::size_t i = 0; i < parts.randoms.size(); ++i)
    parts.randoms[i].second->seek(from.training_state().randoms[i].second->position());
}

inline void expect_same_bits(const State& a, const State& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, tensor] : a) EXPECT_EQ(tensor.to_doubles(), b.at(name).to_doubles()) << name;
}

/// Whether any parameter (not a running average) of a module differs from a state taken before.
inline bool moved(nn::Trainable& trainable, const std::string& name, const State& before) {
  for (const auto& [key, parameter] : module_named(trainable, name).named_parameters("model." + name + ".")) {
    if (parameter.value().to_doubles() != before.at(key).to_doubles()) return true;
  }
  return false;
}

inline double term(const nn::LossTerms& terms, const std::string& name) {
  for (const auto& [key, value] : terms) {
    if (key == name) return value;
  }
  fail("no term {}", name);
}

/// Trains the same thing twice, with one thread and two, and stopped and resumed, and compares every bit.
template <typename Make>
void expect_same_bits_however_trained(Make&& make) {
  const int threads = thread_count();
  set_thread_count(1);
  const auto straight = make();
  for (int i = 0; i < 4; ++i) straight->train_step();
  set_thread_count(2);
  const auto again = make(), resumed = make();
  for (int i = 0; i < 2; ++i) again->train_step();
  restore(*resumed, *again);
  for (int i = 0; i < 2; ++i) {
    again->train_step();
    resumed->train_step();
  }
  set_thread_count(threads);
  expect_same_bits(state_of(*straight), state_of(*again));
  expect_same_bits(state_of(*straight), state_of(*resumed));
}

/// Compares the gradient that an optimiser was last given, over the parameters of some modules (named as in the
/// training state, and in front of the optimiser's names if it has several), with that of an independently written
/// loss. The optimiser has beta1 = 0, so that its first moment is that gradient, and a rate of 0, so that nothing has
/// moved. Returns the gradient's norm.
inline double expect_last_gradient(nn::Trainable& trainable, const std::string& optimiser,
                                   const std::vector<std::string>& modules, const Variable& loss) {
  const State moments = optimiser_named(trainable, optimiser).state("");
  std::vector<std::string> names;
  Variables parameters;
  for (const std::string& module : modules) {
    for (const auto& [name, parameter] : module_named(trainable, module).named_parameters(module + ".")) {
      names.push_back(modules.size() == 1 && !moments.contains(name + ".exp_avg") ? name.substr(module.size() + 1)
                                                                                  : name);
      parameters.push_back(parameter);
    }
  }
  const Variables expected = grad({loss}, parameters);
  double norm = 0, difference = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::vector<double> a = expected[i].value().to_doubles(), b = moments.at(names[i] + ".exp_avg").to_doubles();
    for (std::size_t k = 0; k < a.size(); ++k) {
      norm += a[k] * a[k];
      difference += (a[k] - b[k]) * (a[k] - b[k]);
    }
  }
  EXPECT_LE(std::sqrt(difference), 1e-3 * std::sqrt(norm));
  return std::sqrt(norm);
}

}  // namespace counterfoil::methods
