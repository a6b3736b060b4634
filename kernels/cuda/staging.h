#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <mutex>

#include "kernels/cuda/dialect.h"

namespace counterfoil::cuda {

/// Copies between the host's pages and the GPU, through two halves of pinned memory, so that one is filled while the
/// other is copied. What comes from the host crosses on a stream of its own, into a landing place on the GPU, while the
/// stream that computes is still busy with what was launched before; that one then takes it from there. A copy
/// straight to its target would have to wait: the target's memory may have served that earlier work.
class Staging {
 public:
  /// `stream`: the one that computes.
  explicit Staging(cudaStream_t stream) : stream_(stream) {}

  void to_device(void* target, const void* source, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    for_each_part(bytes, [&](Half& half, std::size_t begin, std::size_t count) {
      check(cudaEventSynchronize(half.crossed), "cudaEventSynchronize");
      std::memcpy(half.pinned, static_cast<const std::byte*>(source) + begin, count);
      check(cudaStreamWaitEvent(crossing_, half.taken, 0), "cudaStreamWaitEvent");
      check(cudaMemcpyAsync(half.landing, half.pinned, count, cudaMemcpyHostToDevice, crossing_),
            "cudaMemcpyAsync to the device");
      check(cudaEventRecord(half.crossed, crossing_), "cudaEventRecord");
      check(cudaStreamWaitEvent(stream_, half.crossed, 0), "cudaStreamWaitEvent");
      check(cudaMemcpyAsync(static_cast<std::byte*>(target) + begin, half.landing, count, cudaMemcpyDeviceToDevice,
                            stream_),
            "cudaMemcpyAsync on the device");
      check(cudaEventRecord(half.taken, stream_), "cudaEventRecord");
    });
  }

  void to_host(void* target, const void* source, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    Half* last = nullptr;
    std::size_t last_begin = 0, last_count = 0;
    const auto unload = [&] {
      if (last == nullptr) return;
      check(cudaEventSynchronize(last->taken), "cudaEventSynchronize");
      std::memcpy(static_cast<std::byte*>(target) + last_begin, last->pinned, last_count);
    };
    // What crossed from this half to the GPU is behind: the stream has waited for it.
    for_each_part(bytes, [&](Half& half, std::size_t begin, std::size_t count) {
      check(cudaMemcpyAsync(half.pinned, static_cast<const std::byte*>(source) + begin, count, cudaMemcpyDeviceToHost,
                            stream_),
            "cudaMemcpyAsync to the host");
      check(cudaEventRecord(half.taken, stream_), "cudaEventRecord");
      unload();  // the part before, while this one is copied
      last = &half;
      last_begin = begin;
      last_count = count;
    });
    unload();
  }

 private:
  static constexpr std::size_t kHalf = std::size_t{4} << 20;

  struct Half {
    std::byte *pinned = nullptr, *landing = nullptr;
    cudaEvent_t crossed = nullptr;  // pinned memory was copied to the landing place
    cudaEvent_t taken = nullptr;    // the stream that computes has done with both
  };

  /// What is made before something fails stays, for the next try.
  void create() {
    if (pinned_ == nullptr) check(cudaMallocHost(&pinned_, 2 * kHalf), "cudaMallocHost");
    if (landing_ == nullptr) check(cudaMalloc(&landing_, 2 * kHalf), "cudaMalloc");
    for (std::size_t i = 0; i < 2; ++i) {
      halves_[i].pinned = static_cast<std::byte*>(pinned_) + i * kHalf;
      halves_[i].landing = static_cast<std::byte*>(landing_) + i * kHalf;
      for (cudaEvent_t* const event : {&halves_[i].crossed, &halves_[i].taken}) {
        if (*event == nullptr)
          check(cudaEventCreateWithFlags(event, cudaEventDisableTiming), "cudaEventCreateWithFlags");
      }
    }
    check(cudaStreamCreateWithFlags(&crossing_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  }

  template <typename F>
  void for_each_part(std::size_t bytes, F&& f) {
    if (crossing_ == nullptr) create();
    for (std::size_t begin = 0; begin < bytes; begin += kHalf) {
      f(halves_[next_], begin, std::min(kHalf, bytes - begin));
      next_ = 1 - next_;
    }
  }

  cudaStream_t stream_, crossing_ = nullptr;  // the second is made last
  void *pinned_ = nullptr, *landing_ = nullptr;
  std::mutex mutex_;
  std::array<Half, 2> halves_{};
  std::size_t next_ = 0;
};

}  // namespace counterfoil::cuda
