#include "methods/attributions/expected_gradients.h"

#include <fmt/format.h>

#include "methods/attributions/copies.h"
#include "tensor/ops.h"
#include "tensor/random.h"

namespace counterfoil::methods {

void ExpectedGradients::declare(nn::Keys& keys) {
  keys.add("draws", draws, 1, 1'000'000, "pairs of a baseline and a place on the way from it to the image");
}

// 1/M sum_m (x - b_m) dS / dx at b_m + a_m (x - b_m)
Attribution ExpectedGradients::compute(const AttributionCall& call) const {
  const Shape& shape = call.baselines.shape();  // [N,B,H,W,C]
  const Shape set{shape[1], shape[2], shape[3], shape[4]};
  std::vector<std::int32_t> chosen;  // [N,draws]
  std::vector<double> alphas;        // [N,draws]
  for (std::int64_t n = 0; n < shape[0]; ++n) {
    Random random(call.seed, fmt::format("expected_gradients.{}", call.place(n)));
    for (std::int64_t m = 0; m < draws; ++m) {
      chosen.push_back(static_cast<std::int32_t>(random.integer(static_cast<std::uint64_t>(shape[1]))));
      alphas.push_back(random.uniform());
    }
  }
  const Tensor sum = sum_over_copies(shape[0], draws, [&](std::int64_t n, std::int64_t begin, std::int64_t end) {
    const auto first = static_cast<std::size_t>(n * draws + begin), count = static_cast<std::size_t>(end - begin);
    const Tensor index =
        Tensor::from(std::span<const std::int32_t>(chosen).subspan(first, count), Shape{end - begin}, call.x.device());
    const Tensor alpha =
        tensor_like(call.x, std::span<const double>(alphas).subspan(first, count), Shape{end - begin, 1, 1, 1});
    const Tensor b = gather_rows(slice(call.baselines, 0, n, n + 1).reshape(set), index);  // [end - begin,H,W,C]
    const Tensor way = binary(BinaryOp::subtract, slice(call.x, 0, n, n + 1), b);
    const Tensor path = binary(BinaryOp::add, b, binary(BinaryOp::multiply, alpha, way));
    return binary(BinaryOp::multiply, way, copy_gradients(call.classifier, path, call.question, n));
  });
  const Tensor values = unary(UnaryOp::affine, sum, 1 / static_cast<double>(draws), 0);
  return {values, completeness_gap(call.classifier, call.x, call.question, call.baselines, values)};
}

}  // namespace counterfoil::methods
