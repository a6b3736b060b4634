#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/simt/vector_types.h"

// What a kernel's thread sees: its indices, shared memory, barriers, warp operations and atomics. Calls that may block
// take the source line of the caller, so that a report can name the barrier.

namespace counterfoil::simt {

/// Indices of the thread that runs on this OS thread now.
struct Builtins {
  uint3 thread_idx, block_idx;
  dim3 block_dim, grid_dim;
};
extern thread_local constinit Builtins builtins;

/// Storage of the shared array declared at `site` in the running block, filled with poison (0xff bytes: NaN, -1).
void* shared_array(const void* site, std::size_t bytes, const char* name, const char* file, int line);
void* dynamic_shared();

void block_barrier(const char* file, int line);

enum class WarpOp : std::uint8_t { sync, shuffle, ballot, match, collective };
/// Waits for every lane of `mask` and returns: for shuffle the value of lane `source`, or poison where that lane is not
/// in the mask; for ballot the lanes whose value is not 0; for match the lanes whose value equals the caller's.
/// For collective the values are addresses of Collective, and its function has run once for all lanes.
std::uint64_t warp_meet(WarpOp op, unsigned mask, std::uint64_t value, unsigned source, const char* file, int line);
unsigned lane();

/// What a lane brings to an operation that the warp computes together; all 32 lanes wait while `run` works.
struct Collective {
  void (*run)(const Collective* const (&lanes)[32]);
};

template <typename T>
T shuffled(unsigned mask, T value, unsigned source, const char* file, int line) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8, "shuffles move values of up to 8 bytes");
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = warp_meet(WarpOp::shuffle, mask, bits, source, file, line);
  std::memcpy(static_cast<void*>(&value), &bits, sizeof(T));
  return value;
}

}  // namespace counterfoil::simt

#define threadIdx (::counterfoil::simt::builtins.thread_idx)
#define blockIdx (::counterfoil::simt::builtins.block_idx)
#define blockDim (::counterfoil::simt::builtins.block_dim)
#define gridDim (::counterfoil::simt::builtins.grid_dim)

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

#define COUNTERFOIL_SIMT_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()

inline constexpr int warpSize = 32;

inline void __syncthreads(COUNTERFOIL_SIMT_HERE) {
  ::counterfoil::simt::block_barrier(file, line);
}
inline void __syncwarp(unsigned mask = 0xffffffffu, COUNTERFOIL_SIMT_HERE) {
  ::counterfoil::simt::warp_meet(::counterfoil::simt::WarpOp::sync, mask, 0, 0, file, line);
}
// Any non-empty set of converged lanes that holds the caller is a legal answer: here, the caller alone.
inline unsigned __activemask() {
  return 1u << ::counterfoil::simt::lane();
}

// Lanes are divided into groups of `width` (a power of two); a source outside the caller's group is the caller itself,
// except for __shfl_sync, which wraps around.
template <typename T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, COUNTERFOIL_SIMT_HERE) {
  const unsigned lane = ::counterfoil::simt::lane(), group = static_cast<unsigned>(width) - 1;
  return ::counterfoil::simt::shuffled(mask, value, (lane & ~group) | (static_cast<unsigned>(source) & group), file,
                                       line);
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, COUNTERFOIL_SIMT_HERE) {
  const unsigned lane = ::counterfoil::simt::lane(), group = static_cast<unsigned>(width) - 1;
  return ::counterfoil::simt::shuffled(mask, value, (lane & group) >= delta ? lane - delta : lane, file, line);
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, COUNTERFOIL_SIMT_HERE) {
  const unsigned lane = ::counterfoil::simt::lane(), group = static_cast<unsigned>(width) - 1;
  return ::counterfoil::simt::shuffled(mask, value, (lane & group) + delta <= group ? lane + delta : lane, file, line);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, COUNTERFOIL_SIMT_HERE) {
  const unsigned lane = ::counterfoil::simt::lane(), group = static_cast<unsigned>(width) - 1;
  const unsigned source = lane ^ static_cast<unsigned>(lanes);
  return ::counterfoil::simt::shuffled(mask, value, (source | group) <= (lane | group) ? source : lane, file, line);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, COUNTERFOIL_SIMT_HERE) {
  return static_cast<unsigned>(
      ::counterfoil::simt::warp_meet(::counterfoil::simt::WarpOp::ballot, mask, predicate != 0 ? 1 : 0, 0, file, line));
}
inline int __any_sync(unsigned mask, int predicate, COUNTERFOIL_SIMT_HERE) {
  return __ballot_sync(mask, predicate, file, line) != 0 ? 1 : 0;
}
inline int __all_sync(unsigned mask, int predicate, COUNTERFOIL_SIMT_HERE) {
  return __ballot_sync(mask, predicate, file, line) == mask ? 1 : 0;
}
template <typename T>
unsigned __match_any_sync(unsigned mask, T value, COUNTERFOIL_SIMT_HERE) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return static_cast<unsigned>(
      ::counterfoil::simt::warp_meet(::counterfoil::simt::WarpOp::match, mask, bits, 0, file, line));
}

#undef COUNTERFOIL_SIMT_HERE

inline void __threadfence() {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
inline void __threadfence_block() {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

// Integer atomics only: the order of float additions would show in the result.
#define COUNTERFOIL_SIMT_ATOMICS(T)                                                                        \
  __forceinline__ T atomicAdd(T* address, T value) {                                                       \
    return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);                                           \
  }                                                                                                        \
  __forceinline__ T atomicAnd(T* address, T value) {                                                       \
    return __atomic_fetch_and(address, value, __ATOMIC_RELAXED);                                           \
  }                                                                                                        \
  __forceinline__ T atomicOr(T* address, T value) {                                                        \
    return __atomic_fetch_or(address, value, __ATOMIC_RELAXED);                                            \
  }                                                                                                        \
  __forceinline__ T atomicXor(T* address, T value) {                                                       \
    return __atomic_fetch_xor(address, value, __ATOMIC_RELAXED);                                           \
  }                                                                                                        \
  __forceinline__ T atomicExch(T* address, T value) {                                                      \
    return __atomic_exchange_n(address, value, __ATOMIC_RELAXED);                                          \
  }                                                                                                        \
  __forceinline__ T atomicCAS(T* address, T expected, T value) {                                           \
    __atomic_compare_exchange_n(address, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);     \
    return expected;                                                                                       \
  }                                                                                                        \
  __forceinline__ T atomicMin(T* address, T value) {                                                       \
    T old = __atomic_load_n(address, __ATOMIC_RELAXED);                                                    \
    while (value < old &&                                                                                  \
           !__atomic_compare_exchange_n(address, &old, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) { \
    }                                                                                                      \
    return old;                                                                                            \
  }                                                                                                        \
  __forceinline__ T atomicMax(T* address, T value) {                                                       \
    T old = __atomic_load_n(address, __ATOMIC_RELAXED);                                                    \
    while (old < value &&                                                                                  \
           !__atomic_compare_exchange_n(address, &old, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) { \
    }                                                                                                      \
    return old;                                                                                            \
  }
COUNTERFOIL_SIMT_ATOMICS(int)
COUNTERFOIL_SIMT_ATOMICS(unsigned)
COUNTERFOIL_SIMT_ATOMICS(unsigned long long)
#undef COUNTERFOIL_SIMT_ATOMICS
__forceinline__ int atomicSub(int* address, int value) {
  return __atomic_fetch_sub(address, value, __ATOMIC_RELAXED);
}
__forceinline__ unsigned atomicSub(unsigned* address, unsigned value) {
  return __atomic_fetch_sub(address, value, __ATOMIC_RELAXED);
}
