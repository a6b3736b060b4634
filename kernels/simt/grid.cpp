#include <algorithm>
#include <cfenv>
#include <condition_variable>
#include <numeric>
#include <thread>

#include "kernels/simt/block.h"
#include "kernels/simt/observer.h"

namespace counterfoil::simt {
namespace {

std::uint64_t block_count(const Launch& launch) {
  return std::uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z;
}

/// The k-th block to start. Shuffled is k -> (k * step + offset) mod count with a step that has no divisor in common
/// with count: an order without a table.
class BlockOrder {
 public:
  BlockOrder(const Options& options, std::uint64_t count) : count_(count) {
    if (options.schedule == Schedule::descending) {
      step_ = offset_ = count - 1;
    } else if (options.schedule == Schedule::shuffled) {
      const std::uint64_t random = (options.seed + 1) * 0x9e3779b97f4a7c15u;
      offset_ = random % count;
      step_ = (random >> 20) % count | 1;
      while (std::gcd(step_, count) != 1) step_ += 2;
      step_ %= count;
    }
  }
  std::uint64_t operator[](std::uint64_t k) const {
    __extension__ using u128 = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<u128>(k) * step_ + offset_) % count_);
  }

 private:
  std::uint64_t count_, step_ = 1, offset_ = 0;
};

/// What the workers of one launch share.
struct Work {
  Launch& launch;
  BlockOrder order;
  std::uint64_t count;
  std::atomic<std::uint64_t> next = 0;

  void run() {
    // Results must not depend on which OS thread runs a block, whatever rounding or flush-to-zero mode that thread has.
    std::fenv_t environment;
    std::fegetenv(&environment);
    std::fesetenv(FE_DFL_ENV);
    BlockRunner& runner = BlockRunner::of_this_os_thread();
    const std::uint64_t chunk = std::clamp<std::uint64_t>(count / 256, 1, 64);
    for (std::uint64_t first; !launch.failed && (first = next.fetch_add(chunk)) < count;) {
      for (std::uint64_t k = first; k < std::min(first + chunk, count) && !launch.failed; ++k) {
        runner.run(launch, order[k]);
      }
    }
    std::fesetenv(&environment);
  }
};

/// OS threads that wait for launches; they are never joined, because the process may end at any time.
class Pool {
 public:
  void run(Work& work, int helpers) {
    std::unique_lock lock(mutex_);
    while (threads_ < helpers) std::thread(&Pool::serve, this, threads_++).detach();
    work_ = &work;
    helpers_ = busy_ = helpers;
    ++generation_;
    wake_.notify_all();
    lock.unlock();
    work.run();
    lock.lock();
    idle_.wait(lock, [this] { return busy_ == 0; });
  }

 private:
  void serve(int number) {
    std::uint64_t seen = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return generation_ != seen; });
      seen = generation_;
      if (number >= helpers_) continue;
      Work& work = *work_;
      lock.unlock();
      work.run();
      lock.lock();
      if (--busy_ == 0) idle_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  Work* work_ = nullptr;
  std::uint64_t generation_ = 0;
  int threads_ = 0, helpers_ = 0, busy_ = 0;
};

}  // namespace

std::string run_grid(Launch& launch) {
  const std::uint64_t count = block_count(launch);
  Work work{launch, BlockOrder(launch.options, count), count};
  if (const std::int64_t only = launch.options.only_block ? launch.options.only_block() : -1; only >= 0) {
    work.order = BlockOrder({}, count);
    work.next = static_cast<std::uint64_t>(only);
    work.count = std::min(count, static_cast<std::uint64_t>(only) + 1);
  }
  const int cores = std::min(16, std::max(1, static_cast<int>(std::thread::hardware_concurrency())));
  int workers = launch.options.workers > 0 ? launch.options.workers : cores;
  workers = static_cast<int>(std::min<std::uint64_t>(static_cast<std::uint64_t>(workers), count));
  if (observer != nullptr) {
    observer->launch_begins(launch);
    work.run();
    // Its findings come first: they name the line.
    if (const std::string found = observer->launch_ends(); !found.empty()) launch.report = found;
  } else if (workers == 1) {
    work.run();
  } else {
    static Pool& pool = *new Pool;
    pool.run(work, workers - 1);
  }
  return launch.report;
}

}  // namespace counterfoil::simt
