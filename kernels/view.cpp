#include "kernels/view.h"

#include <algorithm>
#include <limits>

#include "kernels/error.h"

namespace counterfoil {

std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::f64:
    case DType::i64:
      return 8;
    case DType::bf16:
      return 2;
    case DType::u8:
      return 1;
  }
  fail("unknown dtype {}", static_cast<int>(dtype));
}

std::string_view name_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "f32";
    case DType::f64:
      return "f64";
    case DType::bf16:
      return "bf16";
    case DType::u8:
      return "u8";
    case DType::i32:
      return "i32";
    case DType::i64:
      return "i64";
  }
  fail("unknown dtype {}", static_cast<int>(dtype));
}

Shape::Shape(std::initializer_list<std::int64_t> extents) : Shape(std::span(extents.begin(), extents.size())) {}

Shape::Shape(std::span<const std::int64_t> extents) {
  if (extents.size() > kMaxRank) fail("shape: at most {} dimensions are supported, got {}", kMaxRank, extents.size());
  rank_ = static_cast<int>(extents.size());
  std::copy(extents.begin(), extents.end(), extents_.begin());
  // Checked without the zero extents, so that an empty array cannot hide an overflow of the others.
  std::int64_t product = 1;
  for (const std::int64_t extent : extents) {
    if (extent < 0) fail("shape {}: negative extent", to_string());
    if (extent == 0) continue;
    if (product > std::numeric_limits<std::int64_t>::max() / 8 / extent) fail("shape {}: too large", to_string());
    product *= extent;
  }
}

std::int64_t Shape::operator[](int axis) const {
  const int index = axis < 0 ? axis + rank_ : axis;
  if (index < 0 || index >= rank_) fail("shape {}: no axis {}", to_string(), axis);
  return extents_[static_cast<std::size_t>(index)];
}

std::int64_t Shape::size() const {
  std::int64_t product = 1;
  for (const std::int64_t extent : extents()) product *= extent;
  return product;
}

Shape Shape::with(int axis, std::int64_t extent) const {
  (void)(*this)[axis];
  std::array<std::int64_t, kMaxRank> changed = extents_;
  changed[static_cast<std::size_t>(axis < 0 ? axis + rank_ : axis)] = extent;
  return Shape(std::span<const std::int64_t>(changed.data(), static_cast<std::size_t>(rank_)));
}

bool Shape::operator==(const Shape& other) const {
  return std::ranges::equal(extents(), other.extents());
}

std::string Shape::to_string() const {
  return fmt::format("[{}]", fmt::join(extents(), ", "));
}

}  // namespace counterfoil
