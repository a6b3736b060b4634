#include <algorithm>
#include <vector>

#include "kernels/checks.h"
#include "kernels/reference/doubles.h"
#include "kernels/reference/reference_backend.h"

namespace counterfoil {

using reference::Input;
using reference::Output;

namespace {

/// The last two axes, [rows, columns], exchanged.
std::vector<double> transposed(const double* x, std::int64_t rows, std::int64_t columns) {
  std::vector<double> result(static_cast<std::size_t>(rows * columns));
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) result[static_cast<std::size_t>(j * rows + i)] = x[i * columns + j];
  }
  return result;
}

/// The extents of a convolution in the letters of backend.h; c and k are channels per group.
struct Extents {
  std::int64_t n, h, w, p, q, r, s, groups, c, k;

  Extents(const Shape& x, const Shape& weight, const Shape& y, const Conv2dGeometry& geometry)
      : n(x[0]),
        h(x[1]),
        w(x[2]),
        p(y[1]),
        q(y[2]),
        r(weight[1]),
        s(weight[2]),
        groups(geometry.groups),
        c(x[3] / groups),
        k(y[3] / groups) {}
};

/// Calls f(x_pixel, y_pixel, tap) for every pixel of x, every pixel of y and every kernel position r * S + s that
/// meet: ih = p * stride - pad + r * dilation, and the same along the width. Row order of y, then of the kernel.
template <typename F>
void for_each_meeting(const Extents& e, const Conv2dGeometry& geometry, F&& f) {
  for (std::int64_t n = 0; n < e.n; ++n) {
    for (std::int64_t p = 0; p < e.p; ++p) {
      for (std::int64_t q = 0; q < e.q; ++q) {
        const std::int64_t y_pixel = (n * e.p + p) * e.q + q;
        for (std::int64_t r = 0; r < e.r; ++r) {
          const std::int64_t ih = p * geometry.stride_h - geometry.pad_top + r * geometry.dilation_h;
          if (ih < 0 || ih >= e.h) continue;
          for (std::int64_t s = 0; s < e.s; ++s) {
            const std::int64_t iw = q * geometry.stride_w - geometry.pad_left + s * geometry.dilation_w;
            if (iw < 0 || iw >= e.w) continue;
            f((n * e.h + ih) * e.w + iw, y_pixel, r * e.s + s);
          }
        }
      }
    }
  }
}

/// target[i] += factor * source[i]. Every sum of this file is built of it: the innermost loop runs over neighbours in
/// memory, and each element of target receives its terms in the order of the outer loops.
void add_scaled(double* target, double factor, const double* source, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) target[i] += factor * source[i];
}

/// Each row starts as the bias, or as zeros.
void start_from_bias(Output& y, const ConstView& bias, std::int64_t columns) {
  y.fill(0);
  if (bias.data == nullptr) return;
  const Input start(bias);
  for (std::int64_t row = 0; row + columns <= y.size(); row += columns) {
    std::copy_n(start.data(), columns, y.data() + row);
  }
}

}  // namespace

void ReferenceBackend::matmul(View y, ConstView a, ConstView b, bool transpose_a, bool transpose_b, ConstView bias,
                              Activation activation, double slope, Compute compute) {
  check::matmul(y, a, b, transpose_a, transpose_b, bias);
  const std::int64_t batches = y.shape.rank() == 3 ? y.shape[0] : 1;
  const std::int64_t rows = y.shape[-2], columns = y.shape[-1], inner = a.shape[transpose_a ? -2 : -1];
  const Input left(a, compute), right(b, compute);
  Output to(y);
  if (y.size() == 0) return;
  start_from_bias(to, bias, columns);
  for (std::int64_t batch = 0; batch < batches; ++batch) {
    const double* left_matrix = left.data() + batch * rows * inner;
    const double* right_matrix = right.data() + batch * inner * columns;
    std::vector<double> turned;
    if (transpose_b) {
      turned = transposed(right_matrix, columns, inner);
      right_matrix = turned.data();
    }
    for (std::int64_t m = 0; m < rows; ++m) {
      for (std::int64_t k = 0; k < inner; ++k) {
        const double factor = transpose_a ? left_matrix[k * rows + m] : left_matrix[m * inner + k];
        add_scaled(to.data() + (batch * rows + m) * columns, factor, right_matrix + k * columns, columns);
      }
    }
  }
  reference::activate(to, activation, reference::rounded(slope, y.dtype));
}

void ReferenceBackend::conv2d(View y, ConstView x, ConstView weight, ConstView bias, const Conv2dGeometry& geometry,
                              Activation activation, double slope) {
  check::conv2d(y, x, weight, bias, geometry);
  const Extents e(x.shape, weight.shape, y.shape, geometry);
  const Input from(x, geometry.compute), kernel(weight, geometry.compute);
  Output to(y);
  start_from_bias(to, bias, e.groups * e.k);
  // [K, R S C] -> [R S C, K]: the innermost loop runs along the output channels.
  const std::vector<double> turned = transposed(kernel.data(), e.groups * e.k, e.r * e.s * e.c);
  for_each_meeting(e, geometry, [&](std::int64_t x_pixel, std::int64_t y_pixel, std::int64_t tap) {
    for (std::int64_t g = 0; g < e.groups; ++g) {
      const double* x_values = from.data() + (x_pixel * e.groups + g) * e.c;
      double* y_values = to.data() + (y_pixel * e.groups + g) * e.k;
      for (std::int64_t c = 0; c < e.c; ++c) {
        add_scaled(y_values, x_values[c], turned.data() + ((tap * e.c + c) * e.groups + g) * e.k, e.k);
      }
    }
  });
  reference::activate(to, activation, reference::rounded(slope, y.dtype));
}

void ReferenceBackend::conv2d_input_grad(View d_x, ConstView d_y, ConstView weight, const Conv2dGeometry& geometry) {
  check::conv2d_input_grad(d_x, d_y, weight, geometry);
  const Extents e(d_x.shape, weight.shape, d_y.shape, geometry);
  const Input from(d_y, geometry.compute), kernel(weight, geometry.compute);
  Output to(d_x);
  to.fill(0);
  for_each_meeting(e, geometry, [&](std::int64_t x_pixel, std::int64_t y_pixel, std::int64_t tap) {
    for (std::int64_t g = 0; g < e.groups; ++g) {
      double* d_x_values = to.data() + (x_pixel * e.groups + g) * e.c;
      for (std::int64_t k = g * e.k; k < (g + 1) * e.k; ++k) {
        const double factor = from[y_pixel * e.groups * e.k + k];
        add_scaled(d_x_values, factor, kernel.data() + (k * e.r * e.s + tap) * e.c, e.c);
      }
    }
  });
}

void ReferenceBackend::conv2d_weight_grad(View d_weight, ConstView x, ConstView d_y, const Conv2dGeometry& geometry) {
  check::conv2d_weight_grad(d_weight, x, d_y, geometry);
  const Extents e(x.shape, d_weight.shape, d_y.shape, geometry);
  const Input from(x, geometry.compute), slopes(d_y, geometry.compute);
  Output to(d_weight);
  to.fill(0);
  for_each_meeting(e, geometry, [&](std::int64_t x_pixel, std::int64_t y_pixel, std::int64_t tap) {
    for (std::int64_t g = 0; g < e.groups; ++g) {
      const double* x_values = from.data() + (x_pixel * e.groups + g) * e.c;
      for (std::int64_t k = g * e.k; k < (g + 1) * e.k; ++k) {
        const double factor = slopes[y_pixel * e.groups * e.k + k];
        add_scaled(to.data() + (k * e.r * e.s + tap) * e.c, factor, x_values, e.c);
      }
    }
  });
}

}  // namespace counterfoil
