#include "nn/initialise.h"

#include <cmath>
#include <utility>
#include <vector>

namespace counterfoil::nn {
namespace {

Tensor draw_uniform(const Init& init, const Shape& shape, double deviation) {
  const double bound = std::sqrt(3.0) * deviation;
  return init.random.uniform(shape, -bound, bound, init.device, init.dtype);
}

Tensor draw_normal(const Init& init, const Shape& shape, double deviation, double mean = 0) {
  return init.random.normal(shape, mean, deviation, init.device, init.dtype);
}

double glorot_deviation(double gain, const Fans& fans) {
  return gain * std::sqrt(2.0 / static_cast<double>(fans.in + fans.out));
}

double he_deviation(double slope, const Fans& fans) {
  return std::sqrt(2.0 / ((1 + slope * slope) * static_cast<double>(fans.in)));
}

/// Makes `count` vectors of `length` >= count orthonormal: Gram-Schmidt, each projection taken off twice (once is not
/// enough for nearly parallel vectors). Normal entries and a positive diagonal make the result uniformly distributed.
void orthonormalise(std::vector<double>& vectors, std::size_t count, std::size_t length) {
  for (std::size_t i = 0; i < count; ++i) {
    double* current = vectors.data() + i * length;
    for (int round = 0; round < 2; ++round) {
      for (std::size_t j = 0; j < i; ++j) {
        const double* earlier = vectors.data() + j * length;
        double product = 0;
        for (std::size_t k = 0; k < length; ++k) product += current[k] * earlier[k];
        for (std::size_t k = 0; k < length; ++k) current[k] -= product * earlier[k];
      }
    }
    double squares = 0;
    for (std::size_t k = 0; k < length; ++k) squares += current[k] * current[k];
    const double scale = 1 / std::sqrt(squares);
    for (std::size_t k = 0; k < length; ++k) current[k] *= scale;
  }
}

}  // namespace

Fans linear_fans(const Shape& weight) {
  return {weight[1], weight[0]};
}

Fans conv2d_fans(const Shape& weight, int groups) {
  const std::int64_t taps = weight[1] * weight[2];
  return {taps * weight[3], taps * weight[0] / groups};
}

Fans conv_transpose2d_fans(const Shape& weight, int groups) {
  const auto [out, in] = conv2d_fans(weight, groups);
  return {in, out};
}

Initialiser zeros() {
  return constant(0);
}

Initialiser constant(double value) {
  return [=](const Init& init, const Shape& shape, const Fans&) {
    return Tensor::full(shape, value, init.dtype, init.device);
  };
}

Initialiser normal(double deviation, double mean) {
  return [=](const Init& init, const Shape& shape, const Fans&) { return draw_normal(init, shape, deviation, mean); };
}

Initialiser glorot_uniform(double gain) {
  return [=](const Init& init, const Shape& shape, const Fans& fans) {
    return draw_uniform(init, shape, glorot_deviation(gain, fans));
  };
}

Initialiser glorot_normal(double gain) {
  return [=](const Init& init, const Shape& shape, const Fans& fans) {
    return draw_normal(init, shape, glorot_deviation(gain, fans));
  };
}

Initialiser he_uniform(double slope) {
  return [=](const Init& init, const Shape& shape, const Fans& fans) {
    return draw_uniform(init, shape, he_deviation(slope, fans));
  };
}

Initialiser he_normal(double slope) {
  return [=](const Init& init, const Shape& shape, const Fans& fans) {
    return draw_normal(init, shape, he_deviation(slope, fans));
  };
}

Initialiser orthogonal(double gain) {
  return [=](const Init& init, const Shape& shape, const Fans&) {
    const auto rows = static_cast<std::size_t>(shape[0]);
    const std::size_t columns = rows == 0 ? 0 : static_cast<std::size_t>(shape.size()) / rows;
    const bool wide = rows <= columns;
    const std::size_t count = wide ? rows : columns, length = wide ? columns : rows;
    std::vector<double> vectors = draw_normal(init, shape, 1).to_doubles();
    orthonormalise(vectors, count, length);
    std::vector<float> values(vectors.size());
    std::vector<double> exact(vectors.size());
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < columns; ++c) {
        const double value = gain * (wide ? vectors[r * columns + c] : vectors[c * rows + r]);
        exact[r * columns + c] = value;
        values[r * columns + c] = static_cast<float>(value);
      }
    }
    if (init.dtype == DType::f64) return Tensor::from(exact, shape, init.device);
    return Tensor::from(values, shape, init.device).to(init.dtype);
  };
}

}  // namespace counterfoil::nn
