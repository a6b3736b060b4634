#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "kernels/simt/block.h"
#include "kernels/simt/observer.h"
#include "kernels/simt/race/memory_traffic.h"
#include "kernels/simt/race/shadow.h"

namespace counterfoil::simt {

/// Watches every memory access of kernels that were compiled for it (counterfoil_simt_sources(... RACE_CHECK)) and
/// fails a launch in which
/// * two threads of a block touch the same bytes, one of them writing, with no barrier between them;
/// * two blocks do, anywhere in the launch;
/// * a thread reads shared memory that no thread of its block wrote, or leaves the bounds of a shared array;
/// * an access of 2 to 16 bytes is not at a multiple of its size, which a GPU refuses: the block ends there.
/// Two atomic operations are no race, nor are lanes ordered by __syncwarp. Every access is compared with what was done
/// before it, whatever the schedule, so one run suffices.
class RaceCheck : public Observer {
 public:
  static RaceCheck& instance();

  void launch_begins(const Launch& launch) override;
  std::string launch_ends() override;
  void block_begins() override;
  void block_ends() override;
  void barrier_passed() override;
  void warp_synchronised(unsigned first, unsigned mask) override;

  enum class Kind : std::uint8_t { read, write, atomic };
  /// An access by the thread that is running now, if one is. `aligned`: the compiler takes the address for a multiple
  /// of `bytes`.
  void access(const void* address, std::size_t bytes, Kind kind, bool aligned, const void* pc);

 private:
  enum class Fault : std::uint8_t { misaligned, bounds, race, uninitialised };  // reported in this order: causes first
  struct Finding {
    Fault fault;
    Access now, before;
    bool now_writes, before_writes;
    std::string where;  ///< "shared array 'tile', byte 12", or empty
  };

  bool ordered(const Access& before, const Access& now) const;
  void remember(Access (&slots)[2], const Access& now) const;
  void add(Finding finding);
  std::string text_of(const Finding& finding) const;

  const Launch* launch_ = nullptr;
  ShadowMemory shadow_;
  std::uint32_t epoch_ = 0;
  std::vector<std::uint32_t> clock_;                 ///< of each thread of the block
  std::vector<std::array<std::uint32_t, 32>> seen_;  ///< of each thread: its warp-mates' clocks at the last __syncwarp
  std::set<std::pair<const void*, const void*>> known_;
  std::vector<Finding> findings_;
  MemoryTraffic traffic_;
};

}  // namespace counterfoil::simt
