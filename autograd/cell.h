#pragma once

#include <cstdint>
#include <memory>

#include "autograd/variable.h"

namespace counterfoil {

/// What the copies of one variable share, seen by variable.cpp and engine.cpp alone: the value and, if an operation
/// made it, that operation's node. Ownership points down the tape: a node's inputs own their cells.
struct Variable::Cell : std::enable_shared_from_this<Variable::Cell> {
  Cell(Tensor initial, bool differentiable);
  ~Cell();
  Cell(const Cell&) = delete;
  Cell& operator=(const Cell&) = delete;

  bool computed() const { return node.cell_ != nullptr; }
  /// A number that is another one after the value was changed in place or replaced.
  std::uint64_t stamp() const { return (replacements << 48) + value.version(); }
  /// Lets go of the node's inputs, rule and attribute without recursing into the graph below.
  void release_node() noexcept;

  Tensor value;
  bool requires_grad;
  std::uint64_t sequence;  // order of creation: an operation is younger than its inputs
  std::uint64_t replacements = 0;
  Node node;
};

/// Whether operations on this thread are recorded.
bool& recording();

}  // namespace counterfoil
