#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernels/simt/race/shadow.h"

namespace counterfoil::simt {

struct Launch;

/// How the warps' requests at one source line use memory. A request is one load or store executed by the lanes of one
/// warp together: the k-th time each lane comes to that instruction. What a compiler merges or removes is not modelled.
struct LineTraffic {
  std::string kernel, line;
  bool shared = false, store = false;
  std::uint64_t requests = 0;
  std::uint64_t bytes = 0;    ///< distinct bytes asked for
  std::uint64_t sectors = 0;  ///< global memory: 32-byte sectors moved
  std::uint64_t passes = 0;   ///< shared memory: turns of the 32 banks of 4 bytes, bank conflicts included
  std::uint64_t fewest = 0;   ///< sectors, or passes, if every request were perfectly placed
};

class MemoryTraffic {
 public:
  void launch_begins(const Launch& launch);
  void access(const Access& access, const void* address, std::size_t bytes, bool store, bool shared);
  void block_ends();

 private:
  struct Record {
    const void* pc;
    std::uint32_t occurrence;
    std::uint16_t warp, bytes;
    bool store, shared;
    std::uintptr_t address;
  };
  bool enabled_ = false;
  const void* kernel_ = nullptr;
  std::vector<Record> records_;  ///< of the running block
  std::map<std::pair<const void*, std::uint16_t>, std::uint32_t> occurrences_;
};

/// What was seen while Options::memory_traffic was on, since the last call, by kernel and line.
std::vector<LineTraffic> take_memory_traffic();

/// The table of the above that a person reads.
std::string to_string(const std::vector<LineTraffic>& lines);

}  // namespace counterfoil::simt
