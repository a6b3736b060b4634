#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace counterfoil::simt {

/// One access by one thread, as the race check remembers it. Times are logical: `epoch` counts the block's barriers,
/// `clock` the thread's __syncwarp calls since its block began.
struct Access {
  const void* pc = nullptr;  ///< null: none
  std::uint32_t block = 0, epoch = 0, clock = 0;
  std::uint16_t thread = 0;
  bool atomic = false;
};

/// The latest accesses to one unit of memory that are worth comparing with the next: two of each kind suffice, since of
/// two threads at least one differs from whoever comes next.
struct Cell {
  Access writes[2], reads[2];
};

/// Cells for the memory touched by the current launch: one for every 4 bytes, or for every byte of a page that was
/// accessed in smaller or unaligned pieces.
class ShadowMemory {
 public:
  void begin_launch() { ++launch_; }

  /// Calls visit(cell) for each unit that overlaps [address, address + bytes).
  template <typename Visit>
  void for_each(std::uintptr_t address, std::size_t bytes, Visit visit) {
    const bool words = address % 4 == 0 && bytes % 4 == 0;
    for (const std::uintptr_t end = address + bytes; address < end;) {
      Page& page = page_of(address / kPageBytes);
      if (!words && !page.bytewise) split(page);
      const std::size_t unit = page.bytewise ? 1 : 4;
      const std::uintptr_t stop = std::min(end, (address / kPageBytes + 1) * kPageBytes);
      for (; address < stop; address += unit) visit(page.cells[address % kPageBytes / unit]);
    }
  }

 private:
  static constexpr std::size_t kPageBytes = 1024;
  struct Page {
    std::uint64_t launch = 0;
    bool bytewise = false;
    std::vector<Cell> cells;
  };

  Page& page_of(std::uintptr_t number) {
    auto& [cached_number, cached] = cache_[number % cache_.size()];
    if (cached == nullptr || cached_number != number) {
      auto& slot = pages_[number];
      if (slot == nullptr) slot = std::make_unique<Page>();
      cached_number = number;
      cached = slot.get();
    }
    if (cached->launch != launch_) {
      cached->launch = launch_;
      cached->bytewise = false;
      cached->cells.assign(kPageBytes / 4, Cell{});
    }
    return *cached;
  }
  static void split(Page& page) {
    std::vector<Cell> cells(kPageBytes);
    for (std::size_t i = 0; i < kPageBytes; ++i) cells[i] = page.cells[i / 4];
    page.cells = std::move(cells);
    page.bytewise = true;
  }

  std::uint64_t launch_ = 0;
  std::unordered_map<std::uintptr_t, std::unique_ptr<Page>> pages_;
  std::array<std::pair<std::uintptr_t, Page*>, 1024> cache_{};
};

}  // namespace counterfoil::simt
