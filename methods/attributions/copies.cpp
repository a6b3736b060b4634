#include "methods/attributions/copies.h"

#include <algorithm>
#include <iterator>

#include "tensor/ops.h"

namespace counterfoil::methods {
namespace {

constexpr std::int64_t kCopiesAtOnce = 64;

}  // namespace

Tensor sum_over_copies(std::int64_t images, std::int64_t count, const Terms& terms) {
  std::vector<Tensor> sums;
  for (std::int64_t n = 0; n < images; ++n) {
    Tensor sum;  // [1,H,W,C]
    for (std::int64_t begin = 0; begin < count; begin += kCopiesAtOnce) {
      const Tensor part = reduce(ReduceOp::sum, terms(n, begin, std::min(begin + kCopiesAtOnce, count)), {0});
      sum = sum.defined() ? binary(BinaryOp::add, sum, part) : part;
    }
    sums.push_back(sum);
  }
  return concat(sums, 0);
}

Tensor copy_gradients(nn::Classifier& classifier, const Tensor& copies, const nn::Question& question, std::int64_t n) {
  return nn::score_gradients(classifier, copies, question.copies(n, copies.shape()[0]));
}

std::vector<double> copy_scores(nn::Classifier& classifier, const nn::Question& question, std::int64_t n,
                                std::int64_t count, std::int64_t at_once,
                                const std::function<Tensor(std::int64_t begin, std::int64_t end)>& make) {
  std::vector<double> all;
  for (std::int64_t begin = 0; begin < count; begin += at_once) {
    const std::int64_t end = std::min(begin + at_once, count);
    const Tensor found = nn::scores(classifier, make(begin, end), question.copies(n, end - begin));
    std::ranges::copy(found.to_doubles(), std::back_inserter(all));
  }
  return all;
}

Tensor tensor_like(const Tensor& like, std::span<const double> values, const Shape& shape) {
  return Tensor::from(values, shape, reference_device()).to(like.dtype()).to(like.device());
}

}  // namespace counterfoil::methods
