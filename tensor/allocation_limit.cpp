#include "tensor/allocation_limit.h"

#include "kernels/error.h"

namespace counterfoil {

namespace {

thread_local AllocationLimit* innermost = nullptr;

}  // namespace

AllocationLimit::AllocationLimit(std::size_t bytes) : bytes_(bytes), left_(bytes), outer_(innermost) {
  innermost = this;
}

AllocationLimit::~AllocationLimit() {
  innermost = outer_;
}

void AllocationLimit::count(std::size_t bytes) {
  if (innermost == nullptr) return;
  if (bytes > innermost->left_) fail("more than {} bytes of tensors asked for", innermost->bytes_);
  innermost->left_ -= bytes;
}

}  // namespace counterfoil
