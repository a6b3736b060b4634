#pragma once

#include <vector>

#include "kernels/cuda/dialect.h"
#include "kernels/cuda/peak.h"
#include "kernels/timeline.h"

namespace counterfoil::cuda {

/// Marks are CUDA events on one stream. Their distances are floats in milliseconds, so each is taken from the one
/// before, and the sum is a double.
class EventTimeline final : public Timeline {
 public:
  explicit EventTimeline(cudaStream_t stream) : stream_(stream) { mark(); }
  ~EventTimeline() override {
    for (const cudaEvent_t event : events_) cudaEventDestroy(event);
  }

  void mark() override {
    if (used_ == events_.size()) {
      cudaEvent_t event = nullptr;
      check(cudaEventCreate(&event), "cudaEventCreate");
      events_.push_back(event);
    }
    check(cudaEventRecord(events_[used_], stream_), "cudaEventRecord");
    ++used_;
  }

  std::vector<double> take() override {
    std::vector<double> times;
    if (used_ == 1) return times;
    check(cudaEventSynchronize(events_[used_ - 1]), "cudaEventSynchronize");
    for (std::size_t i = 1; i < used_; ++i) {
      float milliseconds = 0;
      check(cudaEventElapsedTime(&milliseconds, events_[i - 1], events_[i]), "cudaEventElapsedTime");
      constexpr double kMicroseconds = 1e3;
      now_ += kMicroseconds * static_cast<double>(milliseconds);
      times.push_back(now_);
    }
    std::swap(events_[0], events_[used_ - 1]);  // the next distance begins there
    used_ = 1;
    return times;
  }

  Peak peak() const override { return peak_of_device(); }

 private:
  cudaStream_t stream_;
  std::vector<cudaEvent_t> events_;  // the first `used_` are marks: the last one taken, then those to take
  std::size_t used_ = 0;
  double now_ = 0;
};

}  // namespace counterfoil::cuda
