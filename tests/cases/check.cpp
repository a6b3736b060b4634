#include "tests/cases/check.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "autograd/ops.h"
#include "tensor/ops.h"
#include "tensor/random.h"

namespace counterfoil::cases {

namespace {

constexpr double kStep = 1e-5;                // of central differences, for values of order 1
constexpr double kGradientTolerance = 2e-6;   // relative to the largest element of the gradient
constexpr std::size_t kElementsChecked = 24;  // per input, besides one random direction

/// Arguments as variables: the differentiable ones are leaves.
Variables leaves_of(const Case& subject, const std::vector<Tensor>& inputs) {
  Variables arguments(inputs.begin(), inputs.end());
  for (const std::size_t i : subject.differentiable) arguments[i] = Variable::leaf(inputs[i]);
  return arguments;
}

Variables chosen(const Case& subject, const Variables& arguments) {
  Variables result;
  for (const std::size_t i : subject.differentiable) result.push_back(arguments[i]);
  return result;
}

/// Numbers between -1 and 1 like another tensor.
Tensor random_like(const Tensor& model, Random& random) {
  std::vector<float> values(static_cast<std::size_t>(model.size()));
  for (float& value : values) value = static_cast<float>(2 * random.uniform() - 1);
  return Tensor::from(values, model.shape(), model.device()).to(model.dtype());
}

bool is_real(const Tensor& tensor) {
  return tensor.dtype() == DType::f32 || tensor.dtype() == DType::f64;
}

/// sum over the outputs of w . y + curvature / 2 y . y, where w is random: with curvature the gradient of an output
/// depends on the inputs, so that a second derivative also meets what is linear in the gradient.
Variable projection(const Variables& outputs, Random random, double curvature) {
  Variable total;
  for (const Variable& y : outputs) {
    if (!is_real(y.value())) continue;
    const Tensor weight = random_like(y.value(), random);
    const Variable term = reshape(sum(y * affine(y, curvature / 2, 0) + y * weight), Shape{1});
    total = total.defined() ? total + term : term;
  }
  return total;
}

Variables gradients(const Case& subject, const Variables& arguments, double curvature, bool create_graph) {
  const Variable loss = projection(subject.apply(arguments), Random(2, subject.name), curvature);
  return grad({loss}, chosen(subject, arguments), {.create_graph = create_graph});
}

struct Run {
  std::vector<Tensor> outputs, d_inputs;
};

Run run_on(const Case& subject, DType real_type, Device& device) {
  const Variables arguments = leaves_of(subject, make_inputs(subject, real_type, device));
  Run run;
  const Variables outputs = subject.apply(arguments);
  for (const Variable& y : outputs) run.outputs.push_back(y.value());
  if (subject.differentiable.empty()) return run;
  const Variable loss = projection(outputs, Random(2, subject.name), 0);
  for (const Variable& d : grad({loss}, chosen(subject, arguments))) run.d_inputs.push_back(d.value());
  return run;
}

/// Takes over a worse error.
void note(Report& report, double error, double tolerance, const std::string& message) {
  if (!(error <= tolerance) && report.passed) {
    report.passed = false;
    report.message = message;
  }
  if (!(error <= report.error)) report.error = error;
}

void compare(Report& report, const std::string& what, const Tensor& found, const Tensor& expected, double tolerance) {
  if (found.shape() != expected.shape()) {
    note(report, INFINITY, tolerance,
         fmt::format("{}: shape {} where the reference has {}", what, found.shape().to_string(),
                     expected.shape().to_string()));
    return;
  }
  const std::vector<double> a = found.to_doubles();
  const std::vector<double> b = expected.to_doubles();
  double squares = 0;
  for (const double value : b) squares += std::isfinite(value) ? value * value : 0;
  const double scale = b.empty() ? 0 : std::sqrt(squares / static_cast<double>(b.size()));
  for (std::size_t i = 0; i < a.size(); ++i) {
    double error = std::abs(a[i] - b[i]) / (std::abs(b[i]) + scale);
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) error = 0;
    const double allowed = is_real(expected) ? tolerance : 0;
    note(report, error, allowed, fmt::format("{}[{}]: {} where the reference has {}", what, i, a[i], b[i]));
  }
}

/// Compares d (f along direction) with (f(x + h direction) - f(x - h direction)) / 2h for one input of a scalar f.
class CentralDifference {
 public:
  using Scalar = std::function<double(const std::vector<Tensor>&)>;

  CentralDifference(std::vector<Tensor> inputs, Scalar f) : inputs_(std::move(inputs)), f_(std::move(f)) {}

  void check(Report& report, const std::string& what, std::size_t input, const Tensor& gradient, Random& random) {
    const std::vector<double> d = gradient.to_doubles();
    const std::vector<double> x = inputs_[input].to_doubles();
    if (x.empty()) return;
    double largest = 1e-3;
    for (const double value : d) largest = std::max(largest, std::abs(value));
    const std::vector<std::int32_t> order = random.permutation(static_cast<std::int32_t>(x.size()));
    for (std::size_t k = 0; k < std::min(order.size(), kElementsChecked); ++k) {
      const auto i = static_cast<std::size_t>(order[k]);
      std::vector<double> direction(x.size(), 0);
      direction[i] = 1;
      const double numeric = slope(input, x, direction);
      note(report, std::abs(numeric - d[i]) / largest, kGradientTolerance,
           fmt::format("{} d_input{}[{}]: {} where central differences give {}", what, input, i, d[i], numeric));
    }
    std::vector<double> direction(x.size());
    double expected = 0;
    double norm = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      direction[i] = 2 * random.uniform() - 1;
      expected += direction[i] * d[i];
      norm += direction[i] * direction[i];
    }
    const double numeric = slope(input, x, direction);
    note(report, std::abs(numeric - expected) / (largest * std::sqrt(norm + 1)), kGradientTolerance,
         fmt::format("{} d_input{} along a random direction: {} where central differences give {}", what, input,
                     expected, numeric));
  }

 private:
  double slope(std::size_t input, const std::vector<double>& x, const std::vector<double>& direction) {
    std::vector<double> moved(x.size());
    double value[2];
    for (const int side : {0, 1}) {
      for (std::size_t i = 0; i < x.size(); ++i) moved[i] = x[i] + (side == 0 ? -kStep : kStep) * direction[i];
      std::vector<Tensor> arguments = inputs_;
      arguments[input] = Tensor::from(moved, inputs_[input].shape(), inputs_[input].device());
      value[side] = f_(arguments);
    }
    return (value[1] - value[0]) / (2 * kStep);
  }

  std::vector<Tensor> inputs_;
  Scalar f_;
};

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  std::vector<std::byte> left(a.bytes());
  std::vector<std::byte> right(b.bytes());
  if (left.empty()) return true;
  a.device().copy_to_host(left.data(), a.view().data, left.size());
  b.device().copy_to_host(right.data(), b.view().data, right.size());
  return std::memcmp(left.data(), right.data(), left.size()) == 0;
}

/// Restores the number of threads.
class ThreadCountScope {
 public:
  ThreadCountScope() : before_(thread_count()) {}
  ~ThreadCountScope() { set_thread_count(before_); }
  ThreadCountScope(const ThreadCountScope&) = delete;
  ThreadCountScope& operator=(const ThreadCountScope&) = delete;

 private:
  int before_;
};

}  // namespace

Report compare_devices(const Case& subject, Device& device) {
  const Run found = run_on(subject, DType::f32, device);
  const Run expected = run_on(subject, DType::f64, reference_device());
  Report report;
  for (std::size_t i = 0; i < expected.outputs.size(); ++i) {
    compare(report, fmt::format("{}: output {}", subject.name, i), found.outputs[i], expected.outputs[i],
            subject.tolerance);
  }
  for (std::size_t i = 0; i < expected.d_inputs.size(); ++i) {
    compare(report, fmt::format("{}: d_input{}", subject.name, subject.differentiable[i]), found.d_inputs[i],
            expected.d_inputs[i], subject.tolerance);
  }
  return report;
}

Report check_gradient(const Case& subject) {
  const std::vector<Tensor> inputs = make_inputs(subject, DType::f64, reference_device());
  CentralDifference differences(inputs, [&](const std::vector<Tensor>& arguments) {
    return projection(subject.apply(Variables(arguments.begin(), arguments.end())), Random(2, subject.name), 0).item();
  });
  Report report;
  for (const bool create_graph : {false, true}) {
    const Variables d_inputs = gradients(subject, leaves_of(subject, inputs), 0, create_graph);
    Random random(3, subject.name);
    for (std::size_t i = 0; i < d_inputs.size(); ++i) {
      differences.check(report, fmt::format("{} ({})", subject.name, create_graph ? "composed" : "fused"),
                        subject.differentiable[i], d_inputs[i].value(), random);
    }
  }
  return report;
}

Report check_second_order(const Case& subject) {
  const std::vector<Tensor> inputs = make_inputs(subject, DType::f64, reference_device());
  const auto project_gradient = [&](const Variables& arguments, bool create_graph) {
    return projection(gradients(subject, arguments, 1, create_graph), Random(4, subject.name), 0);
  };
  CentralDifference differences(inputs, [&](const std::vector<Tensor>& arguments) {
    return project_gradient(leaves_of(subject, arguments), false).item();
  });
  const Variables arguments = leaves_of(subject, inputs);
  const Variables second = grad({project_gradient(arguments, true)}, chosen(subject, arguments));
  Report report;
  Random random(5, subject.name);
  for (std::size_t i = 0; i < second.size(); ++i) {
    differences.check(report, fmt::format("{} (second order)", subject.name), subject.differentiable[i],
                      second[i].value(), random);
  }
  return report;
}

Report check_repeat(const Case& subject, Device& device) {
  const ThreadCountScope scope;
  Report report;
  Run first;
  for (const int threads : {1, 1, 2, 3}) {
    set_thread_count(threads);
    Run run = run_on(subject, DType::f32, device);
    if (first.outputs.empty()) {
      first = std::move(run);
      continue;
    }
    const auto check = [&](const std::vector<Tensor>& before, const std::vector<Tensor>& after, const char* what) {
      for (std::size_t i = 0; i < before.size(); ++i) {
        if (same_bits(before[i], after[i])) continue;
        note(report, INFINITY, 0,
             fmt::format("{}: {} {} has other bits in a second run with {} threads", subject.name, what, i, threads));
      }
    };
    check(first.outputs, run.outputs, "output");
    check(first.d_inputs, run.d_inputs, "gradient");
  }
  return report;
}

}  // namespace counterfoil::cases
