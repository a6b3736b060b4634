#include "kernels/reference/doubles.h"

#include <algorithm>

#include "kernels/pointwise.h"

namespace counterfoil::reference {

Input::Input(const ConstView& view, Compute compute) {
  if (view.dtype == DType::f64) {
    data_ = view.as<double>();
    return;
  }
  const float* source = view.as<float>();
  copy_.assign(source, source + view.size());
  if (compute == Compute::bf16) {
    for (double& value : copy_) value = pointwise::from_bf16(pointwise::to_bf16(static_cast<float>(value)));
  }
  data_ = copy_.data();
}

Output::Output(const View& view) : view_(view) {
  if (view.dtype == DType::f64) {
    data_ = view.as<double>();
    return;
  }
  buffer_.resize(static_cast<std::size_t>(view.size()));
  data_ = buffer_.data();
}

Output::~Output() {
  if (view_.dtype == DType::f64) return;
  std::ranges::transform(buffer_, view_.as<float>(), [](double value) { return static_cast<float>(value); });
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
