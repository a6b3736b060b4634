#pragma once

#include <cstdint>

// The host twins of kernels/cuda/tensor_core.h.

namespace counterfoil::simt {

struct AsyncCopy {
  void* target;
  const void* source;
  int bytes;
  bool valid;
};

void async_copy(void* target, const void* source, int bytes, bool valid);
void async_commit();
/// Takes the running thread's oldest copy that is not in its `pending` latest groups; false when there is none. The
/// caller does the copy itself, in code that the race check watches.
bool next_async_copy(int pending, AsyncCopy& copy);

void mma_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], const char* file = __builtin_FILE(),
              int line = __builtin_LINE());
void mma_tf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], const char* file = __builtin_FILE(),
              int line = __builtin_LINE());

}  // namespace counterfoil::simt
