#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "kernels/backend.h"
#include "kernels/exact_math.h"
#include "kernels/host_device.h"

// Every scalar formula, once: the backends bring the loops. T is the type computed in. Math is the set of elementary
// functions to compute with: a class with static exp, expm1, log, log1p, sqrt, pow, sin, cos, tanh for T. The formulas
// are free of data-dependent branches, so a loop over one of them vectorises when Math's functions do.
//
// The operation is a template argument, so that the choice is made once per array:
//   with_unary(op, [&](auto chosen) { for (...) out[i] = unary<chosen(), Math>(x[i], p0, p1); });

namespace counterfoil::pointwise {

/// The C++ library on the host, CUDA's on the device.
struct StandardMath {
  template <typename T>
  COUNTERFOIL_HOST_DEVICE static T exp(T x) {
    return std::exp(x);
  }
  template <typename T>
  COUNTERFOIL_HOST_DEVICE static T expm1(T x) {
    return std::expm1(x);
  }
  template <typename T>
  COUNTERFOIL_HOST_DEVICE static T log(T x) {
    return std::log(x);
  }
  template <typename T>
  COUNTERFOIL_HOST_DEVICE static T log1p(T x) {
    return std::log1p(x);
  }
  template <typename T>
  COUNTERFOIL_HOST_DEVICE static T sqrt(T x) {
    return std::sqrt(x);
  }
  template <typename T>
  COUNTERFOIL_HOST_DEVICE static T pow(T x, T y) {
    return std::pow(x, y);
  }
  template <typename T>
  COUNTERFOIL_HOST_DEVICE static T sin(T x) {
    return std::sin(x);
  }
  template <typename T>
  COUNTERFOIL_HOST_DEVICE static T cos(T x) {
    return std::cos(x);
  }
  template <typename T>
  COUNTERFOIL_HOST_DEVICE static T tanh(T x) {
    return std::tanh(x);
  }
};

// Building blocks. NaN passes through all of them; std::max and the like would drop it on one side.

template <typename T>
COUNTERFOIL_HOST_DEVICE T absolute(T x) {
  return x < 0 ? -x : x;
}

template <typename T>
COUNTERFOIL_HOST_DEVICE T sign(T x) {
  return x > 0 ? T(1) : x < 0 ? T(-1) : x;
}

template <typename T>
COUNTERFOIL_HOST_DEVICE T maximum(T a, T b) {
  return a > b || a != a ? a : b;
}

template <typename T>
COUNTERFOIL_HOST_DEVICE T minimum(T a, T b) {
  return a < b || a != a ? a : b;
}

/// 1 / (1 + exp(-x)); with e = exp(-|x|) that is 1 / (1 + e) on the right and e / (1 + e) on the left.
template <typename Math, typename T>
COUNTERFOIL_HOST_DEVICE T sigmoid(T x) {
  const T e = Math::exp(-absolute(x));
  const T right = T(1) / (T(1) + e);
  return x < 0 ? e * right : right;
}

/// log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|))
template <typename Math, typename T>
COUNTERFOIL_HOST_DEVICE T softplus(T x) {
  return (x < 0 ? T(0) : x) + Math::log1p(Math::exp(-absolute(x)));
}

// Backend::unary ------------------------------------------------------------------------------------------------------

template <UnaryOp op, typename Math, typename T>
COUNTERFOIL_HOST_DEVICE T unary(T x, [[maybe_unused]] T p0, [[maybe_unused]] T p1) {
  if constexpr (op == UnaryOp::affine) return p0 * x + p1;
  if constexpr (op == UnaryOp::abs) return absolute(x);
  if constexpr (op == UnaryOp::sign) return sign(x);
  if constexpr (op == UnaryOp::exp) return Math::exp(x);
  if constexpr (op == UnaryOp::log) return Math::log(x);
  if constexpr (op == UnaryOp::sqrt) return Math::sqrt(x);
  if constexpr (op == UnaryOp::reciprocal) return T(1) / x;
  if constexpr (op == UnaryOp::pow) return Math::pow(x, p0);
  if constexpr (op == UnaryOp::sin) return Math::sin(x);
  if constexpr (op == UnaryOp::cos) return Math::cos(x);
  if constexpr (op == UnaryOp::tanh) return Math::tanh(x);
  if constexpr (op == UnaryOp::sigmoid) return sigmoid<Math>(x);
  if constexpr (op == UnaryOp::softplus) return softplus<Math>(x);
  if constexpr (op == UnaryOp::relu) return x < 0 ? T(0) : x;
  if constexpr (op == UnaryOp::leaky_relu) return x > 0 ? x : p0 * x;
  if constexpr (op == UnaryOp::elu) return x > 0 ? x : p0 * Math::expm1(x);
  if constexpr (op == UnaryOp::clip) {
    const T above = x < p0 ? p0 : x;
    return above > p1 ? p1 : above;
  }
  if constexpr (op == UnaryOp::greater_than) return x > p0 ? T(1) : T(0);
  if constexpr (op == UnaryOp::inside) return x >= p0 && x <= p1 ? T(1) : T(0);
}

/// d op(x) / d x. At a kink: 0 for abs, relu and the steps, p0 for leaky_relu and elu, 1 at the ends of clip.
template <UnaryOp op, typename Math, typename T>
COUNTERFOIL_HOST_DEVICE T unary_derivative([[maybe_unused]] T x, [[maybe_unused]] T p0, [[maybe_unused]] T p1) {
  if constexpr (op == UnaryOp::affine) return p0;
  if constexpr (op == UnaryOp::abs) return sign(x);
  if constexpr (op == UnaryOp::sign) return T(0);
  if constexpr (op == UnaryOp::exp) return Math::exp(x);
  if constexpr (op == UnaryOp::log) return T(1) / x;
  if constexpr (op == UnaryOp::sqrt) return T(0.5) / Math::sqrt(x);
  if constexpr (op == UnaryOp::reciprocal) return T(-1) / (x * x);
  if constexpr (op == UnaryOp::pow) return p0 == 0 ? T(0) : p0 * Math::pow(x, p0 - T(1));
  if constexpr (op == UnaryOp::sin) return Math::cos(x);
  if constexpr (op == UnaryOp::cos) return -Math::sin(x);
  if constexpr (op == UnaryOp::tanh) {
    const T y = Math::tanh(x);
    return T(1) - y * y;
  }
  if constexpr (op == UnaryOp::sigmoid) {
    const T y = sigmoid<Math>(x);
    return y * (T(1) - y);
  }
  if constexpr (op == UnaryOp::softplus) return sigmoid<Math>(x);
  if constexpr (op == UnaryOp::relu) return x > 0 ? T(1) : T(0);
  if constexpr (op == UnaryOp::leaky_relu) return x > 0 ? T(1) : p0;
  if constexpr (op == UnaryOp::elu) return x > 0 ? T(1) : p0 * Math::exp(x);
  if constexpr (op == UnaryOp::clip) return x >= p0 && x <= p1 ? T(1) : T(0);
  if constexpr (op == UnaryOp::greater_than || op == UnaryOp::inside) return T(0);
}

// Activations of epilogues --------------------------------------------------------------------------------------------

template <Activation activation, typename Math, typename T>
COUNTERFOIL_HOST_DEVICE T activate(T x, [[maybe_unused]] T slope) {
  if constexpr (activation == Activation::identity) return x;
  if constexpr (activation == Activation::relu) return unary<UnaryOp::relu, Math>(x, T(0), T(0));
  if constexpr (activation == Activation::leaky_relu) return unary<UnaryOp::leaky_relu, Math>(x, slope, T(0));
  if constexpr (activation == Activation::tanh) return Math::tanh(x);
  if constexpr (activation == Activation::sigmoid) return sigmoid<Math>(x);
}

/// The activation's derivative where its value is y. For leaky_relu the slope is positive, so y has the sign of x.
template <Activation activation, typename T>
COUNTERFOIL_HOST_DEVICE T activation_derivative([[maybe_unused]] T y, [[maybe_unused]] T slope) {
  if constexpr (activation == Activation::identity) return T(1);
  if constexpr (activation == Activation::relu) return y > 0 ? T(1) : T(0);
  if constexpr (activation == Activation::leaky_relu) return y > 0 ? T(1) : slope;
  if constexpr (activation == Activation::tanh) return T(1) - y * y;
  if constexpr (activation == Activation::sigmoid) return y * (T(1) - y);
}

// Backend::binary -----------------------------------------------------------------------------------------------------

template <BinaryOp op, typename T>
COUNTERFOIL_HOST_DEVICE T binary(T a, T b) {
  if constexpr (op == BinaryOp::add) return a + b;
  if constexpr (op == BinaryOp::subtract) return a - b;
  if constexpr (op == BinaryOp::multiply) return a * b;
  if constexpr (op == BinaryOp::divide) return a / b;
  if constexpr (op == BinaryOp::maximum) return maximum(a, b);
  if constexpr (op == BinaryOp::minimum) return minimum(a, b);
  if constexpr (op == BinaryOp::greater) return a > b ? T(1) : T(0);
  if constexpr (op == BinaryOp::greater_equal) return a >= b ? T(1) : T(0);
  if constexpr (op == BinaryOp::equal) return a == b ? T(1) : T(0);
}

// Losses --------------------------------------------------------------------------------------------------------------

template <LossOp op, typename Math, typename T>
COUNTERFOIL_HOST_DEVICE T loss(T a, T b) {
  if constexpr (op == LossOp::bce_with_logits) {
    return (a < 0 ? T(0) : a) - a * b + Math::log1p(Math::exp(-absolute(a)));
  }
  if constexpr (op == LossOp::l1) return absolute(a - b);
  if constexpr (op == LossOp::l2) return (a - b) * (a - b);
  if constexpr (op == LossOp::hinge) {
    const T slack = T(1) - a * b;
    return slack < 0 ? T(0) : slack;
  }
}

/// d loss(a, b) / d a; 0 at the kinks.
template <LossOp op, typename Math, typename T>
COUNTERFOIL_HOST_DEVICE T loss_derivative(T a, T b) {
  if constexpr (op == LossOp::bce_with_logits) return sigmoid<Math>(a) - b;
  if constexpr (op == LossOp::l1) return sign(a - b);
  if constexpr (op == LossOp::l2) return T(2) * (a - b);
  if constexpr (op == LossOp::hinge) return T(1) - a * b > 0 ? -b : T(0);
}

/// |difference|^beta and its derivative; beta = 1 and 2 without a power, and the derivative 0 where difference is 0.
template <typename Math, typename T>
COUNTERFOIL_HOST_DEVICE T variation(T difference, T beta) {
  if (beta == 1) return absolute(difference);
  if (beta == 2) return difference * difference;
  return Math::pow(absolute(difference), beta);
}
template <typename Math, typename T>
COUNTERFOIL_HOST_DEVICE T variation_derivative(T difference, T beta) {
  if (beta == 1) return sign(difference);
  if (beta == 2) return T(2) * difference;
  return difference == 0 ? T(0) : beta * Math::pow(absolute(difference), beta - T(1)) * sign(difference);
}

// Optimisers ----------------------------------------------------------------------------------------------------------

/// base^exponent by squaring: the same bits on every machine.
inline double integer_power(double base, std::int64_t exponent) {
  double result = 1;
  for (; exponent > 0; exponent /= 2, base *= base) {
    if (exponent % 2 == 1) result *= base;
  }
  return result;
}

/// Adam with the bias corrections m / (1 - beta1^step) and v / (1 - beta2^step) (D. Kingma, J. Ba, ICLR 2015), made
/// ready once per step.
template <typename T>
struct Adam {
  T beta1, one_minus_beta1, beta2, one_minus_beta2, step_size, correction, epsilon, weight_decay;

  explicit Adam(const AdamStep& s)
      : beta1(static_cast<T>(s.beta1)),
        one_minus_beta1(static_cast<T>(1 - s.beta1)),
        beta2(static_cast<T>(s.beta2)),
        one_minus_beta2(static_cast<T>(1 - s.beta2)),
        step_size(static_cast<T>(s.learning_rate / (1 - integer_power(s.beta1, s.step)))),
        correction(static_cast<T>(1 / std::sqrt(1 - integer_power(s.beta2, s.step)))),
        epsilon(static_cast<T>(s.epsilon)),
        weight_decay(static_cast<T>(s.weight_decay)) {}

  template <typename Math>
  COUNTERFOIL_HOST_DEVICE void update(T& parameter, T gradient, T& m, T& v) const {
    const T g = gradient + weight_decay * parameter;
    m = beta1 * m + one_minus_beta1 * g;
    v = beta2 * v + one_minus_beta2 * (g * g);
    parameter = parameter - step_size * m / (Math::sqrt(v) * correction + epsilon);
  }
};

template <typename T>
struct Sgd {
  T learning_rate, momentum, weight_decay;
  bool nesterov;

  explicit Sgd(const SgdStep& s)
      : learning_rate(static_cast<T>(s.learning_rate)),
        momentum(static_cast<T>(s.momentum)),
        weight_decay(static_cast<T>(s.weight_decay)),
        nesterov(s.nesterov) {}

  COUNTERFOIL_HOST_DEVICE void update(T& parameter, T gradient) const {
    parameter = parameter - learning_rate * (gradient + weight_decay * parameter);
  }
  COUNTERFOIL_HOST_DEVICE void update(T& parameter, T gradient, T& velocity) const {
    const T g = gradient + weight_decay * parameter;
    velocity = momentum * velocity + g;
    parameter = parameter - learning_rate * (nesterov ? g + momentum * velocity : velocity);
  }
};

template <typename T>
struct RmsProp {
  T learning_rate, alpha, one_minus_alpha, epsilon, weight_decay;

  explicit RmsProp(const RmsPropStep& s)
      : learning_rate(static_cast<T>(s.learning_rate)),
        alpha(static_cast<T>(s.alpha)),
        one_minus_alpha(static_cast<T>(1 - s.alpha)),
        epsilon(static_cast<T>(s.epsilon)),
        weight_decay(static_cast<T>(s.weight_decay)) {}

  template <typename Math>
  COUNTERFOIL_HOST_DEVICE void update(T& parameter, T gradient, T& square_average) const {
    const T g = gradient + weight_decay * parameter;
    square_average = alpha * square_average + one_minus_alpha * (g * g);
    parameter = parameter - learning_rate * g / (Math::sqrt(square_average) + epsilon);
  }
};

// Where images are sampled --------------------------------------------------------------------------------------------

// Positions are of a type Int that holds 3 in out.

/// Source of output position i when `in` pixels become `out`.
template <typename Int = std::int64_t>
COUNTERFOIL_HOST_DEVICE Int nearest_source(std::type_identity_t<Int> i, std::type_identity_t<Int> in,
                                           std::type_identity_t<Int> out) {
  return i * in / out;
}

/// A point between two neighbouring pixels: value = (1 - weight) * x[low] + weight * x[high].
template <typename T, typename Int = std::int64_t>
struct Between {
  Int low, high;
  T weight;
};

/// Source of output position i under half-pixel centres: (i + 1/2) in / out - 1/2 clamped to [0, in - 1], as a fraction
/// of integers, so that only the weight is rounded.
template <typename T, typename Int = std::int64_t>
COUNTERFOIL_HOST_DEVICE Between<T, Int> bilinear_source(std::type_identity_t<Int> i, std::type_identity_t<Int> in,
                                                        std::type_identity_t<Int> out) {
  const Int denominator = 2 * out;
  Int numerator = (2 * i + 1) * in - out;
  const Int last = (in - 1) * denominator;
  numerator = numerator < 0 ? 0 : numerator > last ? last : numerator;
  const Int low = numerator / denominator;
  const Int high = low + 1 < in ? low + 1 : in - 1;
  return {low, high, static_cast<T>(numerator - low * denominator) / static_cast<T>(denominator)};
}

/// Centre of pixel i of `extent`, where the outer edges are -1 and 1; and the way back, as a pixel coordinate (0 is
/// the centre of the first pixel).
template <typename T>
COUNTERFOIL_HOST_DEVICE T centre_of_pixel(std::int64_t i, std::int64_t extent) {
  return static_cast<T>(2 * i + 1 - extent) / static_cast<T>(extent);
}
template <typename T>
COUNTERFOIL_HOST_DEVICE T pixel_of_centre(T coordinate, std::int64_t extent) {
  return ((coordinate + T(1)) * static_cast<T>(extent) - T(1)) * T(0.5);
}

// Number formats ------------------------------------------------------------------------------------------------------

/// bf16 is the upper half of a float. Rounded to nearest even; NaN stays NaN.
COUNTERFOIL_HOST_DEVICE inline std::uint16_t to_bf16(float value) {
  const std::uint32_t bits = exact::bits_of(value);
  if (value != value) return static_cast<std::uint16_t>(bits >> 16 | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}
COUNTERFOIL_HOST_DEVICE inline float from_bf16(std::uint16_t value) {
  return exact::float_from_bits(static_cast<std::uint32_t>(value) << 16);
}

/// Rounded to nearest even and saturated; NaN gives 0.
template <typename Integer>
COUNTERFOIL_HOST_DEVICE Integer to_integer(double value) {
  constexpr int digits = static_cast<int>(sizeof(Integer)) * 8 - (std::is_signed_v<Integer> ? 1 : 0);
  constexpr double end = 2.0 * static_cast<double>(std::uint64_t{1} << (digits - 1));  // largest value + 1
  constexpr Integer largest = static_cast<Integer>(~std::uint64_t{0} >> (64 - digits));
  constexpr Integer smallest = std::is_signed_v<Integer> ? static_cast<Integer>(-largest - 1) : Integer{0};
  const double rounded = ::rint(value);
  if (rounded >= end) return largest;
  if (rounded <= static_cast<double>(smallest)) return smallest;
  return rounded != rounded ? Integer{0} : static_cast<Integer>(rounded);
}

// From a value to a template argument, once per array or per step of a chain
// -----------------------------------------------------------------

template <auto value>
using Constant = std::integral_constant<decltype(value), value>;

/// f(Constant<op>()) for the given op.
COUNTERFOIL_EITHER_SIDE
template <typename F>
COUNTERFOIL_HOST_DEVICE void with_unary(UnaryOp op, F&& f) {
  switch (op) {
    case UnaryOp::affine:
      return f(Constant<UnaryOp::affine>());
    case UnaryOp::abs:
      return f(Constant<UnaryOp::abs>());
    case UnaryOp::sign:
      return f(Constant<UnaryOp::sign>());
    case UnaryOp::exp:
      return f(Constant<UnaryOp::exp>());
    case UnaryOp::log:
      return f(Constant<UnaryOp::log>());
    case UnaryOp::sqrt:
      return f(Constant<UnaryOp::sqrt>());
    case UnaryOp::reciprocal:
      return f(Constant<UnaryOp::reciprocal>());
    case UnaryOp::pow:
      return f(Constant<UnaryOp::pow>());
    case UnaryOp::sin:
      return f(Constant<UnaryOp::sin>());
    case UnaryOp::cos:
      return f(Constant<UnaryOp::cos>());
    case UnaryOp::tanh:
      return f(Constant<UnaryOp::tanh>());
    case UnaryOp::sigmoid:
      return f(Constant<UnaryOp::sigmoid>());
    case UnaryOp::softplus:
      return f(Constant<UnaryOp::softplus>());
    case UnaryOp::relu:
      return f(Constant<UnaryOp::relu>());
    case UnaryOp::leaky_relu:
      return f(Constant<UnaryOp::leaky_relu>());
    case UnaryOp::elu:
      return f(Constant<UnaryOp::elu>());
    case UnaryOp::clip:
      return f(Constant<UnaryOp::clip>());
    case UnaryOp::greater_than:
      return f(Constant<UnaryOp::greater_than>());
    case UnaryOp::inside:
      return f(Constant<UnaryOp::inside>());
  }
}

COUNTERFOIL_EITHER_SIDE
template <typename F>
COUNTERFOIL_HOST_DEVICE void with_binary(BinaryOp op, F&& f) {
  switch (op) {
    case BinaryOp::add:
      return f(Constant<BinaryOp::add>());
    case BinaryOp::subtract:
      return f(Constant<BinaryOp::subtract>());
    case BinaryOp::multiply:
      return f(Constant<BinaryOp::multiply>());
    case BinaryOp::divide:
      return f(Constant<BinaryOp::divide>());
    case BinaryOp::maximum:
      return f(Constant<BinaryOp::maximum>());
    case BinaryOp::minimum:
      return f(Constant<BinaryOp::minimum>());
    case BinaryOp::greater:
      return f(Constant<BinaryOp::greater>());
    case BinaryOp::greater_equal:
      return f(Constant<BinaryOp::greater_equal>());
    case BinaryOp::equal:
      return f(Constant<BinaryOp::equal>());
  }
}

template <typename F>
void with_activation(Activation activation, F&& f) {
  switch (activation) {
    case Activation::identity:
      return f(Constant<Activation::identity>());
    case Activation::relu:
      return f(Constant<Activation::relu>());
    case Activation::leaky_relu:
      return f(Constant<Activation::leaky_relu>());
    case Activation::tanh:
      return f(Constant<Activation::tanh>());
    case Activation::sigmoid:
      return f(Constant<Activation::sigmoid>());
  }
}

template <typename F>
void with_loss(LossOp op, F&& f) {
  switch (op) {
    case LossOp::bce_with_logits:
      return f(Constant<LossOp::bce_with_logits>());
    case LossOp::l1:
      return f(Constant<LossOp::l1>());
    case LossOp::l2:
      return f(Constant<LossOp::l2>());
    case LossOp::hinge:
      return f(Constant<LossOp::hinge>());
  }
}

}  // namespace counterfoil::pointwise
