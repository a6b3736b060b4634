#pragma once

#include <memory>

#include <benchmark/benchmark.h>

#include "bench/subjects/subject.h"
#include "kernels/device.h"
#include "kernels/timeline.h"
#include "kernels/work.h"

namespace counterfoil::bench {

/// The device under measurement: what it can do at most, and how long it takes.
class Machine {
 public:
  /// The cpu's limits are measured here (bench/roofline.h); a GPU's follow from its properties.
  explicit Machine(Device& device);

  /// Times a subject by the device's own clock, in microseconds an iteration, with its rates and their percentages:
  /// %peak of the arithmetic, %memory of the memory (%cache of the caches on the cpu), and %bound of the higher of
  /// the two bounds, the roofline. On a GPU the last-level cache is overwritten before each iteration, which also keeps
  /// it busy while the next launches are queued, so that their cost on the host is not measured.
  void measure(benchmark::State& state, const Subject& subject);
  /// Puts the device and its limits at the head of the report.
  void describe() const;

 private:
  void count(benchmark::State& state, const Work& work, bool tensor_cores) const;
  void flush();

  Device& device_;
  std::unique_ptr<Timeline> timeline_;
  Peak peak_;
  double cache_rate_ = 0;           // bytes per second of the cpu's caches
  std::unique_ptr<Array> flushed_;  // twice the last-level cache of a GPU
};

}  // namespace counterfoil::bench
