#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace counterfoil {

enum class DType : std::uint8_t { f32, f64, bf16, u8, i32, i64 };

std::size_t size_of(DType dtype);
std::string_view name_of(DType dtype);

template <typename T>
inline constexpr bool is_element_type = false;
template <>
inline constexpr bool is_element_type<float> = true;
template <>
inline constexpr bool is_element_type<double> = true;
template <>
inline constexpr bool is_element_type<std::uint8_t> = true;
template <>
inline constexpr bool is_element_type<std::int32_t> = true;
template <>
inline constexpr bool is_element_type<std::int64_t> = true;

template <typename T>
constexpr DType dtype_of() {
  static_assert(is_element_type<T>);
  if constexpr (std::is_same_v<T, float>) return DType::f32;
  if constexpr (std::is_same_v<T, double>) return DType::f64;
  if constexpr (std::is_same_v<T, std::uint8_t>) return DType::u8;
  if constexpr (std::is_same_v<T, std::int32_t>) return DType::i32;
  return DType::i64;
}

inline constexpr int kMaxRank = 5;

/// Extents of a contiguous, row-major array of rank 0 (a scalar) to 5. Extents are >= 0; their product fits in 63 bits.
class Shape {
 public:
  Shape() = default;
  /// Throws Error on more than kMaxRank extents, a negative extent, or an overflowing product.
  Shape(std::initializer_list<std::int64_t> extents);
  explicit Shape(std::span<const std::int64_t> extents);

  int rank() const { return rank_; }
  /// Extent of an axis; negative axes count from the end. Throws Error when out of range.
  std::int64_t operator[](int axis) const;
  std::int64_t size() const;  ///< number of elements; 1 for rank 0
  std::span<const std::int64_t> extents() const { return {extents_.data(), static_cast<std::size_t>(rank_)}; }

  /// The same shape with one extent replaced.
  Shape with(int axis, std::int64_t extent) const;

  bool operator==(const Shape& other) const;
  std::string to_string() const;  ///< "[64, 28, 28, 1]"

 private:
  std::array<std::int64_t, kMaxRank> extents_{};
  int rank_ = 0;
};

/// Non-owning, read-only look at a contiguous array on some device. `data` may be null only when size() is 0.
struct ConstView {
  const void* data = nullptr;
  Shape shape;
  DType dtype = DType::f32;

  template <typename T>
  const T* as() const {
    return static_cast<const T*>(data);
  }
  std::int64_t size() const { return shape.size(); }
};

/// Non-owning, writable look at a contiguous array on some device.
struct View {
  void* data = nullptr;
  Shape shape;
  DType dtype = DType::f32;

  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
  std::int64_t size() const { return shape.size(); }
  operator ConstView() const { return {data, shape, dtype}; }
};

}  // namespace counterfoil
