#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "kernels/device.h"

namespace counterfoil {

/// Records when each primitive, copy and span of some devices ran, on the device's own clock, for the
/// viewers of Chrome's trace format (Perfetto, chrome://tracing): one complete event each, with shapes, bytes and flops
/// (kernels/work.h). Events take 24 bytes; beyond the limit they are counted, not kept. Where work is asynchronous the
/// trace waits for it once in some thousand events.
class Trace {
 public:
  /// `limit`: events kept for each device.
  explicit Trace(std::size_t limit = 1'000'000);
  ~Trace();
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  /// The device to use in the place of this one, so that the trace hears of it: one for each, which lives as long as
  /// the trace.
  Device& listened(Device& device);
  /// Hands the trace to `write` piece by piece: a JSON object. Not while a device is in use.
  void write(const std::function<void(std::string_view)>& write);

 private:
  class Recorder;
  std::size_t limit_;
  std::vector<std::unique_ptr<Recorder>> recorders_;
};

}  // namespace counterfoil
