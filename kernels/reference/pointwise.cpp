#include "kernels/pointwise.h"

#include "kernels/checks.h"
#include "kernels/pointwise_chain.h"
#include "kernels/reference/doubles.h"
#include "kernels/reference/reference_backend.h"
#include "kernels/reference/walk.h"

// The formulas are in kernels/pointwise.h; here are their loops. In place is safe: every output element depends on
// input elements of its own position alone, and is written after they are read.

namespace counterfoil {

using exact::Math;
using reference::Input;
using reference::Output;
using reference::rounded;

void ReferenceBackend::unary(UnaryOp op, View out, ConstView x, double p0, double p1) {
  check::unary(op, out, x);
  const double a = rounded(p0, x.dtype), b = rounded(p1, x.dtype);
  const Input from(x);
  Output to(out);
  pointwise::with_unary(op, [&](auto chosen) {
    for (std::int64_t i = 0; i < out.size(); ++i) to[i] = pointwise::unary<chosen(), Math>(from[i], a, b);
  });
}

void ReferenceBackend::unary_backward(UnaryOp op, View d_x, ConstView x, ConstView d_y, double p0, double p1) {
  check::unary_backward(op, d_x, x, d_y);
  const double a = rounded(p0, x.dtype), b = rounded(p1, x.dtype);
  const Input at(x), from(d_y);
  Output to(d_x);
  pointwise::with_unary(op, [&](auto chosen) {
    for (std::int64_t i = 0; i < d_x.size(); ++i) {
      to[i] = from[i] * pointwise::unary_derivative<chosen(), Math>(at[i], a, b);
    }
  });
}

void ReferenceBackend::activation_backward(Activation activation, View d_x, ConstView y, ConstView d_y, double slope) {
  check::activation_backward(d_x, y, d_y);
  const double a = rounded(slope, y.dtype);
  const Input at(y), from(d_y);
  Output to(d_x);
  pointwise::with_activation(activation, [&](auto chosen) {
    for (std::int64_t i = 0; i < d_x.size(); ++i) {
      to[i] = from[i] * pointwise::activation_derivative<chosen()>(at[i], a);
    }
  });
}

void ReferenceBackend::binary(BinaryOp op, View out, ConstView a, ConstView b) {
  check::binary(op, out, a, b);
  const Input left(a), right(b);
  Output to(out);
  pointwise::with_binary(op, [&](auto chosen) {
    reference::walk(out.shape, reference::strides_of(a.shape), reference::strides_of(b.shape),
                    [&](std::int64_t i, std::int64_t at_a, std::int64_t at_b) {
                      to[i] = pointwise::binary<chosen()>(left[at_a], right[at_b]);
                    });
  });
}

void ReferenceBackend::select(View out, ConstView condition, ConstView a, ConstView b) {
  check::select(out, condition, a, b);
  const Input mask(condition), yes(a), no(b);
  Output to(out);
  for (std::int64_t i = 0; i < out.size(); ++i) to[i] = mask[i] != 0 ? yes[i] : no[i];
}

void ReferenceBackend::axpby(View out, double alpha, ConstView x, double beta, ConstView y) {
  check::axpby(out, x, y);
  const Input left(x), right(y);
  Output to(out);
  for (std::int64_t i = 0; i < out.size(); ++i) to[i] = alpha * left[i] + beta * right[i];
}

void ReferenceBackend::pointwise_chain(View out, std::span<const ConstView> inputs, std::span<const ChainStep> steps) {
  check::pointwise_chain(out, inputs, steps);
  const reference::Buffer between(out.size());  // not out, which may be an input that is read later
  pointwise_calls(*this, out, {between.data(), out.shape, out.dtype}, inputs, steps);
}

}  // namespace counterfoil
