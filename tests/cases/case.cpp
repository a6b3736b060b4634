#include "tests/cases/case.h"

#include <utility>

#include "tensor/ops.h"
#include "tensor/random.h"

namespace counterfoil::cases {

namespace {

std::vector<double> draw(const Input& input, Random& random) {
  if (input.kind == Input::Kind::given) return input.values;
  const std::int64_t size = input.shape.size();
  const double extent = input.high - input.low;
  std::vector<double> values(static_cast<std::size_t>(size));
  if (input.kind == Input::Kind::distinct) {
    // The odd offset keeps the middle of the range, where most kinks are, off the grid.
    const std::vector<std::int32_t> order = random.permutation(static_cast<std::int32_t>(size));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = input.low + extent * (order[i] + 0.382) / static_cast<double>(size);
    }
    return values;
  }
  for (double& value : values) {
    switch (input.kind) {
      case Input::Kind::uniform:
        value = input.low + extent * random.uniform();
        break;
      case Input::Kind::sign:
        value = random.uniform() < 0.5 ? -1 : 1;
        break;
      case Input::Kind::mask:
        value = random.uniform() < 0.5 ? 0 : 1;
        break;
      case Input::Kind::index:
        value = input.low + static_cast<double>(random.integer(static_cast<std::uint64_t>(extent)));
        break;
      case Input::Kind::distinct:
      case Input::Kind::given:
        break;
    }
  }
  return values;
}

}  // namespace

Input uniform(const Shape& shape, double low, double high) {
  return {.shape = shape, .kind = Input::Kind::uniform, .low = low, .high = high};
}

Input distinct(const Shape& shape, double low, double high) {
  return {.shape = shape, .kind = Input::Kind::distinct, .low = low, .high = high};
}

Input sign(const Shape& shape) {
  return {.shape = shape, .kind = Input::Kind::sign};
}

Input mask(const Shape& shape) {
  return {.shape = shape, .kind = Input::Kind::mask};
}

Input index(const Shape& shape, std::int64_t bound) {
  return {.shape = shape, .kind = Input::Kind::index, .low = 0, .high = static_cast<double>(bound)};
}

Input given(std::vector<double> values, const Shape& shape) {
  return {.shape = shape, .kind = Input::Kind::given, .values = std::move(values)};
}

std::vector<Tensor> make_inputs(const Case& subject, DType real_type, Device& device) {
  Random random(1, subject.name);
  std::vector<Tensor> tensors;
  for (const Input& input : subject.inputs) {
    const std::vector<double> values = draw(input, random);
    if (input.kind == Input::Kind::index) {
      tensors.push_back(Tensor::from(std::vector<std::int32_t>(values.begin(), values.end()), input.shape, device));
      continue;
    }
    const std::vector<float> rounded(values.begin(), values.end());
    tensors.push_back(real_type == DType::f64
                          ? Tensor::from(std::vector<double>(rounded.begin(), rounded.end()), input.shape, device)
                          : Tensor::from(rounded, input.shape, device));
  }
  return tensors;
}

const std::vector<Case>& all_cases() {
  static const std::vector<Case> cases = [] {
    std::vector<Case> all;
    for (const auto family :
         {moving_cases, pointwise_cases, reduction_cases, loss_cases, matmul_cases, convolution_cases, pooling_cases,
          normalisation_cases, random_cases, optimiser_cases, image_cases}) {
      for (Case& one : family()) all.push_back(std::move(one));
    }
    return all;
  }();
  return cases;
}

}  // namespace counterfoil::cases
