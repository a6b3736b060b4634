#include "nn/score.h"

#include <algorithm>

#include "autograd/pointwise.h"
#include "autograd/reduction.h"
#include "autograd/shaping.h"
#include "tensor/ops.h"

namespace counterfoil::nn {
namespace {

constexpr std::int64_t kDerivedAtOnce = 64;  // images on a tape

void check_classes(const Tensor& classes, std::int64_t images, int count, const char* what) {
  if (classes.dtype() != DType::i32 || classes.shape() != Shape{images}) {
    fail("score: {}: expected i32 {}, found {} {}", what, Shape{images}.to_string(), name_of(classes.dtype()),
         classes.shape().to_string());
  }
  for (const std::int32_t c : classes.to_vector<std::int32_t>()) {
    if (c < 0 || c >= count) fail("score: {}: class {}, expected 0 to {}", what, c, count - 1);
  }
}

// +1 at the class explained, -1 at the one it is held against: [N,K]
Tensor signs(const Question& question, int classes, DType dtype) {
  const Tensor of = one_hot(question.classes, classes, dtype);
  if (!question.against.defined()) return of;
  return binary(BinaryOp::subtract, of, one_hot(question.against, classes, dtype));
}

template <typename Part>
Tensor in_parts(std::int64_t images, std::int64_t at_once, const Part& part) {
  std::vector<Tensor> parts;
  for (std::int64_t begin = 0; begin < images || parts.empty(); begin += at_once)
    parts.push_back(part(begin, std::min(begin + at_once, images)));
  return parts.size() == 1 ? parts.front() : concat(parts, 0);
}

}  // namespace

Question Question::rows(std::int64_t begin, std::int64_t end) const {
  return {slice(classes, 0, begin, end), against.defined() ? slice(against, 0, begin, end) : Tensor(), scale};
}

Question Question::gather(const std::vector<std::int32_t>& places) const {
  const auto chosen = [&](const Tensor& all) {
    if (!all.defined()) return Tensor();
    const std::vector<std::int32_t> values = all.to_vector<std::int32_t>();
    std::vector<std::int32_t> found;
    for (const std::int32_t place : places) found.push_back(values.at(static_cast<std::size_t>(place)));
    return Tensor::from(found, Shape{static_cast<std::int64_t>(found.size())}, all.device());
  };
  return {chosen(classes), chosen(against), scale};
}

Question Question::copies(std::int64_t n, std::int64_t count) const {
  return rows(n, n + 1).gather(std::vector<std::int32_t>(static_cast<std::size_t>(count), 0));
}

std::int64_t images_at_once(const Shape& images, std::int64_t most) {
  constexpr std::int64_t kFeatures = std::int64_t{1} << 22;
  const std::int64_t features = images.size() / std::max<std::int64_t>(images[0], 1);
  return std::clamp<std::int64_t>(kFeatures / std::max<std::int64_t>(features, 1), 1, most);
}

Question why_decided(Classifier& classifier, const Tensor& x) {
  return {.classes = classifier.decisions(x)};
}

Variable score(Classifier& classifier, const Variable& x, const Question& question) {
  const std::int64_t images = x.shape()[0];
  check_classes(question.classes, images, classifier.class_count(), "the classes explained");
  if (question.against.defined())
    check_classes(question.against, images, classifier.class_count(), "the classes held against");
  if (question.scale == Question::Scale::probabilities) {
    const Variable p = classifier.probabilities(x);  // [N,K]
    return reshape(sum(p * Variable(signs(question, classifier.class_count(), p.dtype())), {1}), Shape{images});
  }
  const Variable z = classifier.logits(x);  // [N,K] or [N,1]
  if (!classifier.single_logit()) {
    return reshape(sum(z * Variable(signs(question, classifier.class_count(), z.dtype())), {1}), Shape{images});
  }
  const Tensor of = question.classes.to(z.dtype());
  const Tensor sign = question.against.defined() ? binary(BinaryOp::subtract, of, question.against.to(z.dtype()))
                                                 : unary(UnaryOp::affine, of, 2, -1);  // [N]
  return reshape(z, Shape{images}) * Variable(sign);
}

Tensor scores(Classifier& classifier, const Tensor& x, const Question& question) {
  const NoGrad no_grad;
  return in_parts(x.shape()[0], images_at_once(x.shape()), [&](std::int64_t begin, std::int64_t end) {
    return score(classifier, slice(x, 0, begin, end), question.rows(begin, end)).value();
  });
}

Tensor score_gradients(Classifier& classifier, const Tensor& x, const Question& question, const BackwardRules* rules) {
  return in_parts(x.shape()[0], images_at_once(x.shape(), kDerivedAtOnce), [&](std::int64_t begin, std::int64_t end) {
    const Variable part = Variable::leaf(slice(x, 0, begin, end));
    const Variable total = sum(score(classifier, part, question.rows(begin, end)));
    return grad({total}, {part}, {.rules = rules}).front().value();
  });
}

}  // namespace counterfoil::nn
