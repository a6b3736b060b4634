#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "autograd/variable.h"
#include "tensor/tensor.h"

// One case per primitive and shape that matters. The same case serves the comparison of a device with the reference,
// the gradient check, the second-order check, the bitwise repeat and the benchmark: see tests/cases/check.h.

namespace counterfoil::cases {

/// How an argument of a case is filled. The values depend on the case's name and the argument's position alone.
struct Input {
  enum class Kind : std::uint8_t {
    uniform,   ///< floats between low and high
    distinct,  ///< floats between low and high in random order, no two closer than (high - low) / size
    sign,      ///< floats, -1 or 1
    mask,      ///< floats, 0 or 1
    index,     ///< i32 in [low, high)
    given,     ///< floats as listed
  };
  Shape shape = {};
  Kind kind = Kind::uniform;
  double low = -1, high = 1;
  std::vector<double> values = {};
};

Input uniform(const Shape& shape, double low = -1, double high = 1);
Input distinct(const Shape& shape, double low = -1, double high = 1);
Input sign(const Shape& shape);
Input mask(const Shape& shape);
Input index(const Shape& shape, std::int64_t bound);
Input given(std::vector<double> values, const Shape& shape);

struct Case {
  std::string name = {};  ///< "<primitive or operation>/<what is particular>", letters, digits and _; unique
  std::vector<Input> inputs = {};
  std::function<Variables(const Variables&)> apply = {};  ///< deterministic; draws from streams of its own
  std::vector<std::size_t> differentiable = {};           ///< inputs whose gradients are checked
  bool second_order = false;                              ///< whether the gradient is to be differentiated as well
  double tolerance = 1e-5;  ///< f32 against reference f64: |error| / (|value| + root mean square of the output)
  double bytes = 0;         ///< memory traffic of one apply in f32; 0: inputs plus outputs
  double flops = 0;         ///< arithmetic of one apply; 0: not worth counting
  bool large = false;       ///< of a size for benchmarks: too slow for the gradient checks

  /// The part of the name before the slash.
  std::string operation() const { return name.substr(0, name.find('/')); }
};

/// Every case, in a fixed order.
const std::vector<Case>& all_cases();

/// The arguments of a case: values rounded to f32 and stored as real_type (f32 or f64); indices are i32.
std::vector<Tensor> make_inputs(const Case& subject, DType real_type, Device& device);

// By family; all_cases() joins them.
std::vector<Case> moving_cases();
std::vector<Case> pointwise_cases();
std::vector<Case> reduction_cases();
std::vector<Case> loss_cases();
std::vector<Case> matmul_cases();
std::vector<Case> convolution_cases();
std::vector<Case> pooling_cases();
std::vector<Case> normalisation_cases();
std::vector<Case> random_cases();
std::vector<Case> optimiser_cases();
std::vector<Case> image_cases();

}  // namespace counterfoil::cases
