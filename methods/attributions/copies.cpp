#include "methods/attributions/copies.h"

#include <algorithm>

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
  const std::vector<std::int32_t> places(static_cast<std::size_t>(copies.shape()[0]), static_cast<std::int32_t>(n));
  return nn::score_gradients(classifier, copies, question.gather(places));
}

Tensor column(std::span<const double> values, const Tensor& images) {
  const Shape shape{static_cast<std::int64_t>(values.size()), 1, 1, 1};
  if (images.dtype() == DType::f64) return Tensor::from(values, shape, images.device());
  return Tensor::from(std::vector<float>(values.begin(), values.end()), shape, images.device());
}

}  // namespace counterfoil::methods
