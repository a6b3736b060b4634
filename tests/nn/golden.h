#pragma once

#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "autograd/variable.h"
#include "nn/module.h"
#include "tensor/safetensors.h"

namespace counterfoil::nn {

/// Everything in tests/golden is f64 and is compared on the reference device.
inline constexpr double kGoldenTolerance = 1e-10;

/// What the networks under test are built with: f64 on the reference device.
struct TestInit {
  Random random{7, "nn tests"};
  Init init{random, reference_device(), DType::f64};
  operator const Init&() const { return init; }  // NOLINT(google-explicit-constructor)
};

inline Tensor f64(const std::vector<double>& values, const Shape& shape) {
  return Tensor::from(values, shape, reference_device());
}

inline Tensor labels_of(const std::vector<std::int32_t>& values) {
  return Tensor::from(values, Shape{static_cast<std::int64_t>(values.size())}, reference_device());
}

inline void expect_close(const Tensor& found, const Tensor& expected, const std::string& what,
                         double tolerance = kGoldenTolerance) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  const auto a = found.to_doubles(), b = expected.to_doubles();
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_LE(std::abs(a[i] - b[i]), tolerance * (1 + std::abs(b[i])))
        << what << " at " << i << ": " << a[i] << ", " << b[i];
  }
}

/// One case of a golden file; see tests/golden/README.md.
class GoldenCase {
 public:
  GoldenCase(const std::string& family, std::string name)
      : file_(read_safetensors(std::string(COUNTERFOIL_SOURCE_DIR) + "/tests/golden/" + family + ".safetensors",
                               reference_device())),
        name_(std::move(name)),
        attributes_(nlohmann::json::parse(file_.metadata.at(name_))) {}

  bool has(const std::string& role) const { return file_.tensors.contains(name_ + "." + role); }
  const Tensor& at(const std::string& role) const { return file_.at(name_ + "." + role); }
  Tensor labels(const std::string& role) const { return at(role).to(DType::i32); }
  const nlohmann::json& attributes() const { return attributes_; }
  template <typename T>
  T attribute(const std::string& key) const {
    return attributes_.at(key).get<T>();
  }

  /// Loads the module's state from the roles named for its parameters and buffers (others keep their values), runs it
  /// on the leaf of role `input`, and compares y and every gradient.
  void check(Module& module, const std::map<std::string, std::string>& role_of_name,
             const std::function<Variable(const Variable&)>& forward, const std::string& input = "x") const {
    auto state = module.state();
    for (const auto& [name, role] : role_of_name) state.at(name) = at(role).reshape(state.at(name).shape());
    module.load_state(state);

    const Variable x = Variable::leaf(at(input));
    const Variable y = forward(x);
    EXPECT_EQ(y.shape().to_string(), at("y").shape().to_string()) << name_;
    expect_close(y.value(), at("y"), name_ + ".y");

    Variables wanted = {x};
    std::vector<std::string> roles = {"d_" + input};
    for (const auto& [name, variable] : module.named_parameters()) {
      wanted.push_back(variable);
      roles.push_back("d_" + role_of_name.at(name));
    }
    const Variables gradients = grad({y}, wanted, {.d_outputs = {Variable(at("d_y"))}});
    for (std::size_t i = 0; i < roles.size(); ++i)
      expect_close(gradients[i].value(), at(roles[i]), name_ + "." + roles[i]);
  }

 private:
  TensorFile file_;
  std::string name_;
  nlohmann::json attributes_;
};

/// Names of a golden file's cases; those that start with `prefix` alone.
inline std::vector<std::string> golden_cases(const std::string& family, const std::string& prefix = "") {
  const TensorFile file = read_safetensors(
      std::string(COUNTERFOIL_SOURCE_DIR) + "/tests/golden/" + family + ".safetensors", reference_device());
  std::vector<std::string> names;
  for (const auto& [name, attributes] : file.metadata) {
    if (name.starts_with(prefix)) names.push_back(name);
  }
  EXPECT_FALSE(names.empty()) << family << " has no cases " << prefix;
  return names;
}

}  // namespace counterfoil::nn
