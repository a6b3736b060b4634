#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <type_traits>

#include "kernels/view.h"

namespace counterfoil::cpu {

/// A contiguous run of an output beside the matching elements of up to two broadcast f32 operands, each of them
/// contiguous too or one element repeated.
struct BroadcastBlock {
  std::int64_t offset = 0, length = 0;
  std::array<const float*, 2> operand{};
  std::array<bool, 2> repeated{};
};

/// Cuts an output into such blocks. Axes that behave alike are merged first; where the innermost run is short (few
/// channels), operands are expanded block by block into a small buffer, so that the loops stay long.
class BroadcastWalk {
 public:
  /// Operands broadcast to out (equal ranks, extents equal or 1).
  BroadcastWalk(const Shape& out, std::span<const ConstView> operands);

  /// Calls body(block) for every block, in parallel over fixed chunks.
  template <typename Body>
  void run(Body&& body) const {
    run_blocks([](void* erased,
                  const BroadcastBlock& block) { (*static_cast<std::remove_reference_t<Body>*>(erased))(block); },
               const_cast<std::remove_const_t<std::remove_reference_t<Body>>*>(&body));
  }

 private:
  using BlockFunction = void (*)(void* body, const BroadcastBlock& block);
  struct Axis {
    std::int64_t extent = 1;
    std::array<std::int64_t, 2> stride{};
  };
  struct Position {
    std::array<std::int64_t, kMaxRank> index{};
    std::array<std::int64_t, 2> offset{};
  };

  void run_blocks(BlockFunction function, void* body) const;
  void run_long(std::int64_t begin, std::int64_t end, BlockFunction function, void* body) const;
  void run_short(std::int64_t begin, std::int64_t end, BlockFunction function, void* body) const;
  Position locate(std::int64_t index, int skipped_axes) const;
  void advance(Position& position, int skipped_axes) const;

  std::array<Axis, kMaxRank> axes_;  // innermost first
  int rank_ = 0;
  int operand_count_ = 0;
  std::int64_t size_ = 0;
  std::array<const float*, 2> data_{};
};

}  // namespace counterfoil::cpu
