#include "methods/attributions/smooth_grad.h"

#include "methods/attributions/copies.h"
#include "tensor/ops.h"
#include "tensor/random.h"

namespace counterfoil::methods {

void SmoothGrad::declare(nn::Keys& keys) {
  keys.add("sigma", sigma, 0, 10, "deviation of the noise over the range of images");
  keys.add("samples", samples, 1, 1'000'000, "noisy images for each image");
  keys.add("gradient", gradient, {"signed", "magnitude", "squared"}, "what is averaged of the noisy images' gradients");
}

// 1/M sum_m a(dS / dx at x + e_m)
Attribution SmoothGrad::compute(const AttributionCall& call) const {
  const std::int64_t features = call.x.size() / call.x.shape()[0];
  Random random(call.seed, "smooth_grad");
  const Tensor sum =
      sum_over_copies(call.x.shape()[0], samples, [&](std::int64_t n, std::int64_t begin, std::int64_t end) {
        random.seek(static_cast<std::uint64_t>((call.place(n) * samples + begin) * features));
        const Tensor noise =
            random.normal(call.x.shape().with(0, end - begin), 0, sigma, call.x.device(), call.x.dtype());
        const Tensor noisy = binary(BinaryOp::add, slice(call.x, 0, n, n + 1), noise);
        const Tensor g = copy_gradients(call.classifier, noisy, call.question, n);
        if (gradient == "magnitude") return unary(UnaryOp::abs, g);
        if (gradient == "squared") return binary(BinaryOp::multiply, g, g);
        return g;
      });
  return {unary(UnaryOp::affine, sum, 1 / static_cast<double>(samples), 0)};
}

}  // namespace counterfoil::methods
