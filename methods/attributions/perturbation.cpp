#include "methods/attributions/perturbation.h"

#include <algorithm>

#include "tensor/ops.h"

namespace counterfoil::methods {
namespace {

void check_axis(std::int64_t extent, std::int64_t window, std::int64_t stride, const char* axis, const char* who) {
  if (window < 1 || window > extent) fail("{}: a window of {} {}, expected 1 to {}", who, window, axis, extent);
  if (stride < 1 || (stride > window && window < extent)) {
    fail("{}: a stride of {} for windows of {} {}, expected 1 to {}: every feature is covered", who, stride, window,
         axis, window);
  }
}

std::size_t place(const Shape& images, std::int64_t image, std::int64_t row, std::int64_t column,
                  std::int64_t channel) {
  return static_cast<std::size_t>(((image * images[1] + row) * images[2] + column) * images[3] + channel);
}

template <typename Visit>
void each_place(const Shape& images, std::int64_t image, const Window& window, const Visit& visit) {
  for (std::int64_t row = window.row; row < window.row_end; ++row) {
    for (std::int64_t column = window.column; column < window.column_end; ++column) {
      for (std::int64_t channel = window.channel; channel < window.channel_end; ++channel)
        visit(place(images, image, row, column, channel));
    }
  }
}

}  // namespace

std::vector<Window> windows_over(const Shape& images, std::int64_t height, std::int64_t width, std::int64_t stride,
                                 bool each_channel, const char* who) {
  check_axis(images[1], height, stride, "rows", who);
  check_axis(images[2], width, stride, "columns", who);
  const std::int64_t channels = each_channel ? 1 : images[3];
  std::vector<Window> windows;
  for (std::int64_t row = 0; row == 0 || row - stride + height < images[1]; row += stride) {
    for (std::int64_t column = 0; column == 0 || column - stride + width < images[2]; column += stride) {
      for (std::int64_t channel = 0; channel < images[3]; channel += channels) {
        windows.push_back({row, std::min(row + height, images[1]), column, std::min(column + width, images[2]), channel,
                           channel + channels});
      }
    }
  }
  return windows;
}

std::vector<double> mean_over_windows(const Shape& images, const std::vector<Window>& windows,
                                      const std::vector<double>& worth) {
  const auto features = static_cast<std::size_t>(images[1] * images[2] * images[3]);
  std::vector<double> sums(features, 0), counts(features, 0);
  for (std::size_t w = 0; w < windows.size(); ++w) {
    each_place(images, 0, windows[w], [&](std::size_t i) {
      sums[i] += worth[w];
      ++counts[i];
    });
  }
  for (std::size_t i = 0; i < features; ++i) sums[i] /= counts[i];
  return sums;
}

Replaced::Replaced(std::int64_t copies, const Shape& images)
    : shape_(images.with(0, copies)), marks_(static_cast<std::size_t>(shape_.size()), 0.0F) {}

void Replaced::mark(std::int64_t copy, const Window& window) {
  each_place(shape_, copy, window, [&](std::size_t i) { marks_[i] = 1; });
}

void Replaced::mark(std::int64_t copy, std::int64_t row, std::int64_t column) {
  mark(copy, {row, row + 1, column, column + 1, 0, shape_[3]});
}

Tensor Replaced::in(const Tensor& x, const Tensor& other) const {
  const Tensor marks = Tensor::from(marks_, shape_, x.device()).to(x.dtype());
  return select(marks, broadcast_to(other, shape_), broadcast_to(x, shape_));
}

}  // namespace counterfoil::methods
