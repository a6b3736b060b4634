#include <algorithm>
#include <cstring>

#include "kernels/checks.h"
#include "kernels/element_types.h"
#include "kernels/error.h"
#include "kernels/reference/doubles.h"
#include "kernels/reference/reference_backend.h"
#include "kernels/reference/walk.h"

namespace counterfoil {

using reference::Axes;
using reference::Input;
using reference::Output;
using reference::strides_of;
using reference::walk;

namespace {

/// f(T()) for an unsigned type of the dtype's size: moving an element takes no more.
template <typename F>
void with_size(DType dtype, F&& f) {
  switch (size_of(dtype)) {
    case 1:
      return f(std::uint8_t());
    case 2:
      return f(std::uint16_t());
    case 4:
      return f(std::uint32_t());
    default:
      return f(std::uint64_t());
  }
}

/// Offset of the position `begin` in an array.
std::int64_t offset_of(const Shape& shape, std::span<const std::int64_t> begin) {
  std::int64_t offset = 0;
  for (int i = 0; i < shape.rank(); ++i) offset = offset * shape[i] + begin[static_cast<std::size_t>(i)];
  return offset;
}

void copy_all(const View& out, const ConstView& x) {
  if (out.data != x.data && x.size() > 0) {
    std::memcpy(out.data, x.data, static_cast<std::size_t>(x.size()) * size_of(x.dtype));
  }
}

void require_row(const char* name, std::int32_t row, std::int64_t position, std::int64_t rows) {
  if (row < 0 || row >= rows) fail("{}: index {} at position {} is outside [0, {})", name, row, position, rows);
}

}  // namespace

void ReferenceBackend::fill(View out, double value) {
  check::fill(out);
  with_type(out.dtype, [&](auto type) {
    using T = decltype(type);
    std::fill_n(out.as<T>(), out.size(), from_double<T>(value));
  });
}

void ReferenceBackend::convert(View out, ConstView x, double scale) {
  check::convert(out, x);
  if (out.dtype == x.dtype && scale == 1) return copy_all(out, x);
  with_type(out.dtype, [&](auto out_type) {
    with_type(x.dtype, [&](auto x_type) {
      using To = decltype(out_type);
      using From = decltype(x_type);
      const From* source = x.as<From>();
      std::transform(source, source + x.size(), out.as<To>(),
                     [=](From v) { return from_double<To>(scale * to_double(v)); });
    });
  });
}

void ReferenceBackend::permute(View out, ConstView x, std::span<const int> order) {
  check::permute(out, x, order);
  // Stepping along out's axis i moves x along its axis order[i].
  const Axes x_strides = strides_of(x.shape);
  const auto rank = static_cast<std::size_t>(x.shape.rank());
  const std::size_t leading = kMaxRank - rank;
  Axes strides{};
  for (std::size_t i = 0; i < rank; ++i) strides[leading + i] = x_strides[leading + static_cast<std::size_t>(order[i])];
  with_size(x.dtype, [&](auto type) {
    using T = decltype(type);
    walk(out.shape, strides, [&](std::int64_t i, std::int64_t from) { out.as<T>()[i] = x.as<T>()[from]; });
  });
}

void ReferenceBackend::broadcast(View out, ConstView x) {
  check::broadcast(out, x);
  with_size(x.dtype, [&](auto type) {
    using T = decltype(type);
    walk(out.shape, strides_of(x.shape), [&](std::int64_t i, std::int64_t from) { out.as<T>()[i] = x.as<T>()[from]; });
  });
}

void ReferenceBackend::slice(View out, ConstView x, std::span<const std::int64_t> begin) {
  check::slice(out, x, begin);
  const std::int64_t start = offset_of(x.shape, begin);
  with_size(x.dtype, [&](auto type) {
    using T = decltype(type);
    walk(out.shape, strides_of(x.shape),
         [&](std::int64_t i, std::int64_t from) { out.as<T>()[i] = x.as<T>()[start + from]; });
  });
}

void ReferenceBackend::pad(View out, ConstView x, std::span<const std::int64_t> begin) {
  check::pad(out, x, begin);
  const std::int64_t start = offset_of(out.shape, begin);
  with_size(x.dtype, [&](auto type) {
    using T = decltype(type);
    std::fill_n(out.as<T>(), out.size(), T{0});
    walk(x.shape, strides_of(out.shape),
         [&](std::int64_t i, std::int64_t to) { out.as<T>()[start + to] = x.as<T>()[i]; });
  });
}

void ReferenceBackend::concat(View out, std::span<const ConstView> parts, int axis) {
  check::concat(out, parts, axis);
  std::array<std::int64_t, kMaxRank> begin{};
  for (const ConstView& part : parts) {
    const std::int64_t start = offset_of(out.shape, begin);
    with_size(out.dtype, [&](auto type) {
      using T = decltype(type);
      walk(part.shape, strides_of(out.shape),
           [&](std::int64_t i, std::int64_t to) { out.as<T>()[start + to] = part.as<T>()[i]; });
    });
    begin[static_cast<std::size_t>(axis)] += part.shape[axis];
  }
}

void ReferenceBackend::gather_rows(View out, ConstView table, ConstView index) {
  check::gather_rows(out, table, index);
  const std::int64_t rows = table.shape[0];
  const std::int64_t width = table.shape.with(0, 1).size();
  const std::int32_t* row = index.as<std::int32_t>();
  with_size(table.dtype, [&](auto type) {
    using T = decltype(type);
    for (std::int64_t m = 0; m < index.size(); ++m) {
      require_row("gather_rows", row[m], m, rows);
      std::copy_n(table.as<T>() + row[m] * width, width, out.as<T>() + m * width);
    }
  });
}

void ReferenceBackend::scatter_add_rows(View out, ConstView x, ConstView index) {
  check::scatter_add_rows(out, x, index);
  const std::int64_t rows = out.shape[0];
  const std::int64_t width = out.shape.with(0, 1).size();
  const std::int32_t* row = index.as<std::int32_t>();
  const Input from(x);
  Output to(out);
  to.fill(0);
  for (std::int64_t m = 0; m < index.size(); ++m) {
    require_row("scatter_add_rows", row[m], m, rows);
    for (std::int64_t j = 0; j < width; ++j) to[row[m] * width + j] += from[m * width + j];
  }
}

void ReferenceBackend::one_hot(View out, ConstView index) {
  check::one_hot(out, index);
  const std::int64_t classes = out.shape[1];
  const std::int32_t* chosen = index.as<std::int32_t>();
  Output to(out);
  to.fill(0);
  for (std::int64_t m = 0; m < index.size(); ++m) {
    if (chosen[m] >= 0 && chosen[m] < classes) to[m * classes + chosen[m]] = 1;
  }
}

}  // namespace counterfoil
