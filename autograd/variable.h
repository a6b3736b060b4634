#pragma once

#include <any>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/tensor.h"

namespace counterfoil {

class Node;

/// A tensor on the tape. Cheap to copy: copies are the same variable. A Tensor converts to a constant Variable, an
/// undefined Tensor to an undefined Variable; on that anything but defined(), assignment and destruction throws.
class Variable {
 public:
  Variable() = default;
  Variable(Tensor value);  // NOLINT(google-explicit-constructor): a tensor is a constant
  /// A leaf: a parameter or an input whose gradient may be asked for.
  static Variable leaf(Tensor value);

  bool defined() const { return cell_ != nullptr; }
  const Tensor& value() const;
  /// Replaces a leaf's or constant's value by one of the same shape and dtype. Throws Error on a computed variable.
  void set_value(Tensor value);
  const Shape& shape() const { return value().shape(); }
  Device& device() const { return value().device(); }
  DType dtype() const { return value().dtype(); }

  /// True for leaves and for what was recorded from them.
  bool requires_grad() const;
  /// The operation that made this; null for leaves and constants.
  std::shared_ptr<const Node> node() const;
  /// The same value as a constant.
  Variable detach() const { return Variable(value()); }
  double item() const { return value().item(); }

  /// Whether both are the same variable.
  bool operator==(const Variable& other) const { return cell_ == other.cell_; }

 private:
  friend class Node;
  friend class Engine;
  friend Variable record(std::string_view, Tensor, std::vector<Variable>,
                         std::function<std::vector<Variable>(const Node&, const Variable&, const std::vector<bool>&)>,
                         std::any);
  struct Cell;
  explicit Variable(std::shared_ptr<Cell> cell);
  std::shared_ptr<Cell> cell_;
};

using Variables = std::vector<Variable>;

/// Which inputs of a node need a gradient in the present call; a rule may leave the others' entries undefined.
using Needs = std::vector<bool>;

/// The derivative of an operation: from the gradient of its output, those of its inputs, in order. Written with public
/// operations on Variables only, so that it can itself be differentiated. An undefined entry means zero.
using BackwardRule = std::function<Variables(const Node& node, const Variable& d_output, const Needs& needs)>;

/// One recorded operation with one output. It lives inside its output's variable.
class Node {
 public:
  std::string_view op() const { return op_; }  ///< "conv2d", "relu", ...: the key of BackwardRules
  const Variables& inputs() const { return inputs_; }
  const Variable& input(std::size_t i) const { return inputs_.at(i); }
  /// The output as it stands in the graph: differentiable again.
  Variable output() const;
  /// The operation's own derivative, so that a replacement can fall back on it.
  const BackwardRule& rule() const { return rule_; }
  /// The operation's settings (ConvolutionAttribute, ...), as the operation's header says. Throws Error on another
  /// type.
  template <typename T>
  const T& attribute() const {
    const T* value = std::any_cast<T>(&attribute_);
    if (value == nullptr) fail("{}: its attribute has another type", op_);
    return *value;
  }

  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

 private:
  friend class Engine;
  friend struct Variable::Cell;
  friend Variable record(std::string_view, Tensor, Variables, BackwardRule, std::any);
  Node() = default;

  Variable::Cell* cell_ = nullptr;
  std::string_view op_;
  Variables inputs_;
  std::vector<std::uint64_t> stamps_;  // of the inputs' values, then of the output's, when recorded
  BackwardRule rule_;
  std::any attribute_;
  bool freed_ = false;
};

/// Makes the variable for an operation's value: on the tape when recording is on and an input requires a gradient, else
/// a constant. `op` must be a string literal.
Variable record(std::string_view op, Tensor value, Variables inputs, BackwardRule rule, std::any attribute = {});

/// Whether operations on this thread are recorded. True unless a NoGrad is alive, and inside a backward pass only with
/// create_graph: a rule asks it to choose between a fused first-order primitive and its differentiable, composed form.
bool is_recording();

/// Stops recording on this thread while it lives.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

/// Derivatives to use instead of the operations' own, by operation name (LRP, DeepLIFT, guided back-propagation).
using BackwardRules = std::map<std::string, BackwardRule, std::less<>>;

struct GradOptions {
  bool create_graph = false;  ///< record the backward pass, so that its result can be differentiated
  bool retain_graph =
      false;  ///< keep the graph for another call (implied by create_graph); else it is freed as it is used
  const BackwardRules* rules = nullptr;
  Variables d_outputs = {};  ///< gradients of the outputs; empty means ones, for scalar outputs
};

/// Gradients of sum(outputs * d_outputs) with respect to inputs, in order; only the paths to those inputs are computed.
/// Inputs are leaves or computed variables; one that the outputs do not depend on gets zeros. Contributions are added
/// in a fixed order (by the age of the operations, youngest first). Throws Error when an input is a constant, when a
/// value was changed in place after it was recorded, when the graph was freed, or when a rule returns another shape.
Variables grad(const Variables& outputs, const Variables& inputs, const GradOptions& options = {});

}  // namespace counterfoil
