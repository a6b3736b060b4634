#include "kernels/geometry.h"

#include "kernels/error.h"

namespace counterfoil {

namespace {

// floor((extent + pads - dilation * (kernel - 1) - 1) / stride) + 1
std::int64_t output_extent(std::string_view what, std::int64_t extent, std::int64_t kernel, std::int64_t stride,
                           std::int64_t pad_before, std::int64_t pad_after, std::int64_t dilation) {
  if (kernel < 1 || stride < 1 || dilation < 1)
    fail("{}: kernel {}, stride {} and dilation {} must all be at least 1", what, kernel, stride, dilation);
  if (pad_before < 0 || pad_after < 0) fail("{}: negative padding {}, {}", what, pad_before, pad_after);
  const std::int64_t room = extent + pad_before + pad_after - dilation * (kernel - 1) - 1;
  if (room < 0)
    fail("{}: kernel {} with dilation {} does not fit in {} padded by {} and {}", what, kernel, dilation, extent,
         pad_before, pad_after);
  return room / stride + 1;
}

}  // namespace

Conv2dGeometry Conv2dGeometry::square(int stride, int padding, int dilation, int groups) {
  return {.stride_h = stride,
          .stride_w = stride,
          .pad_top = padding,
          .pad_bottom = padding,
          .pad_left = padding,
          .pad_right = padding,
          .dilation_h = dilation,
          .dilation_w = dilation,
          .groups = groups};
}

std::int64_t Conv2dGeometry::output_height(std::int64_t height, std::int64_t kernel) const {
  return output_extent("convolution height", height, kernel, stride_h, pad_top, pad_bottom, dilation_h);
}

std::int64_t Conv2dGeometry::output_width(std::int64_t width, std::int64_t kernel) const {
  return output_extent("convolution width", width, kernel, stride_w, pad_left, pad_right, dilation_w);
}

PoolGeometry PoolGeometry::square(int kernel, int stride, int padding) {
  return {.kernel_h = kernel,
          .kernel_w = kernel,
          .stride_h = stride,
          .stride_w = stride,
          .pad_top = padding,
          .pad_bottom = padding,
          .pad_left = padding,
          .pad_right = padding};
}

std::int64_t PoolGeometry::output_height(std::int64_t height) const {
  return output_extent("pooling height", height, kernel_h, stride_h, pad_top, pad_bottom, 1);
}

std::int64_t PoolGeometry::output_width(std::int64_t width) const {
  return output_extent("pooling width", width, kernel_w, stride_w, pad_left, pad_right, 1);
}

Shape conv2d_output_shape(const Shape& x, const Shape& weight, const Conv2dGeometry& geometry) {
  if (x.rank() != 4) fail("conv2d: x {} must have shape [N,H,W,C]", x.to_string());
  if (weight.rank() != 4) fail("conv2d: weight {} must have shape [K,R,S,C/groups]", weight.to_string());
  const int groups = geometry.groups;
  if (groups < 1 || x[3] % groups != 0 || weight[0] % groups != 0)
    fail("conv2d: {} groups do not divide {} input and {} output channels", groups, x[3], weight[0]);
  if (weight[3] * groups != x[3])
    fail("conv2d: weight {} with {} groups expects {} input channels, x {} has {}", weight.to_string(), groups,
         weight[3] * groups, x.to_string(), x[3]);
  return {x[0], geometry.output_height(x[1], weight[1]), geometry.output_width(x[2], weight[2]), weight[0]};
}

Shape pool_output_shape(const Shape& x, const PoolGeometry& geometry) {
  if (x.rank() != 4) fail("pooling: x {} must have shape [N,H,W,C]", x.to_string());
  if (geometry.pad_top >= geometry.kernel_h || geometry.pad_bottom >= geometry.kernel_h ||
      geometry.pad_left >= geometry.kernel_w || geometry.pad_right >= geometry.kernel_w)
    fail("pooling: padding [{}, {}, {}, {}] must be less than the kernel {} x {}", geometry.pad_top,
         geometry.pad_bottom, geometry.pad_left, geometry.pad_right, geometry.kernel_h, geometry.kernel_w);
  return {x[0], geometry.output_height(x[1]), geometry.output_width(x[2]), x[3]};
}

}  // namespace counterfoil
