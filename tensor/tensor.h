#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/device.h"
#include "kernels/error.h"
#include "kernels/view.h"

namespace counterfoil {

/// A contiguous array on a device: a value type that shares its storage when copied (clone() copies the elements).
/// The default-constructed tensor is undefined; anything but defined(), assignment and destruction throws on it.
class Tensor {
 public:
  Tensor() = default;

  /// Uninitialised elements. Throws Error when the device has not the memory.
  static Tensor empty(const Shape& shape, DType dtype, Device& device);
  static Tensor full(const Shape& shape, double value, DType dtype, Device& device);
  static Tensor zeros(const Shape& shape, DType dtype, Device& device) { return full(shape, 0, dtype, device); }
  /// A copy of host values. Throws Error when their number is not shape.size().
  template <typename T>
  static Tensor from(std::span<const T> values, const Shape& shape, Device& device);
  template <typename T>
  static Tensor from(const std::vector<T>& values, const Shape& shape, Device& device) {
    return from(std::span<const T>(values), shape, device);
  }
  /// Uninitialised, with the dtype and device of this one.
  Tensor empty_like(const Shape& shape) const { return empty(shape, dtype(), device()); }
  Tensor empty_like() const { return empty_like(shape()); }
  Tensor zeros_like() const { return zeros(shape(), dtype(), device()); }

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  std::int64_t size() const { return shape_.size(); }
  std::size_t bytes() const { return static_cast<std::size_t>(size()) * size_of(dtype_); }
  DType dtype() const { return dtype_; }
  Device& device() const;
  Backend& backend() const { return device().backend(); }

  ConstView view() const;
  /// A writable view; counts as a change of the storage (see version()).
  View mutable_view();
  /// How often mutable_view() was taken on this storage: the tape compares it to find values changed under its feet.
  std::uint64_t version() const;
  /// Whether both share one storage.
  bool shares_storage(const Tensor& other) const { return storage_ == other.storage_; }

  /// The same elements under another shape of equal size, sharing storage. One extent may be -1: inferred.
  Tensor reshape(const Shape& shape) const;
  Tensor reshape(std::initializer_list<std::int64_t> extents) const;
  Tensor clone() const;
  /// This tensor if it is there already, else a copy.
  Tensor to(Device& device) const;
  /// This tensor if it has that dtype already, else a converted copy.
  Tensor to(DType dtype) const;

  /// Host copy of the elements; T must match the dtype exactly. Waits for the device.
  template <typename T>
  std::vector<T> to_vector() const;
  /// Host copy of the elements as double, whatever the dtype.
  std::vector<double> to_doubles() const;
  /// The only element, as double. Throws Error when size() != 1.
  double item() const;

 private:
  class Storage;
  std::shared_ptr<Storage> storage_;
  Shape shape_;
  DType dtype_ = DType::f32;
};

}  // namespace counterfoil
