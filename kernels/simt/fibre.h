#pragma once

#include <cstddef>

#if !defined(COUNTERFOIL_SIMT_UCONTEXT) && !defined(__x86_64__) && !defined(__aarch64__)
#define COUNTERFOIL_SIMT_UCONTEXT
#endif
#if defined(COUNTERFOIL_SIMT_UCONTEXT)
#include <ucontext.h>
#endif

namespace counterfoil::simt {

/// A place to continue: a fibre, or the OS thread's own stack. Switching is an assembly routine of about 20
/// instructions on x86-64 and aarch64; elsewhere, or with COUNTERFOIL_SIMT_UCONTEXT, ucontext, about ten times slower.
struct Context {
#if defined(COUNTERFOIL_SIMT_UCONTEXT)
  ucontext_t state;
#else
  void* stack_pointer = nullptr;
#endif
  // For AddressSanitizer, which must know which stack is in use; for the OS thread's own stack, learnt when it is left.
  const void* stack_bottom = nullptr;
  std::size_t stack_size = 0;
  void* fake_stack = nullptr;
};

/// Saves this place in `from` and continues at `to`. Both belong to the same OS thread.
void switch_context(Context& from, Context& to);

/// A stack with a guard page below it, where `entry` starts at the first switch to it. `entry` calls
/// Fibre::started() first and never returns.
class Fibre : public Context {
 public:
  /// `colour` moves the top of the stack by up to some KiB, so that many fibres do not share the same cache sets.
  Fibre(void (*entry)(), unsigned colour);
  ~Fibre();
  Fibre(const Fibre&) = delete;
  Fibre& operator=(const Fibre&) = delete;

  static void started();
  /// Abandons whatever the fibre was doing: the next switch starts at `entry` again.
  void restart();
  bool owns(const void* address) const {
    const auto* byte = static_cast<const std::byte*>(address);
    return byte >= static_cast<const std::byte*>(stack_bottom) &&
           byte < static_cast<const std::byte*>(stack_bottom) + stack_size;
  }

 private:
  void (*entry_)();
  unsigned colour_;
  std::byte* mapping_;
};

}  // namespace counterfoil::simt
