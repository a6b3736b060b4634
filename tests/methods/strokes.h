#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "autograd/ops.h"
#include "data/synthetic.h"
#include "methods/explainer.h"
#include "nn/classifier.h"
#include "nn/models/lenet.h"
#include "nn/optimiser.h"

// A problem whose answer is known: rings that are open (class 0) or closed (class 1) to the right, at half the size so
// that a method learns it in seconds, and a classifier trained on them.

namespace counterfoil::methods {

class Strokes {
 public:
  static constexpr std::int64_t kExtent = 14;

  enum class Queries : std::uint8_t { both, closed };  ///< test images of either class, or closed rings alone

  explicit Strokes(Queries queries = Queries::both)
      : train_(shrunk(data::synthetic_pairs(data::Difference::stroke, 512, 1).images)) {
    const data::SyntheticPairs pairs = data::synthetic_pairs(data::Difference::stroke, 64, 2);
    const std::vector<std::int32_t> chosen = positions(pairs.images.labels, queries);
    for (const std::int32_t i : chosen) {
      for (std::size_t p = 0; p < kExtent * kExtent; ++p) {
        const std::size_t at = static_cast<std::size_t>(i) * 28 * 28 + (p / kExtent) * 2 * 28 + (p % kExtent) * 2;
        masks_.push_back(static_cast<std::uint8_t>(pairs.masks[at] | pairs.masks[at + 1] | pairs.masks[at + 28] |
                                                   pairs.masks[at + 29]));
      }
    }
    test_ = shrunk(pairs.images.subset(chosen));
    train_classifier();
  }

  nn::Classifier& classifier() { return *classifier_; }
  const data::Dataset& train() const { return train_; }
  data::Dataset train_closed() const { return train_.subset(positions(train_.labels, Queries::closed)); }
  Tensor test_images() const { return test_.all_images(cpu_device()); }

  /// The part of the test images whose decision is what it was, of images made from them in order.
  double agreement(const Tensor& made) {
    const std::vector<std::int32_t> before = classifier_->decisions(test_images()).to_vector<std::int32_t>();
    const std::vector<std::int32_t> after = classifier_->decisions(made).to_vector<std::int32_t>();
    double same = 0;
    for (std::size_t i = 0; i < before.size(); ++i) same += before[i] == after[i] ? 1 : 0;
    return same / static_cast<double>(before.size());
  }

  /// The part of a map's mass that lies within the true difference or next to it.
  double mass_inside(const Tensor& map) const {
    const std::vector<double> values = map.to_doubles();
    double inside = 0, all = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      all += values[i];
      if (near_difference(i)) inside += values[i];
    }
    return inside / all;
  }

  /// Mean absolute difference to the test images away from the true difference.
  double change_elsewhere(const Tensor& made) const {
    const std::vector<double> x = test_images().to_doubles(), y = made.to_doubles();
    double sum = 0, count = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (near_difference(i)) continue;
      sum += std::abs(x[i] - y[i]);
      ++count;
    }
    return sum / count;
  }

  /// The part of the pixels that mass_inside counts as inside: what a map that knows nothing reaches.
  double area_inside() const {
    double count = 0;
    for (std::size_t i = 0; i < masks_.size(); ++i) count += near_difference(i) ? 1 : 0;
    return count / static_cast<double>(masks_.size());
  }

 private:
  static std::vector<std::int32_t> positions(const std::vector<std::int32_t>& labels, Queries queries) {
    std::vector<std::int32_t> chosen;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (queries == Queries::both || labels[i] == 1) chosen.push_back(static_cast<std::int32_t>(i));
    }
    return chosen;
  }

  static data::Dataset shrunk(const data::Dataset& full) {
    data::Dataset half{kExtent, kExtent, 1, {}, full.labels, full.class_names};
    for (std::size_t i = 0; i < full.labels.size(); ++i) {
      for (std::size_t p = 0; p < kExtent * kExtent; ++p) {
        const std::uint8_t* at = &full.pixels[i * 28 * 28 + (p / kExtent) * 2 * 28 + (p % kExtent) * 2];
        half.pixels.push_back(static_cast<std::uint8_t>((at[0] + at[1] + at[28] + at[29] + 2) / 4));
      }
    }
    return half;
  }

  bool near_difference(std::size_t pixel) const {
    const auto column = static_cast<std::int64_t>(pixel % kExtent);
    const auto row = static_cast<std::int64_t>(pixel / kExtent % kExtent);
    const std::size_t image = pixel / (kExtent * kExtent) * (kExtent * kExtent);
    for (std::int64_t r = std::max<std::int64_t>(0, row - 1); r <= std::min(kExtent - 1, row + 1); ++r) {
      for (std::int64_t c = std::max<std::int64_t>(0, column - 1); c <= std::min(kExtent - 1, column + 1); ++c) {
        if (masks_[image + static_cast<std::size_t>(r * kExtent + c)] != 0) return true;
      }
    }
    return false;
  }

  void train_classifier() {
    Random weights(1, "classifier"), batches(1, "classifier batches");
    nn::LeNetOptions options;
    options.image = {kExtent, kExtent, 1};
    options.width1 = 8;
    options.width2 = 16;
    options.hidden = 32;
    options.dropout_features = options.dropout_hidden = 0;
    auto network = std::make_shared<nn::LeNet>(nn::Init{weights, cpu_device()}, options);
    const auto optimiser = nn::adam(network->named_parameters(), {5e-3});
    for (int step = 0; step < 80; ++step) {
      std::vector<std::int32_t> positions;
      std::vector<float> labels;
      for (int i = 0; i < 32; ++i) {
        positions.push_back(static_cast<std::int32_t>(batches.integer(static_cast<std::uint64_t>(train_.size()))));
        labels.push_back(static_cast<float>(train_.labels[static_cast<std::size_t>(positions.back())]));
      }
      const Variable logits = network->forward(train_.images(positions, cpu_device()), nn::Pass::train(batches));
      optimiser->minimise(bce_with_logits(logits, Variable(Tensor::from(labels, Shape{32, 1}, cpu_device()))));
    }
    classifier_ = std::make_unique<nn::NetworkClassifier>(network, 1);
    const std::vector<std::int32_t> decided = classifier_->decisions(test_images()).to_vector<std::int32_t>();
    int right = 0;
    for (std::size_t i = 0; i < decided.size(); ++i) right += decided[i] == test_.labels[i] ? 1 : 0;
    EXPECT_GE(right, 0.95 * static_cast<double>(decided.size())) << " the classifier did not learn the problem";
  }

  data::Dataset train_, test_;
  std::vector<std::uint8_t> masks_;  // [N,kExtent,kExtent] of the test images
  std::unique_ptr<nn::Classifier> classifier_;
};

/// Sizes and rates with which a generator learns the problem in a few hundred steps.
template <typename Config>
Config quick() {
  Config config;
  config.batch = 16;
  config.generator_width = 8;
  config.generator_levels = 1;
  config.dropout = 0;
  config.output = "sigmoid";    // at such rates steadier than the clip where nothing shall change
  config.batch_norm = "batch";  // learns fastest from nothing
  config.generator_learning_rate = 2e-3;
  return config;
}

template <typename Config>
Config quick_adversarial() {
  Config config = quick<Config>();
  config.discriminator_width = 8;
  config.discriminator_levels = 2;
  config.discriminator_learning_rate = 1e-3;
  return config;
}

/// Trains and expects what the papers claim: the counterfactual changes the class, the change is at the
/// stroke, `kept` stay as the query elsewhere, a stable image keeps the class, and the counterfactual's counterfactual
/// is the query again.
inline void expect_finds_the_stroke(Explainer& method, Strokes& strokes, const std::vector<std::string>& kept,
                                    int steps = 400) {
  for (int step = 0; step < steps; ++step) method.train_step();
  const Tensor x = strokes.test_images();
  const Explanation explanation = method.explain(x);
  const Tensor& foil = explanation.at("counterfactual");
  EXPECT_LE(strokes.agreement(foil), 0.1);
  EXPECT_GE(strokes.mass_inside(explanation.at("map")), 2 * strokes.area_inside());
  for (const std::string& name : kept) EXPECT_LE(strokes.change_elsewhere(explanation.at(name)), 0.04) << name;
  if (const auto stable = explanation.find("stable"); stable != explanation.end()) {
    EXPECT_GE(strokes.agreement(stable->second), 0.95);
  }
  const Tensor back = method.explain(foil).at("counterfactual");
  EXPECT_GE(strokes.agreement(back), 0.9);
  EXPECT_LE(l1(back, x).item(), 0.05);
}

}  // namespace counterfoil::methods
