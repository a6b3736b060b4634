#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/checks.h"
#include "kernels/pointwise.h"
#include "kernels/reference/doubles.h"
#include "kernels/reference/reference_backend.h"
#include "kernels/reference/walk.h"

namespace counterfoil {

using reference::Input;
using reference::Output;

namespace {

double first_value(ReduceOp op) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return op == ReduceOp::max ? -infinity : op == ReduceOp::min ? infinity : 0;
}

double joined(ReduceOp op, double so_far, double value) {
  switch (op) {
    case ReduceOp::sum:
      return so_far + value;
    case ReduceOp::sum_abs:
      return so_far + pointwise::absolute(value);
    case ReduceOp::sum_squares:
      return so_far + value * value;
    case ReduceOp::max:
      return pointwise::maximum(so_far, value);
    case ReduceOp::min:
      return pointwise::minimum(so_far, value);
  }
  return so_far;
}

/// NaN counts as the largest.
bool less(double a, double b) {
  return a < b || (std::isnan(b) && !std::isnan(a));
}

}  // namespace

void ReferenceBackend::reduce(ReduceOp op, View out, ConstView x) {
  check::reduce(op, out, x);
  const Input from(x);
  Output to(out);
  to.fill(first_value(op));
  reference::walk(x.shape, reference::strides_of(out.shape),
                  [&](std::int64_t i, std::int64_t at) { to[at] = joined(op, to[at], from[i]); });
}

void ReferenceBackend::argmax(View index, ConstView x) {
  check::argmax(index, x);
  const std::int64_t rows = x.shape[0], columns = x.shape[1];
  const Input from(x);
  for (std::int64_t row = 0; row < rows; ++row) {
    std::int64_t best = 0;
    for (std::int64_t j = 1; j < columns; ++j) {
      if (less(from[row * columns + best], from[row * columns + j])) best = j;
    }
    index.as<std::int32_t>()[row] = static_cast<std::int32_t>(best);
  }
}

void ReferenceBackend::softmax(View out, ConstView x, bool log) {
  check::softmax(out, x);
  const std::int64_t rows = x.shape[0], columns = x.shape[1];
  const Input from(x);
  Output to(out);
  for (std::int64_t row = 0; row < rows; ++row) {
    const double* logits = from.data() + row * columns;
    double* result = to.data() + row * columns;
    // softmax(x) = softmax(x - max(x)): no overflow, and a sum of at least 1.
    double largest = -std::numeric_limits<double>::infinity();
    for (std::int64_t j = 0; j < columns; ++j) largest = pointwise::maximum(largest, logits[j]);
    double sum = 0;
    for (std::int64_t j = 0; j < columns; ++j) sum += exact::exp(logits[j] - largest);
    const double log_sum = exact::log(sum);
    for (std::int64_t j = 0; j < columns; ++j) {
      const double shifted = logits[j] - largest;
      result[j] = log ? shifted - log_sum : exact::exp(shifted) / sum;
    }
  }
}

void ReferenceBackend::softmax_backward(View d_x, ConstView y, ConstView d_y, bool log) {
  check::softmax_backward(d_x, y, d_y);
  const std::int64_t rows = y.shape[0], columns = y.shape[1];
  const Input at(y), from(d_y);
  Output to(d_x);
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t begin = row * columns, end = begin + columns;
    double sum = 0;
    for (std::int64_t i = begin; i < end; ++i) sum += log ? from[i] : from[i] * at[i];
    // softmax: d_x = y (d_y - sum(d_y y)); its logarithm: d_x = d_y - exp(y) sum(d_y)
    for (std::int64_t i = begin; i < end; ++i) {
      to[i] = log ? from[i] - exact::exp(at[i]) * sum : at[i] * (from[i] - sum);
    }
  }
}

void ReferenceBackend::all_finite(View flag, ConstView x) {
  check::all_finite(flag, x);
  const Input from(x);
  const bool finite = std::all_of(from.data(), from.data() + x.size(), [](double v) { return std::isfinite(v); });
  Output to(flag);
  to[0] = finite ? 1 : 0;
}

void ReferenceBackend::order_statistic(View out, ConstView x, std::int64_t k) {
  check::order_statistic(out, x, k);
  const std::int64_t rows = x.shape[0], columns = x.shape[1];
  const Input from(x);
  Output to(out);
  std::vector<double> row;
  for (std::int64_t i = 0; i < rows; ++i) {
    row.assign(from.data() + i * columns, from.data() + (i + 1) * columns);
    std::ranges::nth_element(row, row.begin() + k, less);
    to[i] = row[static_cast<std::size_t>(k)];
  }
}

}  // namespace counterfoil
