#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "autograd/variable.h"
#include "nn/initialise.h"
#include "tensor/random.h"

namespace counterfoil::nn {

/// How a network is run. There is no mode stored in modules: every forward pass says what it is.
struct Pass {
  bool training = false;          ///< batch statistics in batch norm, dropout active
  Random* random = nullptr;       ///< dropout's numbers; Error when training dropout finds none
  bool update_statistics = true;  ///< while training: move running averages and spectral norm's u, v
  bool batch_statistics =
      true;  ///< while training: batch norm uses the batch's own statistics; false: the running ones

  static Pass eval() { return {}; }
  static Pass train(Random& random) { return {true, &random, true}; }
};

/// A part of a network: owns parameters and buffers (running averages, power-iteration vectors) and knows its children,
/// all under dotted names ("encoder.0.conv.weight"). Children are members, registered by their owner's constructor;
/// modules are therefore neither copied nor moved.
class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// Name and variable of every parameter, in order of registration, children in place. `prefix` is put in front.
  std::vector<std::pair<std::string, Variable>> named_parameters(const std::string& prefix = "") const;
  std::vector<std::pair<std::string, Tensor*>> named_buffers(const std::string& prefix = "");
  Variables parameters() const;
  std::int64_t parameter_count() const;  ///< trainable scalars

  /// Copies of parameters and buffers by dotted name.
  std::map<std::string, Tensor> state(const std::string& prefix = "");
  /// Copies values in, converted between floating dtypes and moved between devices as needed. Throws Error on a missing
  /// tensor, one of another shape or kind, or (with that prefix) one that is not expected, naming the nearest;
  /// nothing is changed then.
  void load_state(const std::map<std::string, Tensor>& state, const std::string& prefix = "");

 protected:
  // Names are unique within a module; Error otherwise.
  Variable register_parameter(std::string name, Tensor value);
  void register_buffer(std::string name, Tensor& buffer);  ///< buffer is a member and keeps its address
  /// An empty name puts the child's entries among the owner's own.
  void register_child(std::string name, Module& child);

 private:
  struct Entry {
    enum class Kind { parameter, buffer, child } kind;
    std::string name;
    Variable parameter;
    Tensor* buffer = nullptr;
    Module* child = nullptr;
  };
  void add_entry(Entry entry);
  std::vector<Entry> entries_;
};

/// A module from one image batch (or code batch) to one output.
class Network : public Module {
 public:
  virtual Variable forward(const Variable& x, const Pass& pass) = 0;
};

}  // namespace counterfoil::nn
