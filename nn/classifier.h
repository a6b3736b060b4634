#pragma once

#include <memory>

#include "autograd/variable.h"
#include "nn/module.h"

namespace counterfoil::nn {

/// The model to be explained: anything with logits and a gradient to its input. Its weights are never trained here:
/// explainers ask for gradients of their own parameters only.
class Classifier {
 public:
  virtual ~Classifier() = default;
  /// x [N,H,W,C] in [0,1] -> logits [N,K], or [N,1] for a binary classifier with one sigmoid output.
  virtual Variable logits(const Variable& x) = 0;
  /// Number of classes, 2 for the one-logit form.
  virtual int class_count() const = 0;
  /// True for the one-logit (sigmoid) form.
  virtual bool single_logit() const = 0;

  /// Probabilities [N, class_count()]; for the one-logit form columns 1 - p and p.
  Variable probabilities(const Variable& x);
  /// Log-probabilities [N, class_count()], computed without overflow.
  Variable log_probabilities(const Variable& x);
  /// Predicted class of each image, i32 [N]: the largest probability (one-logit form: logit > 0 means class 1).
  /// Large batches are classified a part at a time.
  Tensor decisions(const Tensor& x);
  /// Mean cross entropy of f(x) against integer classes i32 [N]; the BCE of the papers for the one-logit form.
  Variable loss(const Variable& x, const Tensor& classes);
};

/// A network as a classifier: always run in eval mode. With one output it has the one-logit form.
class NetworkClassifier : public Classifier {
 public:
  /// outputs: the network's logits per image.
  NetworkClassifier(std::shared_ptr<Network> network, int outputs);
  Variable logits(const Variable& x) override;
  int class_count() const override { return single_logit() ? 2 : outputs_; }
  bool single_logit() const override { return outputs_ == 1; }

 private:
  std::shared_ptr<Network> network_;
  int outputs_;
};

}  // namespace counterfoil::nn
