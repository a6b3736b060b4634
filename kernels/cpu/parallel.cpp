#include "kernels/cpu/parallel.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>

#include <omp.h>

#include "kernels/device.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
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

// libgomp's fork and join are invisible to ThreadSanitizer; these say that they order memory.
void publish([[maybe_unused]] Loop* loop) {
#if defined(__SANITIZE_THREAD__)
  __tsan_release(loop);
#endif
}
void observe([[maybe_unused]] Loop* loop) {
#if defined(__SANITIZE_THREAD__)
  __tsan_acquire(loop);
#endif
}

[[gnu::noinline]] void enter_worker(Loop* loop, int worker) {
  observe(loop);
  loop->run_worker(worker);
  publish(loop);
}

// The team always has the full size: libgomp ends and restarts threads whenever consecutive teams differ.
[[gnu::noinline, gnu::no_sanitize("thread")]] void fork(Loop* loop) {
  const int team = loop->workers;
#pragma omp parallel num_threads(team)
  {
    // A team smaller than asked for still finishes: the ranges of absent workers are taken over.
    enter_worker(loop, omp_get_thread_num());
  }
}

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
    publish(&loop);
    fork(&loop);
    observe(&loop);
  }
  if (loop.failure) std::rethrow_exception(loop.failure);
}

}  // namespace detail

}  // namespace counterfoil::cpu
