#pragma once

#include <cstddef>

#include "kernels/device.h"

namespace counterfoil {

/// What a device that shows spans of work is, besides: in a profiler (NVTX on cuda) or in a trace.
class SpanSink {
 public:
  virtual ~SpanSink() = default;
  /// The result is handed to end_span(). Spans nest.
  virtual std::size_t begin_span(const char* name) = 0;
  virtual void end_span(std::size_t token) noexcept = 0;
};

/// Names a stretch of work for profilers and traces, for the life of the object: a phase of a method's step.
class Span {
 public:
  Span(Device& device, const char* name) : sink_(dynamic_cast<SpanSink*>(&device)) {
    if (sink_ != nullptr) token_ = sink_->begin_span(name);
  }
  ~Span() {
    if (sink_ != nullptr) sink_->end_span(token_);
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  SpanSink* sink_;
  std::size_t token_ = 0;
};

}  // namespace counterfoil
