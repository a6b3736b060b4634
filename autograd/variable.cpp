#include "autograd/variable.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "autograd/cell.h"

namespace counterfoil {

namespace {

std::atomic<std::uint64_t> next_sequence = 1;

/// What a dying node leaves behind.
struct Remains {
  Variables inputs;
  BackwardRule rule;
  std::any attribute;
};

}  // namespace

Variable::Cell::Cell(Tensor initial, bool differentiable)
    : value(std::move(initial)),
      requires_grad(differentiable),
      sequence(next_sequence.fetch_add(1, std::memory_order_relaxed)) {}

Variable::Cell::~Cell() {
  if (computed()) release_node();
}

void Variable::Cell::release_node() noexcept {
  // Destroying a node's inputs may destroy the nodes that made them, and so on down a graph of any depth. The outermost
  // call buries them all in a loop; inner calls only hand over their remains.
  thread_local std::vector<Remains>* burial = nullptr;
  Remains remains{std::move(node.inputs_), std::exchange(node.rule_, nullptr), std::move(node.attribute_)};
  node.inputs_.clear();
  node.attribute_.reset();
  node.freed_ = true;
  if (burial != nullptr) {
    burial->push_back(std::move(remains));
    return;
  }
  std::vector<Remains> pending;
  burial = &pending;
  remains = Remains{};
  while (!pending.empty()) {
    Remains next = std::move(pending.back());
    pending.pop_back();
  }
  burial = nullptr;
}

Variable::Variable(Tensor value) {
  if (value.defined()) cell_ = std::make_shared<Cell>(std::move(value), false);
}

Variable::Variable(std::shared_ptr<Cell> cell) : cell_(std::move(cell)) {}

Variable Variable::leaf(Tensor value) {
  if (!value.defined()) fail("leaf: the tensor is undefined");
  return Variable(std::make_shared<Cell>(std::move(value), true));
}

const Tensor& Variable::value() const {
  if (cell_ == nullptr) fail("variable: it is undefined");
  return cell_->value;
}

void Variable::set_value(Tensor value) {
  const Tensor& before = this->value();
  if (cell_->computed()) fail("set_value: the variable is the result of {}; only leaves can be set", cell_->node.op());
  if (!value.defined() || value.shape() != before.shape() || value.dtype() != before.dtype()) {
    fail("set_value: expected {} {}, found {}", name_of(before.dtype()), before.shape().to_string(),
         value.defined() ? fmt::format("{} {}", name_of(value.dtype()), value.shape().to_string()) : "undefined");
  }
  cell_->value = std::move(value);
  ++cell_->replacements;
}

bool Variable::requires_grad() const {
  return cell_ != nullptr && cell_->requires_grad;
}

std::shared_ptr<const Node> Variable::node() const {
  if (cell_ == nullptr || !cell_->computed()) return nullptr;
  return std::shared_ptr<const Node>(cell_, &cell_->node);
}

Variable Node::output() const {
  return Variable(cell_->shared_from_this());
}

Variable record(std::string_view op, Tensor value, Variables inputs, BackwardRule rule, std::any attribute) {
  const bool on_tape = recording() && std::ranges::any_of(inputs, [](const Variable& x) { return x.requires_grad(); });
  if (!on_tape) return Variable(std::move(value));
  Variable result(std::make_shared<Variable::Cell>(std::move(value), true));
  Node& node = result.cell_->node;
  node.cell_ = result.cell_.get();
  node.op_ = op;
  node.stamps_.reserve(inputs.size() + 1);
  for (const Variable& input : inputs) {
    if (!input.defined()) fail("{}: an input is undefined", op);
    node.stamps_.push_back(input.cell_->stamp());
  }
  node.stamps_.push_back(result.cell_->stamp());
  node.inputs_ = std::move(inputs);
  node.rule_ = std::move(rule);
  node.attribute_ = std::move(attribute);
  return result;
}

bool& recording() {
  thread_local bool on = true;
  return on;
}

bool is_recording() {
  return recording();
}

NoGrad::NoGrad() : before_(std::exchange(recording(), false)) {}

NoGrad::~NoGrad() {
  recording() = before_;
}

}  // namespace counterfoil
