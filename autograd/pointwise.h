#pragma once

#include "autograd/variable.h"
#include "kernels/backend.h"
#include "tensor/random.h"

// Elementwise operations. Two-argument ones broadcast (the shorter shape gets leading ones); gradients are summed back.
// A node is named like its function ("add", "relu", ...; activate() and the operators make the nodes of the functions
// they stand for); unary nodes carry a UnaryAttribute.

namespace counterfoil {

struct UnaryAttribute {
  UnaryOp op;
  double p0 = 0, p1 = 0;  ///< slope, bounds, ...: see UnaryOp
};

Variable add(const Variable& a, const Variable& b);
Variable subtract(const Variable& a, const Variable& b);
Variable multiply(const Variable& a, const Variable& b);
Variable divide(const Variable& a, const Variable& b);
Variable maximum(const Variable& a, const Variable& b);          ///< equal elements: the gradient goes to a
Variable minimum(const Variable& a, const Variable& b);          ///< equal elements: the gradient goes to a
Variable affine(const Variable& x, double scale, double shift);  ///< scale * x + shift

Variable operator+(const Variable& a, const Variable& b);
Variable operator-(const Variable& a, const Variable& b);
Variable operator*(const Variable& a, const Variable& b);
Variable operator/(const Variable& a, const Variable& b);
Variable operator-(const Variable& x);
Variable operator+(const Variable& x, double shift);
Variable operator-(const Variable& x, double shift);
Variable operator*(const Variable& x, double scale);
Variable operator/(const Variable& x, double divisor);
Variable operator+(double shift, const Variable& x);
Variable operator-(double minuend, const Variable& x);
Variable operator*(double scale, const Variable& x);
Variable operator/(double dividend, const Variable& x);

Variable abs(const Variable& x);  ///< derivative 0 at 0
Variable square(const Variable& x);
Variable exp(const Variable& x);
Variable log(const Variable& x);
Variable sqrt(const Variable& x);
Variable reciprocal(const Variable& x);
Variable pow(const Variable& x, double exponent);
Variable sin(const Variable& x);
Variable cos(const Variable& x);

Variable tanh(const Variable& x);
Variable sigmoid(const Variable& x);
Variable softplus(const Variable& x);
Variable relu(const Variable& x);
Variable leaky_relu(const Variable& x, double slope);
Variable elu(const Variable& x, double alpha);
Variable clip(const Variable& x, double low, double high);  ///< derivative 1 from low to high, both included, else 0
/// clip whose backward pass is the projected gradient of descent under bounds (Bertsekas 1976): d_y inside, and outside
/// only where a step against it leads back, max(d_y, 0) above `high` and min(d_y, 0) below `low`. What overshoots can
/// return; behind `clip` it has no slope and stays where it is.
Variable projected_clip(const Variable& x, double low, double high);
/// identity, relu, leaky_relu, tanh or sigmoid by name.
Variable activate(const Variable& x, Activation activation, double slope = 0);

/// d_y * a'(a^-1(y)): the derivative of an epilogue's activation from its output. Differentiable in d_y, and in y where
/// a is curved.
Variable activation_backward(Activation activation, const Variable& y, const Variable& d_y, double slope);

/// 1 where x > threshold, else 0. No gradient.
Variable greater_than(const Variable& x, double threshold);
/// condition != 0 ? a : b, all of one shape; no gradient to the condition.
Variable select(const Variable& condition, const Variable& a, const Variable& b);

/// Zeroes each element (per_channel: each [n, c] plane of an NHWC image) with the given probability and divides the
/// rest by 1 - probability. Nothing is stored: the derivative draws the same numbers again.
Variable dropout(const Variable& x, double probability, Random& random, bool per_channel = false);

}  // namespace counterfoil
