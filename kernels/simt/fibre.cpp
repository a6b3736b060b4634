#include "kernels/simt/fibre.h"

#include <cstdint>
#include <new>

#include <sys/mman.h>
#include <unistd.h>

#include "kernels/simt/address_sanitizer.h"

#if defined(COUNTERFOIL_SIMT_UCONTEXT)
#elif defined(__x86_64__)
// System V ABI: the callee saves rbx, rbp, r12-r15. The control words for floating point are the same on all fibres.
asm(R"(
.text
.globl counterfoil_simt_switch
.hidden counterfoil_simt_switch
.type counterfoil_simt_switch, @function
.p2align 4
counterfoil_simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size counterfoil_simt_switch, .-counterfoil_simt_switch
)");
#elif defined(__aarch64__)
// AAPCS64: the callee saves x19-x30 and the low halves of v8-v15.
asm(R"(
.text
.globl counterfoil_simt_switch
.hidden counterfoil_simt_switch
.type counterfoil_simt_switch, %function
.p2align 4
counterfoil_simt_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size counterfoil_simt_switch, .-counterfoil_simt_switch
)");
#endif

#if !defined(COUNTERFOIL_SIMT_UCONTEXT)
extern "C" void counterfoil_simt_switch(void** save, void* load);
#endif

namespace counterfoil::simt {
namespace {

#if defined(COUNTERFOIL_SIMT_ASAN)
constexpr std::size_t kStackBytes = 512 * 1024;
#else
constexpr std::size_t kStackBytes = 128 * 1024;
#endif

#if defined(COUNTERFOIL_SIMT_ASAN)
thread_local Context* left = nullptr;  // the context that the running one was switched to from
#endif

}  // namespace

void switch_context(Context& from, Context& to) {
#if defined(COUNTERFOIL_SIMT_ASAN)
  left = &from;
  __sanitizer_start_switch_fiber(&from.fake_stack, to.stack_bottom, to.stack_size);
#endif
#if defined(COUNTERFOIL_SIMT_UCONTEXT)
  swapcontext(&from.state, &to.state);
#else
  counterfoil_simt_switch(&from.stack_pointer, to.stack_pointer);
#endif
#if defined(COUNTERFOIL_SIMT_ASAN)
  __sanitizer_finish_switch_fiber(from.fake_stack, &left->stack_bottom, &left->stack_size);
#endif
}

void Fibre::started() {
#if defined(COUNTERFOIL_SIMT_ASAN)
  __sanitizer_finish_switch_fiber(nullptr, &left->stack_bottom, &left->stack_size);
#endif
}

Fibre::Fibre(void (*entry)(), unsigned colour) : entry_(entry), colour_(colour) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* mapping = mmap(nullptr, page + kStackBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (mapping == MAP_FAILED) throw std::bad_alloc();
  mapping_ = static_cast<std::byte*>(mapping);
  // Where the system's limit on mappings is reached, the guard page is forgone.
  static_cast<void>(mprotect(mapping_, page, PROT_NONE));
  stack_bottom = mapping_ + page;
  stack_size = kStackBytes;
  restart();
}

Fibre::~Fibre() {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  munmap(mapping_, page + kStackBytes);
}

void Fibre::restart() {
#if defined(COUNTERFOIL_SIMT_ASAN)
  ASAN_UNPOISON_MEMORY_REGION(stack_bottom, stack_size);
  fake_stack = nullptr;
#endif
  const std::size_t usable = stack_size - 256 - (colour_ % 61) * 64;
#if defined(COUNTERFOIL_SIMT_UCONTEXT)
  getcontext(&state);
  state.uc_stack.ss_sp = const_cast<void*>(stack_bottom);
  state.uc_stack.ss_size = usable & ~std::size_t{15};
  state.uc_link = nullptr;
  makecontext(&state, entry_, 0);
#else
  auto* top = reinterpret_cast<std::uintptr_t*>(const_cast<std::byte*>(static_cast<const std::byte*>(stack_bottom)) +
                                                (usable & ~std::size_t{15}));
#if defined(__x86_64__)
  // Six zero registers, the address to return to, and a null caller that ends backtraces: at the entry the stack is 8
  // bytes off a multiple of 16, as after a call.
  *--top = 0;
  *--top = reinterpret_cast<std::uintptr_t>(entry_);
  for (int i = 0; i < 6; ++i) *--top = 0;
#else
  for (int i = 0; i < 20; ++i) *--top = 0;
  top[11] = reinterpret_cast<std::uintptr_t>(entry_);
#endif
  stack_pointer = top;
#endif
}

}  // namespace counterfoil::simt
