#include "autograd/image.h"

#include <cmath>
#include <vector>

#include "tensor/ops.h"

namespace counterfoil {

Variable separable_filter(const Variable& x, const Tensor& row_taps, const Tensor& column_taps, Border border) {
  return record("separable_filter", separable_filter(x.value(), row_taps, column_taps, border),
                {x, row_taps, column_taps}, [border](const Node& node, const Variable& d_y, const Needs&) -> Variables {
                  return {separable_filter_backward(d_y, node.input(1).value(), node.input(2).value(), border), {}, {}};
                });
}

Variable separable_filter_backward(const Variable& d_y, const Tensor& row_taps, const Tensor& column_taps,
                                   Border border) {
  return record("separable_filter_backward", separable_filter_backward(d_y.value(), row_taps, column_taps, border),
                {d_y, row_taps, column_taps}, [border](const Node& node, const Variable& d, const Needs&) -> Variables {
                  return {separable_filter(d, node.input(1).value(), node.input(2).value(), border), {}, {}};
                });
}

Tensor gaussian_taps(double sigma, DType dtype, Device& device) {
  if (!(sigma > 0) || sigma > 1e4) fail("gaussian_taps: sigma {} is not in (0, 10000]", sigma);
  const int radius = static_cast<int>(std::ceil(3 * sigma));
  std::vector<double> taps;
  double total = 0;
  for (int i = -radius; i <= radius; ++i) {
    taps.push_back(std::exp(-0.5 * i * i / (sigma * sigma)));
    total += taps.back();
  }
  for (double& tap : taps) tap /= total;
  const Shape shape{2 * radius + 1};
  if (dtype == DType::f64) return Tensor::from(taps, shape, device);
  return Tensor::from(std::vector<float>(taps.begin(), taps.end()), shape, device);
}

Variable gaussian_blur(const Variable& x, const Tensor& taps, Border border) {
  return separable_filter(x, taps, taps, border);
}

Variable affine_warp(const Variable& x, const Tensor& theta, std::int64_t height, std::int64_t width) {
  return record("affine_warp", affine_warp(x.value(), theta, height, width), {x, theta},
                [](const Node& node, const Variable& d_y, const Needs&) -> Variables {
                  return {affine_warp_backward(d_y, node.input(1).value(), node.input(0).shape()), {}};
                });
}

Variable affine_warp_backward(const Variable& d_y, const Tensor& theta, const Shape& x_shape) {
  return record("affine_warp_backward", affine_warp_backward(d_y.value(), theta, x_shape), {d_y, theta},
                [](const Node& node, const Variable& d, const Needs&) -> Variables {
                  const Shape& shape = node.input(0).shape();
                  return {affine_warp(d, node.input(1).value(), shape[1], shape[2]), {}};
                });
}

}  // namespace counterfoil
