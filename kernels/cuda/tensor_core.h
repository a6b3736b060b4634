#pragma once

#include <cstdint>

#include "kernels/cuda/dialect.h"

// Asynchronous copies to shared memory and matrix products on tensor cores (sm_80): the one place with inline PTX, and
// beside each its twin on the host.
//
// async_copy<16>(target, source, valid) starts copying 4, 8 or 16 bytes, aligned to their size, from global to shared
// memory; where valid is false it writes zeros and does not touch the source. async_commit() closes a group of copies,
// and async_wait<N>() waits until at most the N latest groups of the calling thread are still on their way: on the
// host, that is when the bytes arrive. Other threads see them after a barrier.
//
// mma_bf16(d, a, b) and mma_tf32(d, a, b) add a [16,k] times b [k,8] to d [16,8] in float, k = 16 or 8, by all 32 lanes
// of a warp together. With group = lane / 4 and member = lane % 4 a lane holds (PTX ISA, "Matrix fragments for mma"):
//   d[0..1] = D[group][2 member + 0..1], d[2..3] = D[group + 8][2 member + 0..1]
//   bf16: a[0] = A[group][2 member + 0..1], a[1] the same in row group + 8, a[2] and a[3] the same 8 columns further;
//         b[0] = B[2 member + 0..1][group], b[1] the same 8 rows further; two bf16 in a word, the lower index in the
//         low half
//   tf32: a[0] = A[group][member], a[1] = A[group + 8][member], a[2] and a[3] the same 4 columns further;
//         b[0] = B[member][group], b[1] = B[member + 4][group]; words made by to_tf32
// Products are exact and the sums here run in ascending k; the order and rounding inside a tensor core are its own, so
// results agree within k roundings, not bitwise.

namespace counterfoil::cuda {

/// A float rounded to tf32 (10 bits of mantissa, to nearest, ties away from zero), as a word. NaN stays NaN.
__device__ inline unsigned to_tf32(float x) {
#if defined(COUNTERFOIL_SIMT)
  return x != x ? 0x7fffffffu : (__float_as_uint(x) + 0x1000u) & 0xffffe000u;
#else
  unsigned word;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(word) : "f"(x));
  return word;
#endif
}

template <int kBytes>
__device__ __forceinline__ void async_copy(void* target, const void* source, bool valid = true) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16);
#if defined(COUNTERFOIL_SIMT)
  simt::async_copy(target, source, kBytes, valid);
#else
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(target));
  const int bytes = valid ? kBytes : 0;
  if constexpr (kBytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(source), "r"(bytes) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(address), "l"(source), "n"(kBytes), "r"(bytes)
                 : "memory");
  }
#endif
}

__device__ __forceinline__ void async_commit() {
#if defined(COUNTERFOIL_SIMT)
  simt::async_commit();
#else
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

template <int kPending>
__device__ __forceinline__ void async_wait() {
#if defined(COUNTERFOIL_SIMT)
  simt::AsyncCopy copy;
  while (simt::next_async_copy(kPending, copy)) {
    if (copy.bytes == 16) {
      *static_cast<uint4*>(copy.target) = copy.valid ? *static_cast<const uint4*>(copy.source) : uint4{};
    } else if (copy.bytes == 8) {
      *static_cast<uint2*>(copy.target) = copy.valid ? *static_cast<const uint2*>(copy.source) : uint2{};
    } else {
      *static_cast<unsigned*>(copy.target) = copy.valid ? *static_cast<const unsigned*>(copy.source) : 0u;
    }
  }
#else
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
#endif
}

#if defined(COUNTERFOIL_SIMT)
using simt::mma_bf16;
using simt::mma_tf32;
#else
__device__ inline void mma_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ inline void mma_tf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

}  // namespace counterfoil::cuda
