#include "kernels/cpu/parallel.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>

#include <omp.h>

#include "kernels/device.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace counterfoil::cpu {

namespace {

constexpr int kMaxWorkers = 256;

thread_local bool inside_chunk = false;
thread_local int current_worker = 0;

// What holds inside a chunk, put back afterwards. Denormals cost a factor of 50 in a convolution, so they are flushed;
// and a library called from a chunk must not start threads of its own.
class ChunkMode {
 public:
  ChunkMode() {
    omp_set_num_threads(1);
#if defined(__SSE2__)
    _mm_setcsr(saved_control_ | 0x8040U);
#endif
  }
  ~ChunkMode() {
#if defined(__SSE2__)
    _mm_setcsr(saved_control_);
#endif
    omp_set_num_threads(saved_threads_);
  }
  ChunkMode(const ChunkMode&) = delete;
  ChunkMode& operator=(const ChunkMode&) = delete;

 private:
  int saved_threads_ = omp_get_max_threads();
#if defined(__SSE2__)
  unsigned saved_control_ = _mm_getcsr();
#endif
};

struct Loop {
  Loop(std::int64_t count_, std::int64_t grain_, detail::ChunkFunction function_, void* body_)
      : count(count_),
        grain(grain_),
        chunks(chunk_count(count_, grain_)),
        function(function_),
        body(body_),
        workers(chunks == 1 ? 1 : std::min(thread_count(), kMaxWorkers)) {
    for (int worker = 0; worker < workers; ++worker)
      cursors[static_cast<std::size_t>(worker)].next = range_begin(worker);
  }

  const std::int64_t count, grain, chunks;
  const detail::ChunkFunction function;
  void* const body;
  const int workers;
  // Each worker begins with a range of its own, so that consecutive loops over the same images meet warm caches, and
  // then takes what is left of the others' ranges.
  struct alignas(64) Cursor {
    std::int64_t next;
  };
  std::array<Cursor, kMaxWorkers> cursors;
  std::mutex mutex;
  std::exception_ptr failure;
  std::int64_t failed_chunk = std::numeric_limits<std::int64_t>::max();

  std::int64_t range_begin(int worker) const { return chunks * worker / workers; }

  void run_chunk(std::int64_t chunk) {
    try {
      function(body, chunk * grain, std::min(count, (chunk + 1) * grain));
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (chunk < failed_chunk) {
        failed_chunk = chunk;
        failure = std::current_exception();
      }
    }
  }

  void run_worker(int worker) {
    const ChunkMode mode;
    inside_chunk = true;
    current_worker = worker;
    for (int turn = 0; turn < workers; ++turn) {
      const int range = (worker + turn) % workers;
      const std::int64_t end = range_begin(range + 1);
      const std::atomic_ref<std::int64_t> next(cursors[static_cast<std::size_t>(range)].next);
      for (std::int64_t chunk = next.fetch_add(1, std::memory_order_relaxed); chunk < end;
           chunk = next.fetch_add(1, std::memory_order_relaxed))
        run_chunk(chunk);
    }
    current_worker = 0;
    inside_chunk = false;
  }
};

// Turns of a waiting loop before the thread goes to sleep: some tens of microseconds, longer than the pause between two
// primitives and short enough to leave the core to others. OpenMP's own threads spin for milliseconds, which on a
// machine with other work made a training step 20 times slower.
constexpr int kSpins = 2000;

void relax() {
#if defined(__SSE2__)
  _mm_pause();
#endif
}

/// Threads that live as long as the program and help with one loop at a time. The calling thread never waits for a
/// helper to wake up: it works through the chunks itself and at the end waits only for those that have come in.
class Pool {
 public:
  static Pool& instance() {
    static Pool* pool = new Pool;  // never destroyed: its threads outlive main()
    return *pool;
  }

  void run(Loop& loop) {
    const std::unique_lock lock(busy_, std::try_to_lock);
    if (!lock.owns_lock()) {  // another thread of the program is using the helpers
      loop.run_worker(0);
      return;
    }
    grow(loop.workers - 1);
    current_.store(&loop);
    generation_.fetch_add(1);
    generation_.notify_all();
    loop.run_worker(0);
    current_.store(nullptr);
    for (int spin = 0, inside = inside_.load(); inside != 0; inside = inside_.load()) {
      if (++spin < kSpins) {
        relax();
      } else {
        inside_.wait(inside);
      }
    }
  }

 private:
  void grow(int helpers) {
    for (; helpers_ < helpers; ++helpers_) {
      std::thread([this, worker = helpers_ + 1] { help(worker); }).detach();
    }
  }

  [[noreturn]] void help(int worker) {
    // Signals are the program's own threads' business: a handler must not run here, where the stack register may point
    // into a workspace of oneDNN's sgemm.
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    for (std::uint64_t seen = 0;;) {
      std::uint64_t generation = generation_.load();
      for (int spin = 0; generation == seen; generation = generation_.load()) {
        if (++spin < kSpins) {
          relax();
        } else {
          generation_.wait(seen);
        }
      }
      seen = generation;
      // Counted in before looking: the caller clears current_ first and reads the count afterwards, so it cannot miss
      // us.
      inside_.fetch_add(1);
      if (Loop* loop = current_.load(); loop != nullptr && worker < loop->workers) loop->run_worker(worker);
      if (inside_.fetch_sub(1) == 1) inside_.notify_all();
    }
  }

  std::mutex busy_;
  int helpers_ = 0;
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<Loop*> current_{nullptr};
  std::atomic<int> inside_{0};
};

}  // namespace

int worker_index() {
  return current_worker;
}

namespace detail {

void run_chunks(std::int64_t count, std::int64_t grain, ChunkFunction function, void* body) {
  if (count <= 0) return;
  if (inside_chunk) {
    for (std::int64_t begin = 0; begin < count; begin += grain) function(body, begin, std::min(count, begin + grain));
    return;
  }
  Loop loop(count, grain, function, body);
  if (loop.workers == 1) {
    loop.run_worker(0);
  } else {
    Pool::instance().run(loop);
  }
  if (loop.failure) std::rethrow_exception(loop.failure);
}

}  // namespace detail

}  // namespace counterfoil::cpu
