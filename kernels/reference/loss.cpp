#include <limits>

#include "kernels/checks.h"
#include "kernels/error.h"
#include "kernels/pointwise.h"
#include "kernels/reference/doubles.h"
#include "kernels/reference/reference_backend.h"
#include "kernels/reference/walk.h"

namespace counterfoil {

using exact::Math;
using reference::Input;
using reference::Output;

void ReferenceBackend::loss(LossOp op, View out, ConstView a, ConstView b, double scale) {
  check::loss(op, out, a, b);
  const Input left(a), right(b);
  Output to(out);
  to.fill(0);
  pointwise::with_loss(op, [&](auto chosen) {
    reference::walk(a.shape, reference::strides_of(out.shape), [&](std::int64_t i, std::int64_t at) {
      to[at] += pointwise::loss<chosen(), Math>(left[i], right[i]);
    });
  });
  for (std::int64_t i = 0; i < out.size(); ++i) to[i] *= scale;
}

void ReferenceBackend::loss_backward(LossOp op, View d_a, ConstView a, ConstView b, ConstView d_out, double scale) {
  check::loss_backward(op, d_a, a, b, d_out);
  const Input left(a), right(b), from(d_out);
  Output to(d_a);
  pointwise::with_loss(op, [&](auto chosen) {
    reference::walk(a.shape, reference::strides_of(d_out.shape), [&](std::int64_t i, std::int64_t at) {
      to[i] = from[at] * scale * pointwise::loss_derivative<chosen(), Math>(left[i], right[i]);
    });
  });
}

namespace {

/// log(sum(exp(row)))
double log_sum_exp(const double* row, std::int64_t count) {
  double largest = -std::numeric_limits<double>::infinity();
  for (std::int64_t j = 0; j < count; ++j) largest = pointwise::maximum(largest, row[j]);
  double sum = 0;
  for (std::int64_t j = 0; j < count; ++j) sum += exact::exp(row[j] - largest);
  return largest + exact::log(sum);
}

void require_label(const char* name, std::int32_t label, std::int64_t row, std::int64_t classes) {
  if (label < 0 || label >= classes) fail("{}: label {} of row {} is outside [0, {})", name, label, row, classes);
}

}  // namespace

void ReferenceBackend::cross_entropy(View out, ConstView logits, ConstView labels) {
  check::cross_entropy(out, logits, labels);
  const std::int64_t rows = logits.shape[0], classes = logits.shape[1];
  const std::int32_t* label = labels.as<std::int32_t>();
  const Input from(logits);
  Output to(out);
  for (std::int64_t row = 0; row < rows; ++row) {
    require_label("cross_entropy", label[row], row, classes);
    const double* scores = from.data() + row * classes;
    to[row] = log_sum_exp(scores, classes) - scores[label[row]];
  }
}

void ReferenceBackend::cross_entropy_backward(View d_logits, ConstView logits, ConstView labels, ConstView d_out) {
  check::cross_entropy_backward(d_logits, logits, labels, d_out);
  const std::int64_t rows = logits.shape[0], classes = logits.shape[1];
  const std::int32_t* label = labels.as<std::int32_t>();
  const Input at(logits), from(d_out);
  Output to(d_logits);
  for (std::int64_t row = 0; row < rows; ++row) {
    require_label("cross_entropy_backward", label[row], row, classes);
    const double* scores = at.data() + row * classes;
    const double normaliser = log_sum_exp(scores, classes);
    for (std::int64_t j = 0; j < classes; ++j) {
      to[row * classes + j] = from[row] * (exact::exp(scores[j] - normaliser) - (j == label[row] ? 1 : 0));
    }
  }
}

namespace {

/// Calls f(n, a, b) for every pair of neighbouring elements of x [N,H,W,C] below or beside each other: b after a.
template <typename F>
void for_each_neighbour(const Shape& x, F&& f) {
  const std::int64_t images = x[0], height = x[1], width = x[2], channels = x[3];
  const std::int64_t line = width * channels;
  for (std::int64_t n = 0; n < images; ++n) {
    for (std::int64_t h = 0; h < height; ++h) {
      for (std::int64_t j = 0; j < line; ++j) {
        const std::int64_t here = (n * height + h) * line + j;
        if (h + 1 < height) f(n, here, here + line);
        if (j + channels < line) f(n, here, here + channels);
      }
    }
  }
}

}  // namespace

void ReferenceBackend::total_variation(View out, ConstView x, double beta) {
  check::total_variation(out, x, beta);
  const Input from(x);
  Output to(out);
  to.fill(0);
  for_each_neighbour(x.shape, [&](std::int64_t n, std::int64_t a, std::int64_t b) {
    to[n] += pointwise::variation<Math>(from[b] - from[a], beta);
  });
}

void ReferenceBackend::total_variation_backward(View d_x, ConstView x, ConstView d_out, double beta) {
  check::total_variation_backward(d_x, x, d_out, beta);
  const Input at(x), from(d_out);
  Output to(d_x);
  to.fill(0);
  for_each_neighbour(x.shape, [&](std::int64_t n, std::int64_t a, std::int64_t b) {
    const double slope = from[n] * pointwise::variation_derivative<Math>(at[b] - at[a], beta);
    to[b] += slope;
    to[a] -= slope;
  });
}

}  // namespace counterfoil
