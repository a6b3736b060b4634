#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/device.h"

namespace counterfoil {

/// Uninitialised working memory for one primitive, from the device's caching allocator: free of system calls in a
/// steady state.
class Scratch {
 public:
  Scratch(Device& device, std::size_t bytes) : device_(device), bytes_(bytes), data_(device.allocate(bytes)) {}
  ~Scratch() { device_.release(data_, bytes_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  Device& device_;
  std::size_t bytes_;
  void* data_;
};

}  // namespace counterfoil
