#pragma once

#include <string>

namespace counterfoil::simt {

struct Launch;

/// Follows the execution of kernels whose memory accesses are instrumented: the race check. With one installed,
/// launches run on one OS thread.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void launch_begins(const Launch& launch) = 0;
  /// The report of what was found, empty if nothing.
  virtual std::string launch_ends() = 0;
  virtual void block_begins() = 0;
  virtual void block_ends() = 0;
  virtual void barrier_passed() = 0;
  /// Lanes `mask` of the warp that begins at thread `first` have met in __syncwarp.
  virtual void warp_synchronised(unsigned first, unsigned mask) = 0;
};

inline Observer* observer = nullptr;

}  // namespace counterfoil::simt
