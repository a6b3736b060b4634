#pragma once

#include <utility>
#include <vector>

#include "autograd/ops.h"
#include "nn/classifier.h"
#include "tests/nn/golden.h"

// Classifiers whose gradients are known, in f64.

namespace counterfoil::methods {

using nn::f64;
using nn::labels_of;

/// Logits x W, [N,H,W,C] -> [N,K]; one column is the one-logit form.
class WeightedSum final : public nn::Classifier {
 public:
  explicit WeightedSum(Tensor weight) : weight_(std::move(weight)) {}
  Variable logits(const Variable& x) override { return matmul(flatten(x), Variable(weight_)); }
  int class_count() const override { return single_logit() ? 2 : static_cast<int>(weight_.shape()[1]); }
  bool single_logit() const override { return weight_.shape()[1] == 1; }

 private:
  Tensor weight_;
};

/// Logit k is x_k raised to a power: [N,1,1,K] -> [N,K].
class PowerClassifier final : public nn::Classifier {
 public:
  explicit PowerClassifier(int classes, int power) : classes_(classes), power_(power) {}
  Variable logits(const Variable& x) override {
    const Variable f = flatten(x);
    Variable y = f;
    for (int i = 1; i < power_; ++i) y = y * f;
    return y;
  }
  int class_count() const override { return classes_; }
  bool single_logit() const override { return false; }

 private:
  int classes_, power_;
};

}  // namespace counterfoil::methods
