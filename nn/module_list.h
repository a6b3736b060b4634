#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nn/module.h"

namespace counterfoil::nn {

/// Modules of one type, named "0", "1", ... in order.
template <typename T>
class ModuleList : public Module {
 public:
  template <typename... Args>
  T& add(Args&&... args) {
    items_.push_back(std::make_unique<T>(std::forward<Args>(args)...));
    register_child(std::to_string(items_.size() - 1), *items_.back());
    return *items_.back();
  }

  std::size_t size() const { return items_.size(); }
  T& operator[](std::size_t i) { return *items_.at(i); }

 private:
  std::vector<std::unique_ptr<T>> items_;
};

/// Runs them one after the other.
template <typename T>
Variable run_in_order(ModuleList<T>& layers, Variable x, const Pass& pass) {
  for (std::size_t i = 0; i < layers.size(); ++i) x = layers[i].forward(x, pass);
  return x;
}

}  // namespace counterfoil::nn
