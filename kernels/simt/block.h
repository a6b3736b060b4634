#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kernels/simt/fibre.h"
#include "kernels/simt/shared_memory.h"
#include "kernels/simt/simt.h"
#include "kernels/simt/tensor_core.h"
#include "kernels/simt/thread.h"

namespace counterfoil::simt {

/// One launch of a kernel, shared by the OS threads that execute its blocks.
struct Launch {
  const void* kernel = nullptr;
  dim3 grid, block;
  std::size_t dynamic_shared = 0;
  std::function<void()> thread;  ///< the kernel with its arguments
  Options options;

  std::atomic<bool> failed = false;
  std::mutex mutex;
  std::string report;  ///< the misuse in the first block that had one, without the kernel's name
  std::uint64_t report_block = ~std::uint64_t{0};

  void fail(std::uint64_t block_number, std::string text);
};

/// Executes blocks on the calling OS thread. Threads of a block run as plain calls, one after the other, on one fibre;
/// a thread that must wait keeps that fibre, and the next thread starts on another. So a kernel without barriers costs
/// no switch at all, and threads never run at the same time as others of their block.
class BlockRunner {
 public:
  struct Thread {
    enum class Wait : std::uint8_t { nothing, barrier, warp } wait = Wait::nothing;
    WarpOp op = WarpOp::sync;
    unsigned short number = 0;  ///< in the block: x fastest
    int line = 0;
    const char* file = nullptr;
    Fibre* fibre = nullptr;
    unsigned mask = 0, source = 0;
    std::uint64_t value = 0;  ///< given to a warp operation, then its result
    uint3 index{};
  };

  /// A thread's asynchronous copies, in the order of issue.
  struct AsyncCopies {
    std::vector<AsyncCopy> copies;
    std::vector<std::size_t> groups;  ///< for each committed group, the number of copies up to its end
    std::size_t done = 0;
  };

  static BlockRunner& of_this_os_thread();
  /// The runner whose kernel code is being executed on this OS thread, or null outside kernels.
  static BlockRunner* running() { return running_; }

  /// Runs one block; false when it was abandoned because of a misuse, which is then in launch.report.
  bool run(Launch& launch, std::uint64_t block_number);

  const Thread& thread() const { return *current_; }
  const Thread& thread(unsigned number) const { return threads_[number]; }
  unsigned thread_count() const { return count_; }
  std::uint64_t block_number() const { return block_number_; }
  const Launch& launch() const { return *launch_; }
  bool on_stack(const void* address) const { return fibre_->owns(address); }
  SharedMemory& shared() { return shared_; }
  AsyncCopies& async_copies();

  // What the functions of kernels/simt/thread.h do, for the running thread.
  void* shared_array(const void* site, std::size_t bytes, const char* name, const char* file, int line);
  void barrier(const char* file, int line);
  std::uint64_t warp_meet(WarpOp op, unsigned mask, std::uint64_t value, unsigned source, const char* file, int line);
  /// Ends the block because of what the running thread does.
  [[noreturn]] void end_block(const char* why);

 private:
  struct Meeting {
    unsigned mask, arrived;
  };
  struct Warp {
    unsigned exists = 0, exited = 0;
    int meetings = 0;
    Meeting meeting[32];
  };

  static void fibre_main();
  void prepare(const Launch& launch);
  void draw_order();
  unsigned draw(unsigned below);
  void run_threads();
  void start(Thread& thread);
  void finish(Thread& thread);
  void wait();
  void resume(Thread& thread, Fibre& from);
  Fibre& spare_fibre();
  void complete(Warp& warp, unsigned first_thread, int meeting);
  /// Ends the block with the report in failure_, put down to the given thread.
  [[noreturn]] void abandon(const Thread& thread);
  [[noreturn]] void report_missing(const Thread& missing, const Thread& waiting);
  [[noreturn]] void report_deadlock();
  std::string describe(const Thread& thread) const;

  void make_ready(Thread& thread) { ready_[ready_end_++ % kMaxThreads] = &thread; }
  Thread* next_ready() { return ready_begin_ == ready_end_ ? nullptr : ready_[ready_begin_++ % kMaxThreads]; }

  static constexpr unsigned kMaxThreads = 1024;
  static thread_local BlockRunner* running_;

  Context scheduler_;  // where run() waits for the block
  std::vector<std::unique_ptr<Fibre>> fibres_;
  std::vector<Fibre*> spare_;
  Fibre* fibre_ = nullptr;  // the running one

  Launch* launch_ = nullptr;
  std::uint64_t block_number_ = 0, random_ = 0;
  std::vector<Thread> threads_{kMaxThreads};
  std::vector<unsigned short> order_;
  dim3 shape_{0, 0, 0};  // for which threads_ and order_ are laid out
  Schedule order_kind_ = Schedule::ascending;
  unsigned count_ = 0, started_ = 0, exited_ = 0, waiting_ = 0;
  Thread* current_ = nullptr;
  Thread* first_waiting_ = nullptr;  // at the barrier
  Thread* ready_[kMaxThreads];
  unsigned ready_begin_ = 0, ready_end_ = 0;
  Warp warps_[kMaxThreads / 32];
  SharedMemory shared_;
  std::vector<AsyncCopies> async_;  ///< by thread; empty in blocks without asynchronous copies
  std::string failure_;             ///< the misuse that ended the running block, empty if none
};

/// Blocks over OS threads. Returns the report of a misuse, empty when there was none.
std::string run_grid(Launch& launch);

std::string to_string(uint3 index);                 ///< "(3,0,0)"
std::string to_string(const char* file, int line);  ///< "reduce.cu:42"

}  // namespace counterfoil::simt
