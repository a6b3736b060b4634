#pragma once

#include <functional>

#include "tensor/random.h"
#include "tensor/tensor.h"

namespace counterfoil::nn {

/// How many products are summed into one output of a layer, and to how many outputs one input contributes (strides and
/// borders left aside). Initialisers keep variances by them.
struct Fans {
  std::int64_t in = 1, out = 1;
};
Fans linear_fans(const Shape& weight);                        ///< weight [O,I]
Fans conv2d_fans(const Shape& weight, int groups);            ///< weight [K,R,S,C/groups], C to K channels
Fans conv_transpose2d_fans(const Shape& weight, int groups);  ///< weight [K,R,S,C/groups], K to C channels

struct Init;

/// Draws a weight of a shape with init.random, on init.device, in init.dtype.
using Initialiser = std::function<Tensor(const Init& init, const Shape& shape, const Fans& fans)>;

Initialiser zeros();
Initialiser constant(double value);
Initialiser normal(double deviation, double mean = 0);
/// Glorot and Bengio 2010: variance gain^2 * 2 / (in + out).
Initialiser glorot_uniform(double gain = 1);
Initialiser glorot_normal(double gain = 1);
/// He et al. 2015: variance 2 / ((1 + slope^2) in), for a leaky ReLU of that slope.
Initialiser he_uniform(double slope = 0);
Initialiser he_normal(double slope = 0);
/// Saxe et al. 2014: gain times a matrix [first extent, the others together] with orthonormal rows, or columns where
/// they are fewer, uniformly distributed among such matrices. Computed on the host in double.
Initialiser orthogonal(double gain = 1);

/// What a network is built with: where its parameters live, and the stream they are drawn from in order of
/// construction. Biases start at 0, the scales of norms at 1.
struct Init {
  Random& random;
  Device& device;
  DType dtype = DType::f32;
  Initialiser weights = glorot_uniform();

  Init with(Initialiser other) const { return {random, device, dtype, std::move(other)}; }
};

}  // namespace counterfoil::nn
