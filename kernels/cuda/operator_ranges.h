#pragma once

#include <cstddef>
#include <string_view>

#include "kernels/call_listener.h"
#include "kernels/cuda/dialect.h"

namespace counterfoil::cuda {

/// Hears of every primitive of the device: while one is at work, the text of an error begins with its name, and what it
/// launches lies under a range of that name ("conv2d relu") in the profiler's timeline.
class OperatorRanges final : public CallListener {
 public:
  std::size_t begin(const Call& call) override {
    constexpr std::size_t kLongest = 63;
    char text[kLongest + 1] = {};
    fmt::format_to_n(text, kLongest, "{}{}{}", call.name, call.variant.empty() ? "" : " ", call.variant);
    current_operator() = call.name;
    nvtxRangePushA(text);
    return 0;
  }
  void end(std::size_t) override { leave(); }
  void abandon(std::size_t) noexcept override { leave(); }
  std::size_t begin_span(std::string_view) override { return 0; }
  void end_span(std::size_t) noexcept override {}

 private:
  static void leave() noexcept {
    nvtxRangePop();
    current_operator() = {};
  }
};

}  // namespace counterfoil::cuda
