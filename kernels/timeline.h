#pragma once

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/peak.h"

namespace counterfoil {

/// Measures when a device comes to the points marked in its sequence of work.
class Timeline {
 public:
  virtual ~Timeline() = default;
  /// Marks the point after everything launched so far.
  virtual void mark() = 0;
  /// Waits for the marks made since the last take() and returns when they were reached, in their order: microseconds
  /// since the timeline was made.
  virtual std::vector<double> take() = 0;
  /// What those times are to be compared with.
  virtual Peak peak() const { return {}; }
};

/// What a device is, besides, whose primitives run later than they return.
class TimelineSource {
 public:
  virtual ~TimelineSource() = default;
  virtual std::unique_ptr<Timeline> make_timeline() = 0;
};

/// For the other devices.
class HostTimeline final : public Timeline {
 public:
  void mark() override { marks_.push_back(microseconds()); }
  std::vector<double> take() override { return std::exchange(marks_, {}); }

 private:
  double microseconds() const {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start_).count();
  }

  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::vector<double> marks_;
};

}  // namespace counterfoil
