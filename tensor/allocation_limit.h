#pragma once

#include <cstddef>

namespace counterfoil {

/// While it lives, the tensors that its thread makes have so many bytes in all; Tensor::empty() throws Error before one
/// more is asked for. For what is built as a file wants it. An inner limit is for itself: its tensors count with the
/// outer one neither before nor after.
class AllocationLimit {
 public:
  explicit AllocationLimit(std::size_t bytes);
  ~AllocationLimit();
  AllocationLimit(const AllocationLimit&) = delete;
  AllocationLimit& operator=(const AllocationLimit&) = delete;

  /// Counts a tensor that is to be made. Throws Error where it is too much for the innermost limit, if there is one.
  static void count(std::size_t bytes);

 private:
  std::size_t bytes_, left_;
  AllocationLimit* outer_;
};

}  // namespace counterfoil
