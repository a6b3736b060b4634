#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "autograd/ops.h"
#include "data/dataset.h"
#include "nn/classifier.h"
#include "tests/methods/halves.h"

// A problem of three classes whose answer is known. Two bars, u on the left and v on the right, are all that images
// differ in. From dark images ("zero") the nearest way to the boundary with "one" is to light u alone; but there "two"
// wins. It does not where v is lit too: the corridor that leads from zero to one.

namespace counterfoil::methods {

class Corridor final : public nn::Classifier {
 public:
  static constexpr std::int64_t kRows = 4;  ///< of a bar, from row 2 on; 2 columns wide

  Corridor() {
    std::vector<float> weight(static_cast<std::size_t>(kSide * kSide * 3), 0.F);
    for (std::int64_t p = 0; p < kSide * kSide; ++p) {
      const auto at = static_cast<std::size_t>(3 * p);
      const float share = 1.F / (2 * kRows);
      if (in_u(p)) {
        weight[at + 1] = 10 * share;
        weight[at + 2] = 10 * share;
      }
      if (in_v(p)) weight[at + 2] = -10 * share;
    }
    weight_ = Variable::leaf(Tensor::from(weight, Shape{kSide * kSide, 3}, cpu_device()));
    bias_ = Tensor::from(std::vector<float>{0, -5, -2}, Shape{1, 3}, cpu_device());
  }

  /// (0, 10 u - 5, 10 u - 2 - 10 v)
  Variable logits(const Variable& x) override { return matmul(flatten(x), weight_) + Variable(bias_); }
  int class_count() const override { return 3; }
  bool single_logit() const override { return false; }
  const Variable& weight() const { return weight_; }

  static bool in_u(std::int64_t pixel) { return in_bar(pixel, 1); }
  static bool in_v(std::int64_t pixel) { return in_bar(pixel, 5); }

  /// Images with every u and v, all of class 0: nobody looks at their labels.
  static data::Dataset images(std::int64_t count, std::uint64_t seed, double most_u = 1, double most_v = 1) {
    Random random(seed, "corridor");
    data::Dataset dataset{kSide, kSide, 1, {}, {}, {"zero", "one", "two"}};
    for (std::int64_t i = 0; i < count; ++i) {
      const double u = most_u * random.uniform(), v = most_v * random.uniform();
      for (std::int64_t p = 0; p < kSide * kSide; ++p) {
        const double value = in_u(p) ? u : in_v(p) ? v : 0.02 * random.uniform();
        dataset.pixels.push_back(static_cast<std::uint8_t>(255 * value));
      }
      dataset.labels.push_back(0);
    }
    return dataset;
  }
  /// Dark ones, of class zero.
  static Tensor queries(std::int64_t count) { return images(count, 2, 0.1, 0.05).all_images(cpu_device()); }

  /// The part of a map's mass that lies in the bars.
  static double mass_inside(const Tensor& map) {
    const std::vector<double> values = map.to_doubles();
    double inside = 0, all = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto pixel = static_cast<std::int64_t>(i) % (kSide * kSide);
      all += values[i];
      if (in_u(pixel) || in_v(pixel)) inside += values[i];
    }
    return inside / all;
  }

  /// The part of rows of probabilities [N,3] where class two is ahead of each other class by more than 0.02.
  static double third_wins(const Tensor& probabilities) {
    const std::vector<double> p = probabilities.to_doubles();
    double wins = 0;
    for (std::size_t i = 0; i < p.size(); i += 3) wins += p[i + 2] > std::max(p[i], p[i + 1]) + 0.02 ? 1 : 0;
    return 3 * wins / static_cast<double>(p.size());
  }

 private:
  static bool in_bar(std::int64_t pixel, std::int64_t first_column) {
    const std::int64_t row = pixel / kSide, column = pixel % kSide;
    return row >= 2 && row < 2 + kRows && column >= first_column && column < first_column + 2;
  }

  Variable weight_;
  Tensor bias_;
};

}  // namespace counterfoil::methods
