#pragma once

#include <vector>

#include "kernels/cuda/dialect.h"

namespace counterfoil::simt_test {

/// Device memory for the life of the object.
template <typename T>
class DeviceArray {
 public:
  explicit DeviceArray(const std::vector<T>& values) : size_(values.size()) {
    cuda::check(cudaMalloc(&data_, size_ * sizeof(T)), "cudaMalloc");
    cuda::check(cudaMemcpy(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice), "cudaMemcpy");
  }
  explicit DeviceArray(std::size_t size, T value = T()) : DeviceArray(std::vector<T>(size, value)) {}
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* get() const { return data_; }
  /// Waits for everything on stream 0, and throws what failed there.
  std::vector<T> read() const {
    std::vector<T> values(size_);
    cuda::check(cudaMemcpy(values.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost), "cudaMemcpy");
    return values;
  }

 private:
  T* data_ = nullptr;
  std::size_t size_;
};

}  // namespace counterfoil::simt_test
