#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "tensor/safetensors.h"

namespace counterfoil::golden {

/// One case of a golden file, on the reference device in f64: see tests/golden/README.md.
class Case {
 public:
  Case(const TensorFile& file, std::string name)
      : file_(&file), name_(std::move(name)), attributes_(nlohmann::json::parse(file.metadata.at(name_))) {}

  const std::string& name() const { return name_; }
  bool starts_with(const char* prefix) const { return name_.rfind(prefix, 0) == 0; }
  bool has(const std::string& role) const { return file_->tensors.contains(name_ + "." + role); }
  const Tensor& tensor(const std::string& role) const { return file_->at(name_ + "." + role); }
  /// The tensor as a variable whose gradient can be asked for; undefined where the case has none.
  Variable leaf(const std::string& role) const { return has(role) ? Variable::leaf(tensor(role)) : Variable(); }
  /// Labels and indices, stored as i64.
  Tensor indices(const std::string& role) const { return tensor(role).to(DType::i32); }
  const nlohmann::json& attributes() const { return attributes_; }
  template <typename T>
  T attribute(const char* key) const {
    return attributes_.at(key).get<T>();
  }

  void expect_equal(const Tensor& found, const std::string& role, double tolerance = 1e-10) const {
    const std::vector<double> a = found.to_doubles();
    const std::vector<double> b = tensor(role).to_doubles();
    ASSERT_EQ(a.size(), b.size()) << name_ << "." << role << " " << found.shape().to_string();
    double scale = 1;
    for (const double value : b) scale = std::max(scale, std::abs(value));
    for (std::size_t i = 0; i < a.size(); ++i) {
      ASSERT_NEAR(a[i], b[i], tolerance * scale) << name_ << "." << role << "[" << i << "]";
    }
  }

  /// Checks an output and the gradients of sum(d_y * y) with respect to the variables, by role; undefined ones are left
  /// out. Both ways: as a first-order pass and as one that is recorded.
  void expect(const Variable& y, const std::vector<std::pair<std::string, Variable>>& variables) const {
    expect_equal(y.value(), "y");
    Variables inputs;
    for (const auto& [role, variable] : variables) {
      if (variable.defined()) inputs.push_back(variable);
    }
    const Variable d_y = tensor("d_y").reshape(y.shape());
    for (const bool create_graph : {true, false}) {
      const Variables gradients = grad({y}, inputs, {.create_graph = create_graph, .d_outputs = {d_y}});
      std::size_t next = 0;
      for (const auto& [role, variable] : variables) {
        if (variable.defined()) expect_equal(gradients[next++].value(), "d_" + role);
      }
    }
  }

 private:
  const TensorFile* file_;
  std::string name_;
  nlohmann::json attributes_;
};

/// A file of golden vectors by its family's name.
class File {
 public:
  explicit File(const std::string& family)
      : contents_(read_safetensors(
            std::filesystem::path(COUNTERFOIL_SOURCE_DIR) / "tests" / "golden" / (family + ".safetensors"),
            reference_device())) {}

  std::vector<Case> cases() const {
    std::vector<Case> all;
    for (const auto& entry : contents_.metadata) all.emplace_back(contents_, entry.first);
    EXPECT_FALSE(all.empty());
    return all;
  }
  Case at(const std::string& name) const { return {contents_, name}; }

 private:
  TensorFile contents_;
};

}  // namespace counterfoil::golden
