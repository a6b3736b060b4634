#include "kernels/reference/doubles.h"

#include <algorithm>

#include "kernels/device.h"
#include "kernels/pointwise.h"

namespace counterfoil::reference {

Buffer::Buffer(std::int64_t count)
    : data_(static_cast<double*>(reference_device().allocate(static_cast<std::size_t>(count) * sizeof(double)))),
      bytes_(static_cast<std::size_t>(count) * sizeof(double)) {}

Buffer::~Buffer() {
  if (data_ != nullptr) reference_device().release(data_, bytes_);
}

Input::Input(const ConstView& view, Compute compute)
    : copy_(view.dtype == DType::f64 ? 0 : view.size()),
      data_(view.dtype == DType::f64 ? view.as<double>() : copy_.data()) {
  if (view.dtype == DType::f64) return;
  const float* source = view.as<float>();
  double* target = copy_.data();
  for (std::int64_t i = 0; i < view.size(); ++i) {
    const float value = compute == Compute::bf16 ? pointwise::from_bf16(pointwise::to_bf16(source[i])) : source[i];
    target[i] = static_cast<double>(value);
  }
}

Output::Output(const View& view)
    : view_(view),
      buffer_(view.dtype == DType::f64 ? 0 : view.size()),
      data_(view.dtype == DType::f64 ? view.as<double>() : buffer_.data()) {}

Output::~Output() {
  if (view_.dtype == DType::f64) return;
  float* target = view_.as<float>();
  for (std::int64_t i = 0; i < size(); ++i) target[i] = static_cast<float>(data_[i]);
}

void Output::fill(double value) {
  std::fill_n(data_, size(), value);
}

InOut::InOut(const View& view) : Output(view) {
  if (view.dtype != DType::f64) std::copy_n(view.as<float>(), view.size(), data());
}

double rounded(double parameter, DType dtype) {
  return dtype == DType::f32 ? static_cast<double>(static_cast<float>(parameter)) : parameter;
}

void activate(Output& values, Activation activation, double slope) {
  pointwise::with_activation(activation, [&](auto chosen) {
    for (std::int64_t i = 0; i < values.size(); ++i) {
      values[i] = pointwise::activate<chosen(), exact::Math>(values[i], slope);
    }
  });
}

}  // namespace counterfoil::reference
