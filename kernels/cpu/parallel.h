#pragma once

#include <cstdint>
#include <type_traits>

namespace counterfoil::cpu {

namespace detail {
using ChunkFunction = void (*)(void* body, std::int64_t begin, std::int64_t end);
void run_chunks(std::int64_t count, std::int64_t grain, ChunkFunction function, void* body);
}  // namespace detail

/// Elements of a memory-bound loop that are worth one chunk.
inline constexpr std::int64_t kElementGrain = 16384;

/// Calls body(begin, end) for every chunk [i * grain, min((i + 1) * grain, count)), on thread_count() threads. The
/// chunks depend on count and grain alone, never on the number of threads: a loop whose chunks write to places of their
/// own, or whose partial results (slot begin / grain) are combined afterwards in ascending order, gives the same bits
/// on any machine size. A single chunk, one thread or a call from inside a chunk runs on the calling thread. Denormals
/// are flushed to zero inside. When chunks throw, the exception of the first of them is rethrown after the others have
/// run.
template <typename Body>
void parallel_for(std::int64_t count, std::int64_t grain, Body&& body) {
  using Plain = std::remove_reference_t<Body>;
  detail::run_chunks(
      count, grain,
      [](void* erased, std::int64_t begin, std::int64_t end) { (*static_cast<Plain*>(erased))(begin, end); },
      const_cast<std::remove_const_t<Plain>*>(&body));
}

/// Chunks that parallel_for makes.
constexpr std::int64_t chunk_count(std::int64_t count, std::int64_t grain) {
  return (count + grain - 1) / grain;
}

/// Inside a chunk: which of the thread_count() workers runs it, from 0. For scratch memory, never for results.
int worker_index();

}  // namespace counterfoil::cpu
