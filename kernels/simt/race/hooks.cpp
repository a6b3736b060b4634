#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/simt/race/race_check.h"

// The calls that -fsanitize=thread puts before every memory access. The real library is not linked: these take its
// place.

using counterfoil::simt::RaceCheck;
using Kind = RaceCheck::Kind;

#define CALLER __builtin_return_address(0)

namespace {
void note(const volatile void* address, std::size_t bytes, Kind kind, const void* pc, bool aligned = false) {
  RaceCheck::instance().access(const_cast<const void*>(address), bytes, kind, aligned, pc);
}
}  // namespace

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}

#define COUNTERFOIL_ACCESS(bytes)                     \
  void __tsan_read##bytes(void* address) {            \
    note(address, bytes, Kind::read, CALLER, true);   \
  }                                                   \
  void __tsan_write##bytes(void* address) {           \
    note(address, bytes, Kind::write, CALLER, true);  \
  }                                                   \
  void __tsan_unaligned_read##bytes(void* address) {  \
    note(address, bytes, Kind::read, CALLER);         \
  }                                                   \
  void __tsan_unaligned_write##bytes(void* address) { \
    note(address, bytes, Kind::write, CALLER);        \
  }                                                   \
  void __tsan_volatile_read##bytes(void* address) {   \
    note(address, bytes, Kind::read, CALLER);         \
  }                                                   \
  void __tsan_volatile_write##bytes(void* address) {  \
    note(address, bytes, Kind::write, CALLER);        \
  }
COUNTERFOIL_ACCESS(1)
COUNTERFOIL_ACCESS(2)
COUNTERFOIL_ACCESS(4)
COUNTERFOIL_ACCESS(8)
COUNTERFOIL_ACCESS(16)

void __tsan_read_range(void* address, std::size_t bytes) {
  note(address, bytes, Kind::read, CALLER);
}
void __tsan_write_range(void* address, std::size_t bytes) {
  note(address, bytes, Kind::write, CALLER);
}
void* __tsan_memcpy(void* target, const void* source, std::size_t bytes) {
  note(source, bytes, Kind::read, CALLER);
  note(target, bytes, Kind::write, CALLER);
  return std::memcpy(target, source, bytes);
}
void* __tsan_memmove(void* target, const void* source, std::size_t bytes) {
  note(source, bytes, Kind::read, CALLER);
  note(target, bytes, Kind::write, CALLER);
  return std::memmove(target, source, bytes);
}
void* __tsan_memset(void* target, int value, std::size_t bytes) {
  note(target, bytes, Kind::write, CALLER);
  return std::memset(target, value, bytes);
}

// The instrumented atomics do the operation as well as reporting it; the memory order asked for is at most this one.
#define COUNTERFOIL_ATOMIC(bits, T)                                                                    \
  T __tsan_atomic##bits##_load(const volatile T* address, int) {                                       \
    note(address, sizeof(T), Kind::atomic, CALLER);                                                    \
    return __atomic_load_n(address, __ATOMIC_SEQ_CST);                                                 \
  }                                                                                                    \
  void __tsan_atomic##bits##_store(volatile T* address, T value, int) {                                \
    note(address, sizeof(T), Kind::atomic, CALLER);                                                    \
    __atomic_store_n(address, value, __ATOMIC_SEQ_CST);                                                \
  }                                                                                                    \
  T __tsan_atomic##bits##_exchange(volatile T* address, T value, int) {                                \
    note(address, sizeof(T), Kind::atomic, CALLER);                                                    \
    return __atomic_exchange_n(address, value, __ATOMIC_SEQ_CST);                                      \
  }                                                                                                    \
  COUNTERFOIL_FETCH(bits, T, add)                                                                      \
  COUNTERFOIL_FETCH(bits, T, sub)                                                                      \
  COUNTERFOIL_FETCH(bits, T, and)                                                                      \
  COUNTERFOIL_FETCH(bits, T, or)                                                                       \
  COUNTERFOIL_FETCH(bits, T, xor)                                                                      \
  COUNTERFOIL_EXCHANGE(bits, T, strong)                                                                \
  COUNTERFOIL_EXCHANGE(bits, T, weak)                                                                  \
  T __tsan_atomic##bits##_compare_exchange_val(volatile T* address, T expected, T value, int, int) {   \
    note(address, sizeof(T), Kind::atomic, CALLER);                                                    \
    __atomic_compare_exchange_n(address, &expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
    return expected;                                                                                   \
  }
#define COUNTERFOIL_FETCH(bits, T, what)                                    \
  T __tsan_atomic##bits##_fetch_##what(volatile T* address, T value, int) { \
    note(address, sizeof(T), Kind::atomic, CALLER);                         \
    return __atomic_fetch_##what(address, value, __ATOMIC_SEQ_CST);         \
  }
#define COUNTERFOIL_EXCHANGE(bits, T, strength)                                                                      \
  int __tsan_atomic##bits##_compare_exchange_##strength(volatile T* address, T* expected, T value, int, int) {       \
    note(address, sizeof(T), Kind::atomic, CALLER);                                                                  \
    return __atomic_compare_exchange_n(address, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) ? 1 : 0; \
  }
COUNTERFOIL_ATOMIC(8, std::uint8_t)
COUNTERFOIL_ATOMIC(16, std::uint16_t)
COUNTERFOIL_ATOMIC(32, std::uint32_t)
COUNTERFOIL_ATOMIC(64, std::uint64_t)

void __tsan_atomic_thread_fence(int) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
void __tsan_atomic_signal_fence(int) {}

}  // extern "C"
