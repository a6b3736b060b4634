#include "nn/classifier.h"

#include <algorithm>
#include <utility>

#include "autograd/loss.h"
#include "autograd/pointwise.h"
#include "autograd/reduction.h"
#include "autograd/shaping.h"
#include "tensor/ops.h"

namespace counterfoil::nn {
namespace {

constexpr std::int64_t kDecisionChunk = 256;  // images classified at a time when no gradient is wanted

}  // namespace

Variable Classifier::probabilities(const Variable& x) {
  const Variable z = logits(x);
  if (!single_logit()) return softmax(z);
  return concat({sigmoid(-z), sigmoid(z)}, 1);
}

Variable Classifier::log_probabilities(const Variable& x) {
  const Variable z = logits(x);
  if (!single_logit()) return log_softmax(z);
  return concat({-softplus(z), -softplus(-z)}, 1);
}

Tensor Classifier::decisions(const Tensor& x) {
  const NoGrad no_grad;
  std::vector<Tensor> parts;
  const std::int64_t n = x.shape()[0];
  for (std::int64_t begin = 0; begin < n || parts.empty(); begin += kDecisionChunk) {
    const Tensor z = logits(slice(x, 0, begin, std::min(begin + kDecisionChunk, n))).value();
    parts.push_back(single_logit() ? unary(UnaryOp::greater_than, z, 0).to(DType::i32).reshape({-1}) : argmax(z));
  }
  return parts.size() == 1 ? parts.front() : concat(parts, 0);
}

Variable Classifier::loss(const Variable& x, const Tensor& classes) {
  const Variable z = logits(x);
  if (!single_logit()) return cross_entropy(z, classes);
  return bce_with_logits(z, Variable(classes.to(z.dtype()).reshape({-1, 1})));
}

NetworkClassifier::NetworkClassifier(std::shared_ptr<Network> network, int outputs)
    : network_(std::move(network)), outputs_(outputs) {
  if (outputs < 1) fail("classifier: expected at least one output, found {}", outputs);
}

Variable NetworkClassifier::logits(const Variable& x) {
  return network_->forward(x, Pass::eval());
}

}  // namespace counterfoil::nn
