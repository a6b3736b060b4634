#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "kernels/view.h"
#include "kernels/work.h"

namespace counterfoil {

/// Something that a device does.
struct Call {
  std::string_view name;     ///< "conv2d", "unary", "copy_to_host"
  std::string_view variant;  ///< "exp" of unary; may be empty
  std::span<const ConstView> outputs, inputs;
  Work work;
};

/// Hears of everything that a device does (kernels/listening_device.h): primitives, copies, and the spans that group
/// them. Calls come from every thread that uses the device; what they point to is valid until they return.
class CallListener {
 public:
  virtual ~CallListener() = default;
  /// Before the call; the result is handed to end() afterwards, or to abandon() where the call throws.
  virtual std::size_t begin(const Call& call) = 0;
  virtual void end(std::size_t token) = 0;
  virtual void abandon(std::size_t) noexcept {}
  virtual std::size_t begin_span(std::string_view name) = 0;
  virtual void end_span(std::size_t token) noexcept = 0;
};

/// Adds up the work of the calls it hears of.
class WorkMeter final : public CallListener {
 public:
  std::size_t begin(const Call& call) override {
    total.bytes += call.work.bytes;
    total.flops += call.work.flops;
    return calls++;
  }
  void end(std::size_t) override {}
  std::size_t begin_span(std::string_view) override { return 0; }
  void end_span(std::size_t) noexcept override {}

  Work total;
  std::size_t calls = 0;
};

}  // namespace counterfoil
