#include "tensor/tensor.h"

#include <algorithm>

#include "kernels/backend.h"
#include "tensor/allocation_limit.h"

namespace counterfoil {

class Tensor::Storage {
 public:
  Storage(Device& where, std::size_t size) : device(where), bytes(size), data(where.allocate(size)) {}
  ~Storage() { device.release(data, bytes); }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  Device& device;
  std::size_t bytes;
  void* data;
  std::uint64_t version = 0;
};

Tensor Tensor::empty(const Shape& shape, DType dtype, Device& device) {
  const std::size_t bytes = static_cast<std::size_t>(shape.size()) * size_of(dtype);
  AllocationLimit::count(bytes);
  Tensor tensor;
  tensor.storage_ = std::make_shared<Storage>(device, bytes);
  tensor.shape_ = shape;
  tensor.dtype_ = dtype;
  return tensor;
}

Tensor Tensor::full(const Shape& shape, double value, DType dtype, Device& device) {
  Tensor tensor = empty(shape, dtype, device);
  device.backend().fill(tensor.mutable_view(), value);
  return tensor;
}

template <typename T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape, Device& device) {
  if (static_cast<std::int64_t>(values.size()) != shape.size()) {
    fail("tensor: {} values given for shape {}", values.size(), shape.to_string());
  }
  Tensor tensor = empty(shape, dtype_of<T>(), device);
  if (!values.empty()) device.copy_from_host(tensor.mutable_view().data, values.data(), values.size_bytes());
  return tensor;
}

Device& Tensor::device() const {
  if (!defined()) fail("tensor: undefined");
  return storage_->device;
}

ConstView Tensor::view() const {
  if (!defined()) fail("tensor: undefined");
  return {storage_->data, shape_, dtype_};
}

View Tensor::mutable_view() {
  if (!defined()) fail("tensor: undefined");
  ++storage_->version;
  return {storage_->data, shape_, dtype_};
}

std::uint64_t Tensor::version() const {
  return defined() ? storage_->version : 0;
}

Tensor Tensor::reshape(const Shape& shape) const {
  if (!defined()) fail("tensor: undefined");
  if (shape.size() != size()) fail("reshape: {} to {} changes the size", shape_.to_string(), shape.to_string());
  Tensor tensor = *this;
  tensor.shape_ = shape;
  return tensor;
}

Tensor Tensor::reshape(std::initializer_list<std::int64_t> extents) const {
  std::vector<std::int64_t> resolved(extents);
  const auto inferred = std::find(resolved.begin(), resolved.end(), -1);
  if (inferred != resolved.end()) {
    *inferred = 1;
    const std::int64_t others = Shape(resolved).size();
    if (others == 0 || size() % others != 0) {
      fail("reshape: {} has no extent to infer in {}", shape_.to_string(), Shape(resolved).to_string());
    }
    *inferred = size() / others;
  }
  return reshape(Shape(resolved));
}

Tensor Tensor::clone() const {
  Tensor copy = empty_like();
  if (bytes() > 0) device().copy_within(copy.mutable_view().data, view().data, bytes());
  return copy;
}

Tensor Tensor::to(Device& target) const {
  if (&target == &device()) return *this;
  Tensor copy = empty(shape_, dtype_, target);
  if (bytes() == 0) return copy;
  if (target.host_accessible()) {
    device().copy_to_host(copy.mutable_view().data, view().data, bytes());
  } else if (device().host_accessible()) {
    target.copy_from_host(copy.mutable_view().data, view().data, bytes());
  } else {
    std::vector<std::byte> staging(bytes());
    device().copy_to_host(staging.data(), view().data, bytes());
    target.copy_from_host(copy.mutable_view().data, staging.data(), bytes());
  }
  return copy;
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == dtype_) return *this;
  Tensor converted = empty(shape_, dtype, device());
  backend().convert(converted.mutable_view(), view(), 1);
  return converted;
}

template <typename T>
std::vector<T> Tensor::to_vector() const {
  if (dtype_ != dtype_of<T>()) fail("tensor: expected {}, found {}", name_of(dtype_of<T>()), name_of(dtype_));
  std::vector<T> values(static_cast<std::size_t>(size()));
  if (bytes() > 0) device().copy_to_host(values.data(), view().data, bytes());
  return values;
}

std::vector<double> Tensor::to_doubles() const {
  const auto widen = [](const auto& values) { return std::vector<double>(values.begin(), values.end()); };
  switch (dtype_) {
    case DType::f64:
      return to_vector<double>();
    case DType::f32:
      return widen(to_vector<float>());
    case DType::u8:
      return widen(to_vector<std::uint8_t>());
    case DType::i32:
      return widen(to_vector<std::int32_t>());
    case DType::i64: {
      const std::vector<std::int64_t> values = to_vector<std::int64_t>();
      std::vector<double> doubles(values.size());
      std::ranges::transform(values, doubles.begin(), [](std::int64_t v) { return static_cast<double>(v); });
      return doubles;
    }
    case DType::bf16:
      return to(DType::f32).to_doubles();
  }
  fail("tensor: unknown dtype");
}

double Tensor::item() const {
  if (size() != 1) fail("item: expected one element, found shape {}", shape_.to_string());
  return to_doubles().front();
}

#define COUNTERFOIL_INSTANTIATE(T)                                            \
  template Tensor Tensor::from<T>(std::span<const T>, const Shape&, Device&); \
  template std::vector<T> Tensor::to_vector<T>() const;
COUNTERFOIL_INSTANTIATE(float)
COUNTERFOIL_INSTANTIATE(double)
COUNTERFOIL_INSTANTIATE(std::uint8_t)
COUNTERFOIL_INSTANTIATE(std::int32_t)
COUNTERFOIL_INSTANTIATE(std::int64_t)
#undef COUNTERFOIL_INSTANTIATE

}  // namespace counterfoil
