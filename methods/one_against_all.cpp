#include "methods/one_against_all.h"

#include "autograd/ops.h"

namespace counterfoil::methods {

OneAgainstAll::OneAgainstAll(std::shared_ptr<nn::Classifier> classifier, int explained)
    : classifier_(std::move(classifier)), explained_(explained) {
  const int classes = classifier_->class_count();
  if (classes < 3) fail("one against all: expected a classifier of at least 3 classes, found {}", classes);
  if (explained < 0 || explained >= classes)
    fail("one against all: expected a class from 0 to {}, found {}", classes - 1, explained);
}

Variable OneAgainstAll::logits(const Variable& x) {
  const Variable z = classifier_->logits(x);  // [N,K]
  Variables others;
  if (explained_ > 0) others.push_back(slice(z, 1, 0, explained_));
  if (explained_ + 1 < z.shape()[1]) others.push_back(slice(z, 1, explained_ + 1, z.shape()[1]));
  return slice(z, 1, explained_, explained_ + 1) - max(concat(others, 1), {1});
}

}  // namespace counterfoil::methods
