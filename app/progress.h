#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "kernels/device.h"
#include "nn/trainable.h"

namespace counterfoil::app {

/// "1 h 02 min", "3 min 20 s", "14 s"
std::string duration_text(double seconds);

/// "peak memory 381 MiB of tensors on cpu": the most that a device's allocator has handed out at once.
std::string peak_memory_text(const Device& device);

/// Shows how far a training is, or other work in steps: on a terminal a bar that is redrawn in place, elsewhere a plain
/// line every few seconds, on stderr; and a line every few seconds in the log file.
class Progress {
 public:
  /// `images_per_step` 0: no rate is shown. `log` may be empty: none. `unit`: what a step is called.
  Progress(std::int64_t start, std::int64_t steps, std::int64_t images_per_step, const std::filesystem::path& log,
           std::string unit = "step");
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// After each step; cheap when there is nothing to show yet.
  void step(std::int64_t step, const nn::LossTerms& terms);
  /// A line of its own, on stderr and in the log.
  void say(const std::string& line);

 private:
  using Clock = std::chrono::steady_clock;

  std::string status(std::int64_t step, const nn::LossTerms& terms) const;
  void log(const std::string& line);
  void clear_bar();

  const std::int64_t start_, steps_, images_per_step_;
  const std::string unit_;
  const bool terminal_;
  const Clock::time_point began_ = Clock::now();
  Clock::time_point shown_, logged_;
  bool bar_visible_ = false;
  std::ofstream log_;
};

}  // namespace counterfoil::app
