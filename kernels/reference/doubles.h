#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/geometry.h"
#include "kernels/view.h"

namespace counterfoil::reference {

/// Doubles in the reference device's memory, whose cache spares every primitive the system's page faults. Holds
/// anything at first.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::int64_t count);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  double* data() const { return data_; }

 private:
  double* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// A float array to read as doubles: the array itself where it is f64, else a copy of it, for Compute::bf16 rounded to
/// bf16.
class Input {
 public:
  explicit Input(const ConstView& view, Compute compute = Compute::f32);
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  double operator[](std::int64_t i) const { return data_[i]; }
  const double* data() const { return data_; }

 private:
  Buffer copy_;
  const double* data_;
};

/// A float array to write as doubles: the array itself where it is f64, else doubles that are rounded into it at the
/// end of the scope. Holds anything before it is written.
class Output {
 public:
  explicit Output(const View& view);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  double& operator[](std::int64_t i) { return data_[i]; }
  double* data() { return data_; }
  std::int64_t size() const { return view_.size(); }
  void fill(double value);

 private:
  View view_;
  Buffer buffer_;
  double* data_;
};

/// A float array to update: its old values are there.
class InOut : public Output {
 public:
  explicit InOut(const View& view);
};

/// A parameter as the array's own precision has it, so that a comparison with an element is one of like with like.
double rounded(double parameter, DType dtype);

/// values = activation(values)
void activate(Output& values, Activation activation, double slope);

}  // namespace counterfoil::reference
