#pragma once

#include <map>
#include <string>

#include "tensor/tensor.h"

namespace counterfoil {

/// A tensor without its elements: what a file claims of one before it is read.
struct TensorSpec {
  DType dtype = DType::f32;
  Shape shape;

  std::size_t bytes() const { return static_cast<std::size_t>(shape.size()) * size_of(dtype); }
};

using TensorSpecs = std::map<std::string, TensorSpec>;

inline TensorSpec spec_of(const Tensor& tensor) {
  return {tensor.dtype(), tensor.shape()};
}
inline TensorSpecs specs_of(const std::map<std::string, Tensor>& tensors) {
  TensorSpecs specs;
  for (const auto& [name, tensor] : tensors) specs.emplace(name, spec_of(tensor));
  return specs;
}

}  // namespace counterfoil
