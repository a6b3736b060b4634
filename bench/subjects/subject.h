#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "kernels/backend.h"
#include "tensor/tensor.h"

// What bench/ measures: calls of primitives that together start every kernel of kernels/cuda.

namespace counterfoil::bench {

/// How large the arrays are.
struct Sizes {
  std::int64_t images = 64;
  std::vector<std::int64_t> sides = {28, 224};  ///< of pointwise arrays [images, side, side, 16]: 3.2 MB and 205 MB
  std::int64_t most = std::numeric_limits<std::int64_t>::max();  ///< multiply-adds of a product; above, it is left out
  bool few = false;                                              ///< of everything else, too

  /// For a look at whether everything runs, on an emulated device.
  static Sizes small() { return {.images = 2, .sides = {12}, .most = 5'000'000, .few = true}; }
  std::int64_t either(std::int64_t many, std::int64_t less) const { return few ? less : many; }
};

using Run = std::function<void(Backend&)>;

struct Subject {
  std::string name;
  std::function<Run(Device&)> prepare;  ///< allocates on the device and returns the call to measure
  bool product = false;                 ///< a matrix product or convolution, which NVIDIA's libraries have, too
  bool tensor_cores = false;            ///< multiplies in bf16
};

/// An array on a device; copies share it.
class Array {
 public:
  explicit Array(Tensor tensor) : tensor_(std::move(tensor)), view_(tensor_.mutable_view()) {}
  /// Zeros.
  Array(Device& device, const Shape& shape, DType dtype = DType::f32) : Array(Tensor::zeros(shape, dtype, device)) {}
  /// Standard normal numbers.
  static Array normal(Device& device, const Shape& shape);

  operator View() const { return view_; }
  operator ConstView() const { return view_; }
  const View& view() const { return view_; }
  /// The same elements under another shape of at most as many.
  View as(const Shape& shape) const { return {view_.data, shape, view_.dtype}; }

 private:
  Tensor tensor_;
  View view_;
};

std::vector<Subject> loop_subjects(const Sizes& sizes);
std::vector<Subject> row_subjects(const Sizes& sizes);
std::vector<Subject> network_subjects(const Sizes& sizes);
std::vector<Subject> image_subjects(const Sizes& sizes);
std::vector<Subject> all_subjects(const Sizes& sizes);

}  // namespace counterfoil::bench
