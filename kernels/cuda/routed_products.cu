#include "kernels/cuda/router.h"
#include "kernels/error.h"

// What a router needs to know of each product: its name in a table, and how the libraries are asked for it.

namespace counterfoil::cuda {

namespace {

UnaryOp op_of(Activation activation) {
  switch (activation) {
    case Activation::identity:
      break;
    case Activation::relu:
      return UnaryOp::relu;
    case Activation::leaky_relu:
      return UnaryOp::leaky_relu;
    case Activation::tanh:
      return UnaryOp::tanh;
    case Activation::sigmoid:
      return UnaryOp::sigmoid;
  }
  fail("products: no activation is left to do");
}

std::string key_of(const char* name, const ConstView& x, const ConstView& weight, const ConstView& y,
                   const Conv2dGeometry& g, bool bias = false, Activation activation = Activation::identity) {
  return fmt::format("{} x {} weight {} y {} stride {},{} pad {},{} dilation {},{} groups {}{} bias {} activation {}",
                     name, x.shape.to_string(), weight.shape.to_string(), y.shape.to_string(), g.stride_h, g.stride_w,
                     g.pad_top, g.pad_left, g.dilation_h, g.dilation_w, g.groups,
                     g.compute == Compute::bf16 ? " bf16" : "", bias ? 1 : 0, static_cast<int>(activation));
}

/// Does what the libraries left to do; false where that is everything.
bool finish(Backend& backend, Done done, View y, Activation activation, double slope) {
  if (done == Done::without_activation) backend.unary(op_of(activation), y, y, slope, 0);
  return done != Done::nothing;
}

}  // namespace

void Router::matmul(Backend& backend, View y, ConstView a, ConstView b, bool transpose_a, bool transpose_b,
                    ConstView bias, Activation activation, double slope, Compute compute,
                    const std::function<void()>& own) {
  run(
      [&] {
        return fmt::format("matmul a {}{} b {}{}{} bias {} activation {}", a.shape.to_string(), transpose_a ? "^T" : "",
                           b.shape.to_string(), transpose_b ? "^T" : "", compute == Compute::bf16 ? " bf16" : "",
                           bias.data != nullptr ? 1 : 0, static_cast<int>(activation));
      },
      [&](Products& vendor) {
        const Done done = vendor.matmul(y, a, b, transpose_a, transpose_b, bias, activation, compute);
        return finish(backend, done, y, activation, slope);
      },
      own);
}

void Router::conv2d(Backend& backend, View y, ConstView x, ConstView weight, ConstView bias,
                    const Conv2dGeometry& geometry, Activation activation, double slope,
                    const std::function<void()>& own) {
  run([&] { return key_of("conv2d", x, weight, y, geometry, bias.data != nullptr, activation); },
      [&](Products& vendor) {
        return finish(backend, vendor.conv2d(y, x, weight, bias, geometry, activation), y, activation, slope);
      },
      own);
}

void Router::conv2d_input_grad(View d_x, ConstView d_y, ConstView weight, const Conv2dGeometry& geometry,
                               const std::function<void()>& own) {
  run([&] { return key_of("conv2d_input_grad", d_x, weight, d_y, geometry); },
      [&](Products& vendor) { return vendor.conv2d_input_grad(d_x, d_y, weight, geometry) == Done::everything; }, own);
}

void Router::conv2d_weight_grad(View d_weight, ConstView x, ConstView d_y, const Conv2dGeometry& geometry,
                                const std::function<void()>& own) {
  run([&] { return key_of("conv2d_weight_grad", x, d_weight, d_y, geometry); },
      [&](Products& vendor) { return vendor.conv2d_weight_grad(d_weight, x, d_y, geometry) == Done::everything; }, own);
}

}  // namespace counterfoil::cuda
