#pragma once

#include <atomic>
#include <cstdint>

namespace counterfoil::simt {

/// What the emulated libraries have executed so far, for tests.
struct LibraryCalls {
  std::atomic<std::uint64_t> convolutions{0}, products{0};
};
LibraryCalls& library_calls();

}  // namespace counterfoil::simt
