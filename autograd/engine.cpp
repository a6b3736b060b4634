#include <algorithm>
#include <limits>
#include <unordered_map>
#include <utility>

#include "autograd/cell.h"
#include "autograd/pointwise.h"
#include "tensor/ops.h"

namespace counterfoil {

/// One call of grad(). The part of the tape between outputs and inputs becomes a list of entries, worked off from the
/// youngest to the oldest: since an operation is younger than its inputs, every entry's gradient is complete when its
/// turn comes, and the order depends on nothing but the order in which the operations were recorded.
class Engine {
 public:
  Engine(const Variables& outputs, const Variables& inputs, const GradOptions& options)
      : outputs_(outputs), inputs_(inputs), options_(options), keep_(options.retain_graph || options.create_graph) {}

  Variables run();

 private:
  using Cell = Variable::Cell;
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

  struct Entry {
    std::shared_ptr<Cell> cell;
    Variable gradient;
    std::size_t first_edge = 0;  // of the node's inputs in edges_
    bool requested = false;
    bool on_path = false;      // requested, or made from an entry that is
    bool own_storage = false;  // the gradient's storage was allocated by accumulate() and nobody else has seen it
  };

  void check_arguments() const;
  void request_inputs();
  void discover();
  std::uint32_t entry_of(const Variable& variable);
  void mark_paths();
  void seed();
  void process(Entry& entry);
  void check_unchanged(const Node& node) const;
  void accumulate(Entry& entry, const Variable& contribution);

  const Variables& outputs_;
  const Variables& inputs_;
  const GradOptions& options_;
  const bool keep_;
  std::vector<Entry> entries_;
  std::unordered_map<const Cell*, std::uint32_t> index_;
  std::vector<std::uint32_t> edges_;  // entry of each node input; kNone where no gradient can be wanted
  std::vector<std::uint32_t> order_;  // entries, youngest first
  std::uint64_t oldest_ = std::numeric_limits<std::uint64_t>::max();  // sequence of the oldest requested input
  Needs needs_;
};

void Engine::check_arguments() const {
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    if (!outputs_[i].defined()) fail("grad: output {} is undefined", i);
    const bool given = i < options_.d_outputs.size() && options_.d_outputs[i].defined();
    if (given && options_.d_outputs[i].shape() != outputs_[i].shape()) {
      fail("grad: d_outputs[{}] has shape {}, its output {}", i, options_.d_outputs[i].shape().to_string(),
           outputs_[i].shape().to_string());
    }
    if (!given && outputs_[i].shape().size() != 1) {
      fail("grad: output {} has shape {}; give d_outputs for outputs of more than one element", i,
           outputs_[i].shape().to_string());
    }
  }
  if (!options_.d_outputs.empty() && options_.d_outputs.size() != outputs_.size()) {
    fail("grad: {} d_outputs for {} outputs", options_.d_outputs.size(), outputs_.size());
  }
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (!inputs_[i].requires_grad()) {
      fail("grad: input {} is {}; only leaves and what was recorded from them have gradients", i,
           inputs_[i].defined() ? "a constant" : "undefined");
    }
  }
}

std::uint32_t Engine::entry_of(const Variable& variable) {
  const auto [place, is_new] = index_.try_emplace(variable.cell_.get(), static_cast<std::uint32_t>(entries_.size()));
  if (is_new) entries_.emplace_back().cell = variable.cell_;
  return place->second;
}

void Engine::request_inputs() {
  for (const Variable& input : inputs_) {
    entries_[entry_of(input)].requested = true;
    oldest_ = std::min(oldest_, input.cell_->sequence);
  }
}

void Engine::discover() {
  std::vector<std::uint32_t> pending;
  std::vector<bool> visited;
  const auto visit = [&](const Variable& variable) {
    // What is older than every requested input cannot have been made from one.
    if (!variable.requires_grad() || variable.cell_->sequence < oldest_) return kNone;
    const std::uint32_t entry = entry_of(variable);
    if (visited.size() < entries_.size()) visited.resize(entries_.size());
    if (!visited[entry]) {
      visited[entry] = true;
      pending.push_back(entry);
    }
    return entry;
  };
  for (const Variable& output : outputs_) visit(output);
  while (!pending.empty()) {
    const std::uint32_t current = pending.back();
    pending.pop_back();
    order_.push_back(current);
    Cell* cell = entries_[current].cell.get();
    if (!cell->computed()) continue;
    if (cell->node.freed_ && cell->sequence > oldest_) {
      fail("backward through a freed graph: {} was already used by an earlier grad(); ask that one to retain_graph",
           cell->node.op_);
    }
    entries_[current].first_edge = edges_.size();
    for (const Variable& input : cell->node.inputs_) edges_.push_back(visit(input));
  }
  std::ranges::sort(order_, std::greater{}, [&](std::uint32_t entry) { return entries_[entry].cell->sequence; });
}

void Engine::mark_paths() {
  for (auto place = order_.rbegin(); place != order_.rend(); ++place) {
    Entry& entry = entries_[*place];
    entry.on_path = entry.requested;
    const std::size_t count = entry.cell->node.inputs_.size();
    for (std::size_t i = 0; i < count && !entry.on_path; ++i) {
      const std::uint32_t input = edges_[entry.first_edge + i];
      entry.on_path = input != kNone && entries_[input].on_path;
    }
  }
}

void Engine::seed() {
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const auto found = index_.find(outputs_[i].cell_.get());
    if (found == index_.end() || !entries_[found->second].on_path) continue;
    const Tensor& value = outputs_[i].value();
    const bool given = i < options_.d_outputs.size() && options_.d_outputs[i].defined();
    accumulate(entries_[found->second],
               given ? options_.d_outputs[i] : Tensor::full(value.shape(), 1, value.dtype(), value.device()));
  }
}

void Engine::accumulate(Entry& entry, const Variable& contribution) {
  if (!entry.gradient.defined()) {
    entry.gradient = contribution;
  } else if (options_.create_graph) {
    entry.gradient = add(entry.gradient, contribution);
  } else if (entry.own_storage) {
    Tensor sum = entry.gradient.value();
    sum.backend().axpby(sum.mutable_view(), 1, sum.view(), 1, contribution.value().view());
  } else {
    entry.gradient = axpby(1, entry.gradient.value(), 1, contribution.value());
    entry.own_storage = true;
  }
}

void Engine::check_unchanged(const Node& node) const {
  for (std::size_t i = 0; i < node.inputs_.size(); ++i) {
    if (node.inputs_[i].cell_->stamp() != node.stamps_[i]) {
      fail("grad: input {} of {}, shape {}, was changed in place after it was recorded", i, node.op_,
           node.inputs_[i].shape().to_string());
    }
  }
  if (node.cell_->stamp() != node.stamps_.back()) {
    fail("grad: the result of {}, shape {}, was changed in place after it was recorded", node.op_,
         node.cell_->value.shape().to_string());
  }
}

void Engine::process(Entry& entry) {
  const Node& node = entry.cell->node;
  const std::size_t count = node.inputs_.size();
  bool any = false;
  needs_.assign(count, false);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t input = edges_[entry.first_edge + i];
    needs_[i] = input != kNone && entries_[input].on_path;
    any = any || needs_[i];
  }
  if (!any) return;
  if (entry.gradient.defined()) {
    check_unchanged(node);
    const BackwardRule* rule = &node.rule_;
    if (options_.rules != nullptr) {
      const auto replaced = options_.rules->find(node.op_);
      if (replaced != options_.rules->end()) rule = &replaced->second;
    }
    const Variable d_output = entry.requested ? entry.gradient : std::move(entry.gradient);
    const Variables d_inputs = (*rule)(node, d_output, needs_);
    if (d_inputs.size() != count) {
      fail("grad: the rule of {} returned {} gradients for {} inputs", node.op_, d_inputs.size(), count);
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (!needs_[i] || !d_inputs[i].defined()) continue;
      if (d_inputs[i].shape() != node.inputs_[i].shape() || d_inputs[i].dtype() != node.inputs_[i].dtype()) {
        fail("grad: the rule of {} returned {} {} as the gradient of input {}, which is {} {}", node.op_,
             name_of(d_inputs[i].dtype()), d_inputs[i].shape().to_string(), i, name_of(node.inputs_[i].dtype()),
             node.inputs_[i].shape().to_string());
      }
      accumulate(entries_[edges_[entry.first_edge + i]], d_inputs[i]);
    }
  }
  if (!keep_) entry.cell->release_node();
}

Variables Engine::run() {
  check_arguments();
  request_inputs();
  if (!inputs_.empty()) discover();
  mark_paths();
  seed();
  for (const std::uint32_t i : order_) {
    Entry& entry = entries_[i];
    if (entry.on_path && entry.cell->computed()) process(entry);
    entry.cell.reset();
  }
  Variables gradients;
  gradients.reserve(inputs_.size());
  for (const Variable& input : inputs_) {
    const Variable& gradient = entries_[index_.at(input.cell_.get())].gradient;
    gradients.push_back(gradient.defined() ? gradient : Variable(input.value().zeros_like()));
  }
  return gradients;
}

namespace {

/// Sets the thread's recording flag while it lives.
class RecordingScope {
 public:
  explicit RecordingScope(bool on) : before_(std::exchange(recording(), on)) {}
  ~RecordingScope() { recording() = before_; }
  RecordingScope(const RecordingScope&) = delete;
  RecordingScope& operator=(const RecordingScope&) = delete;

 private:
  bool before_;
};

}  // namespace

Variables grad(const Variables& outputs, const Variables& inputs, const GradOptions& options) {
  const RecordingScope scope(options.create_graph);
  return Engine(outputs, inputs, options).run();
}

}  // namespace counterfoil
