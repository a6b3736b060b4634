#include "nn/module.h"

#include <utility>

#include "tensor/nearest_name.h"

namespace counterfoil::nn {
namespace {

std::string child_prefix(const std::string& prefix, const std::string& name) {
  return name.empty() ? prefix : prefix + name + ".";
}

std::string nearest_in(const std::map<std::string, Tensor>& map, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [key, value] : map) names.push_back(key);
  return names.empty() ? "; there are no tensors"
                       : "; the nearest name there is " + in_quotes(nearest_name(name, names));
}

bool is_floating(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::bf16;
}

/// A copy of `found` where and as `present` is.
Tensor copied_like(const Tensor& found, const Tensor& present) {
  Tensor copy = found.to(present.device()).to(present.dtype());
  return copy.shares_storage(found) ? copy.clone() : copy;
}

}  // namespace

std::vector<std::pair<std::string, Variable>> Module::named_parameters(const std::string& prefix) const {
  std::vector<std::pair<std::string, Variable>> named;
  for (const Entry& entry : entries_) {
    if (entry.kind == Entry::Kind::parameter) named.emplace_back(prefix + entry.name, entry.parameter);
    if (entry.kind == Entry::Kind::child) {
      auto below = entry.child->named_parameters(child_prefix(prefix, entry.name));
      named.insert(named.end(), std::make_move_iterator(below.begin()), std::make_move_iterator(below.end()));
    }
  }
  return named;
}

std::vector<std::pair<std::string, Tensor*>> Module::named_buffers(const std::string& prefix) {
  std::vector<std::pair<std::string, Tensor*>> named;
  for (const Entry& entry : entries_) {
    if (entry.kind == Entry::Kind::buffer) named.emplace_back(prefix + entry.name, entry.buffer);
    if (entry.kind == Entry::Kind::child) {
      auto below = entry.child->named_buffers(child_prefix(prefix, entry.name));
      named.insert(named.end(), below.begin(), below.end());
    }
  }
  return named;
}

Variables Module::parameters() const {
  Variables variables;
  for (auto& [name, variable] : named_parameters()) variables.push_back(variable);
  return variables;
}

std::int64_t Module::parameter_count() const {
  std::int64_t count = 0;
  for (const auto& [name, variable] : named_parameters()) count += variable.shape().size();
  return count;
}

std::map<std::string, Tensor> Module::state(const std::string& prefix) {
  std::map<std::string, Tensor> state;
  for (const auto& [name, variable] : named_parameters(prefix)) state.emplace(name, variable.value().clone());
  for (const auto& [name, buffer] : named_buffers(prefix)) state.emplace(name, buffer->clone());
  return state;
}

void Module::load_state(const std::map<std::string, Tensor>& state, const std::string& prefix) {
  auto variables = named_parameters(prefix);
  const auto buffers = named_buffers(prefix);
  std::map<std::string, Tensor> expected;
  for (const auto& [name, variable] : variables) expected.emplace(name, variable.value());
  for (const auto& [name, buffer] : buffers) expected.emplace(name, *buffer);

  for (const auto& [name, present] : expected) {
    const auto found = state.find(name);
    if (found == state.end()) fail("the tensor {} is missing{}", in_quotes(name), nearest_in(state, name));
    const Tensor& tensor = found->second;
    if (!(tensor.shape() == present.shape())) {
      fail("tensor '{}': expected shape {}, found {}", name, present.shape().to_string(), tensor.shape().to_string());
    }
    if (tensor.dtype() != present.dtype() && !(is_floating(tensor.dtype()) && is_floating(present.dtype()))) {
      fail("tensor '{}': expected {}, found {}", name, name_of(present.dtype()), name_of(tensor.dtype()));
    }
  }
  for (const auto& [name, tensor] : state) {
    if (name.starts_with(prefix) && !expected.contains(name)) {
      fail("the tensor {} is not expected{}", in_quotes(name), nearest_in(expected, name));
    }
  }

  for (auto& [name, variable] : variables) variable.set_value(copied_like(state.at(name), variable.value()));
  for (const auto& [name, buffer] : buffers) *buffer = copied_like(state.at(name), *buffer);
}

Variable Module::register_parameter(std::string name, Tensor value) {
  Variable parameter = Variable::leaf(std::move(value));
  add_entry({Entry::Kind::parameter, std::move(name), parameter, nullptr, nullptr});
  return parameter;
}

void Module::register_buffer(std::string name, Tensor& buffer) {
  add_entry({Entry::Kind::buffer, std::move(name), {}, &buffer, nullptr});
}

void Module::register_child(std::string name, Module& child) {
  add_entry({Entry::Kind::child, std::move(name), {}, nullptr, &child});
}

void Module::add_entry(Entry entry) {
  for (const Entry& other : entries_) {
    if (other.name == entry.name) fail("a module has two entries named '{}'", entry.name);
  }
  entries_.push_back(std::move(entry));
}

}  // namespace counterfoil::nn
