#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "kernels/geometry.h"
#include "kernels/view.h"

namespace counterfoil {

// Conventions that hold for every primitive below.
//
// * Arrays are contiguous. Images are NHWC, convolution weights KRSC: [output channel, kernel row, kernel column,
//   input channel / groups]. "float" means f32, and f64 too on the reference backend; all float arguments of one call
//   have the same dtype. Index arrays are i32. Masks are floats, 0 or 1.
// * Outputs come first, are written whole, and may hold anything before. An output may be the very same array as an
//   input only where the comment says "in place". Partial overlap is never allowed.
// * Preconditions are checked (kernels/checks.h) in release builds too; a violation throws Error with the primitive's
//   name and the shapes. Empty arrays are legal wherever the result is defined.
// * Results are bitwise repeatable on one device and never depend on the number of threads. Sums run in a fixed order.
// * Nothing synchronises with the host unless the comment says so.
// * Every family is closed under differentiation: the derivative of a primitive is made of primitives of this list.

enum class UnaryOp : std::uint8_t {
  affine,        ///< p0 * x + p1
  abs,           ///< |x|
  sign,          ///< -1, 0, 1
  exp,           ///<
  log,           ///<
  sqrt,          ///<
  reciprocal,    ///< 1 / x
  pow,           ///< x ^ p0
  sin,           ///<
  cos,           ///<
  tanh,          ///<
  sigmoid,       ///< 1 / (1 + exp(-x)), without overflow
  softplus,      ///< log(1 + exp(x)), without overflow
  relu,          ///< max(x, 0)
  leaky_relu,    ///< x > 0 ? x : p0 * x
  elu,           ///< x > 0 ? x : p0 * (exp(x) - 1)
  clip,          ///< min(max(x, p0), p1)
  greater_than,  ///< x > p0 ? 1 : 0
  inside,        ///< p0 <= x <= p1 ? 1 : 0
};

enum class BinaryOp : std::uint8_t {
  add,
  subtract,
  multiply,
  divide,
  maximum,
  minimum,
  greater,        ///< a > b ? 1 : 0
  greater_equal,  ///< a >= b ? 1 : 0
  equal,          ///< a == b ? 1 : 0
};

enum class ReduceOp : std::uint8_t { sum, sum_abs, sum_squares, max, min };

/// Elementwise losses l(a, b), reduced on the fly.
enum class LossOp : std::uint8_t {
  bce_with_logits,  ///< max(a, 0) - a * b + log(1 + exp(-|a|)): logits a, targets b in [0, 1]
  l1,               ///< |a - b|
  l2,               ///< (a - b)^2
  hinge,            ///< max(0, 1 - a * b): b is +1 or -1
};

enum class ResizeMode : std::uint8_t {
  nearest,   ///< source index floor(i * in / out)
  bilinear,  ///< source coordinate (i + 1/2) * in / out - 1/2, clamped to the image (half-pixel centres)
};

enum class Border : std::uint8_t { zero, replicate };

/// A stream of counter-based random numbers (Philox 4x32-10). Word i of the stream is a function of (seed, stream, i)
/// alone: of block i / 4 the lane i % 4, where the key is the seed's two halves and the counter is (block's two halves,
/// stream's two halves), low half first.
struct RandomKey {
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;
};

struct AdamStep {
  double learning_rate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8,
         weight_decay = 0;  // decay added to the gradient
  std::int64_t step = 1;    ///< counts from 1: the bias correction uses 1 - beta^step
};
struct SgdStep {
  double learning_rate = 1e-2, momentum = 0, weight_decay = 0;
  bool nesterov = false;
};
struct RmsPropStep {
  double learning_rate = 1e-2, alpha = 0.99, epsilon = 1e-8, weight_decay = 0;  // eps outside the square root
};

inline constexpr std::size_t kMaxChainInputs = 4, kMaxChainSteps = 16;

/// What a step of pointwise_chain makes of the accumulator a.
struct ChainStep {
  enum class Form : std::uint8_t { unary, accumulator_first, input_first };

  Form form = Form::unary;
  UnaryOp unary = UnaryOp::affine;
  BinaryOp binary = BinaryOp::add;
  int input = 0;
  double p0 = 0, p1 = 0;

  ChainStep(UnaryOp op, double p0_ = 0, double p1_ = 0) : unary(op), p0(p0_), p1(p1_) {}  ///< a = op(a)
  ChainStep(BinaryOp op, int k) : form(Form::accumulator_first), binary(op), input(k) {}  ///< a = op(a, input k)
  ChainStep(int k, BinaryOp op) : form(Form::input_first), binary(op), input(k) {}        ///< a = op(input k, a)
};

class Backend {
 public:
  virtual ~Backend() = default;

  // Fill, move, cut and join ------------------------------------------------------------------------------------------

  /// out[i] = value, converted to out's dtype (any).
  virtual void fill(View out, double value) = 0;
  /// out[i] = scale * x[i], converted between any two dtypes; to an integer: rounded to nearest even and saturated.
  /// With scale 1 and equal dtypes an exact copy.
  virtual void convert(View out, ConstView x, double scale) = 0;
  /// out's axis i is x's axis order[i]. Any dtype.
  virtual void permute(View out, ConstView x, std::span<const int> order) = 0;
  /// Repeats x along every axis where its extent is 1 and out's is not; equal ranks. Adjoint: reduce(sum).
  virtual void broadcast(View out, ConstView x) = 0;
  /// out = x[begin : begin + out.shape], per axis. Any dtype. Adjoint: pad.
  virtual void slice(View out, ConstView x, std::span<const std::int64_t> begin) = 0;
  /// out = 0 but out[begin : begin + x.shape] = x. Any dtype. Adjoint: slice.
  virtual void pad(View out, ConstView x, std::span<const std::int64_t> begin) = 0;
  /// Joins parts along an axis; the other extents are equal. Any dtype. Adjoint: slice.
  virtual void concat(View out, std::span<const ConstView> parts, int axis) = 0;
  /// out [M, ...] = table [V, ...] at the rows index [M]; throws Error on an index outside [0, V) where the device can
  /// tell without synchronising, else such a row is zero. Adjoint: scatter_add_rows.
  virtual void gather_rows(View out, ConstView table, ConstView index) = 0;
  /// out [V, ...] = 0, then out[index[m]] += x[m] in ascending m. Adjoint: gather_rows.
  virtual void scatter_add_rows(View out, ConstView x, ConstView index) = 0;
  /// out [M, C] = 1 at (m, index[m]), else 0; a row whose index is outside [0, C) is zero.
  virtual void one_hot(View out, ConstView index) = 0;

  // Pointwise ---------------------------------------------------------------------------------------------------------

  /// out = op(x). In place allowed.
  virtual void unary(UnaryOp op, View out, ConstView x, double p0, double p1) = 0;
  /// d_x = d_y * op'(x). In place on d_y allowed. At a kink the derivative is 0 for relu, abs, sign and the steps, p0
  /// for leaky_relu, and 1 at the ends of clip. Linear in d_y: with piecewise-linear op it is its own derivative there.
  virtual void unary_backward(UnaryOp op, View d_x, ConstView x, ConstView d_y, double p0, double p1) = 0;
  /// d_x = d_y * a'(a^-1(y)): the derivative of an epilogue's activation from its output. In place on d_y allowed.
  virtual void activation_backward(Activation activation, View d_x, ConstView y, ConstView d_y, double slope) = 0;
  /// out = op(a, b) with broadcasting: ranks are equal, extents equal or 1. In place allowed on an argument of out's
  /// shape.
  virtual void binary(BinaryOp op, View out, ConstView a, ConstView b) = 0;
  /// out = condition != 0 ? a : b, all of one shape. In place allowed.
  virtual void select(View out, ConstView condition, ConstView a, ConstView b) = 0;
  /// out = alpha * x + beta * y, all of one shape. In place allowed.
  virtual void axpby(View out, double alpha, ConstView x, double beta, ConstView y) = 0;
  /// Several of unary and binary in one pass over memory: the accumulator begins as input 0, goes through 1 to 16
  /// steps, each rounded to the dtype, and is out. 1 to 4 inputs, all of out's shape. The bits are those of the same
  /// calls made one after another. In place allowed on any input.
  virtual void pointwise_chain(View out, std::span<const ConstView> inputs, std::span<const ChainStep> steps) = 0;

  // Reductions --------------------------------------------------------------------------------------------------------

  /// Reduces every axis on which out's extent is 1 and x's is not; equal ranks. Over nothing: sums are 0, max and min
  /// throw.
  virtual void reduce(ReduceOp op, View out, ConstView x) = 0;
  /// index [rows] = position of the largest element of each row of x [rows, columns]; the first of equals; columns
  /// >= 1.
  virtual void argmax(View index, ConstView x) = 0;
  /// Over the rows of x [rows, columns]: softmax, or its logarithm. In place allowed.
  virtual void softmax(View out, ConstView x, bool log) = 0;
  /// d_x from y = softmax(x) (or its logarithm) and d_y. In place on d_y allowed.
  virtual void softmax_backward(View d_x, ConstView y, ConstView d_y, bool log) = 0;
  /// flag [1] (float) = 1 if every element of x is finite, else 0.
  virtual void all_finite(View flag, ConstView x) = 0;
  /// out [rows] = the element of rank k (from 0, ascending) of each row of x [rows, columns]; exact.
  virtual void order_statistic(View out, ConstView x, std::int64_t k) = 0;

  // Losses, fused with their reduction --------------------------------------------------------------------------------

  /// out = scale * sum of op(a, b) over the axes on which out's extent is 1 and a's is not; a and b have one shape.
  virtual void loss(LossOp op, View out, ConstView a, ConstView b, double scale) = 0;
  /// d_a = d_out (broadcast) * scale * d op / d a.
  virtual void loss_backward(LossOp op, View d_a, ConstView a, ConstView b, ConstView d_out, double scale) = 0;
  /// out [rows] = -log softmax(logits [rows, classes])[labels[row]]. Throws Error on a label outside [0, classes) where
  /// the device can tell without synchronising, else the row's loss is NaN.
  virtual void cross_entropy(View out, ConstView logits, ConstView labels) = 0;
  /// d_logits = d_out [rows] * (softmax(logits) - one_hot(labels)).
  virtual void cross_entropy_backward(View d_logits, ConstView logits, ConstView labels, ConstView d_out) = 0;
  /// out [N] = sum over the image of |x[h+1] - x[h]|^beta + |x[w+1] - x[w]|^beta for x [N,H,W,C]; beta >= 1.
  virtual void total_variation(View out, ConstView x, double beta) = 0;
  /// d_x [N,H,W,C] from d_out [N].
  virtual void total_variation_backward(View d_x, ConstView x, ConstView d_out, double beta) = 0;

  // Matrix product and convolution ------------------------------------------------------------------------------------

  /// y = activation(op(a) op(b) + bias), op transposing the last two axes if asked. a [M,K] and b [K,N] after op, or
  /// both with one leading batch axis. bias [N] may have null data. K = 0 gives the bias alone.
  virtual void matmul(View y, ConstView a, ConstView b, bool transpose_a, bool transpose_b, ConstView bias,
                      Activation activation, double slope, Compute compute) = 0;
  /// y [N,P,Q,K] = activation(x [N,H,W,C] * weight [K,R,S,C/groups] + bias [K]), cross-correlation. bias may have null
  /// data.
  virtual void conv2d(View y, ConstView x, ConstView weight, ConstView bias, const Conv2dGeometry& geometry,
                      Activation activation, double slope) = 0;
  /// d_x [N,H,W,C] from d_y [N,P,Q,K]: also the transposed convolution, whose output extent is that of d_x; every
  /// extent for which the forward convolution gives [P,Q] is legal.
  virtual void conv2d_input_grad(View d_x, ConstView d_y, ConstView weight, const Conv2dGeometry& geometry) = 0;
  /// d_weight [K,R,S,C/groups] from x and d_y, summed over the batch in a fixed order.
  virtual void conv2d_weight_grad(View d_weight, ConstView x, ConstView d_y, const Conv2dGeometry& geometry) = 0;

  // Pooling and resizing ----------------------------------------------------------------------------------------------

  /// y [N,P,Q,C] and the winners' positions h * W + w in index [N,P,Q,C]; the first of equals in row order; NaN wins.
  virtual void max_pool(View y, View index, ConstView x, const PoolGeometry& geometry) = 0;
  /// d_x [N,H,W,C] = 0, then d_x[index] += d_y in ascending output position. Adjoint: pool_gather.
  virtual void pool_scatter(View d_x, ConstView d_y, ConstView index) = 0;
  /// y [N,P,Q,C] = x [N,H,W,C] at index.
  virtual void pool_gather(View y, ConstView x, ConstView index) = 0;
  virtual void avg_pool(View y, ConstView x, const PoolGeometry& geometry) = 0;
  virtual void avg_pool_backward(View d_x, ConstView d_y, const PoolGeometry& geometry) = 0;
  /// y [N,P,Q,C] from x [N,H,W,C], any extents >= 1.
  virtual void resize(View y, ConstView x, ResizeMode mode) = 0;
  virtual void resize_backward(View d_x, ConstView d_y, ResizeMode mode) = 0;
  /// y [N,2H,2W,A+B] = nearest-neighbour doubling of low [N,H,W,A], joined with skip [N,2H,2W,B]: the U-Net's way up.
  virtual void upsample_concat(View y, ConstView low, ConstView skip) = 0;
  virtual void upsample_concat_backward(View d_low, View d_skip, ConstView d_y) = 0;

  // Normalisation -----------------------------------------------------------------------------------------------------
  // Statistics have shape [S,C]: S = 1 over the batch and space (batch norm), S = N over space alone (instance norm).
  // gamma and beta have shape [G,C]: G = 1, or G = N where each image has its own (conditional norms).

  /// mean and biased variance of x [N,H,W,C].
  virtual void norm_statistics(View mean, View variance, ConstView x) = 0;
  /// y = activation(gamma * (x - mean) / sqrt(variance + epsilon) + beta). In place allowed.
  virtual void norm_apply(View y, ConstView x, ConstView mean, ConstView variance, ConstView gamma, ConstView beta,
                          double epsilon, Activation activation, double slope) = 0;
  /// From d_y and the output y of norm_apply: d_x, d_gamma [G,C], d_beta [G,C]. With differentiate_statistics the
  /// statistics are x's own and d_x carries their derivative; without, they are constants (eval mode).
  virtual void norm_backward(View d_x, View d_gamma, View d_beta, ConstView d_y, ConstView x, ConstView y,
                             ConstView mean, ConstView variance, ConstView gamma, double epsilon, Activation activation,
                             double slope, bool differentiate_statistics) = 0;
  /// Spectral norm: `iterations` rounds of v = normalise(W^T u), u = normalise(W v) for weight [rows, columns],
  /// updating u [rows] and v [columns]; normalise divides by max(norm, epsilon).
  virtual void power_iteration(View u, View v, ConstView weight, int iterations, double epsilon) = 0;

  // Random numbers ----------------------------------------------------------------------------------------------------
  // Element i is made of word first + i of the stream (normal: one word too, through the inverse of the distribution).

  /// low + (high - low) * u, u in [0, 1) of 24 bits.
  virtual void random_uniform(View out, RandomKey key, std::uint64_t first, double low, double high) = 0;
  virtual void random_normal(View out, RandomKey key, std::uint64_t first, double mean, double deviation) = 0;
  /// out = x * keep / (1 - probability), where keep is u >= probability with one word per element, or, with
  /// per_channel, one per (n, c) of x [N,H,W,C]. 0 <= probability < 1. Linear and its own adjoint, so no mask is
  /// stored. In place allowed.
  virtual void dropout(View out, ConstView x, RandomKey key, std::uint64_t first, double probability,
                       bool per_channel) = 0;

  // Optimisers: one call updates every parameter of a network --------------------------------------------------------

  virtual void adam(std::span<const View> parameters, std::span<const ConstView> gradients,
                    std::span<const View> first_moments, std::span<const View> second_moments,
                    const AdamStep& step) = 0;
  /// velocities may be empty when momentum is 0; v = momentum * v + g, then p -= lr * v (nesterov: g + momentum * v).
  virtual void sgd(std::span<const View> parameters, std::span<const ConstView> gradients,
                   std::span<const View> velocities, const SgdStep& step) = 0;
  virtual void rmsprop(std::span<const View> parameters, std::span<const ConstView> gradients,
                       std::span<const View> square_averages, const RmsPropStep& step) = 0;

  // Images ------------------------------------------------------------------------------------------------------------

  /// y = x [N,H,W,C] filtered by rows_taps (along H) and columns_taps (along W), each of odd length, cross-correlation.
  virtual void separable_filter(View y, ConstView x, ConstView row_taps, ConstView column_taps, Border border) = 0;
  virtual void separable_filter_backward(View d_x, ConstView d_y, ConstView row_taps, ConstView column_taps,
                                         Border border) = 0;
  /// y [N,P,Q,C] samples x [N,H,W,C] bilinearly, zero outside, at theta [N,2,3] applied to (column, row, 1) of y's
  /// pixel centres; both images' coordinates run from -1 to 1 between their outer edges (half-pixel centres).
  virtual void affine_warp(View y, ConstView x, ConstView theta) = 0;
  virtual void affine_warp_backward(View d_x, ConstView d_y, ConstView theta) = 0;
  /// out [M,N] = squared Euclidean distances between the rows of a [M,D] and b [N,D], from differences, not from
  /// products.
  virtual void pairwise_distance(View out, ConstView a, ConstView b) = 0;
  /// distance [M] and index [M] of the row of base [N,D] nearest to each row of queries [M,D] (squared Euclidean; the
  /// first of equals), without forming the M x N table. N >= 1.
  virtual void nearest_row(View distance, View index, ConstView queries, ConstView base) = 0;
  /// labels [N,H,W] (i32) of the connected regions where mask [N,H,W] != 0: 1, 2, ... in order of first pixel in row
  /// order, 0 elsewhere; neighbours = 4 or 8.
  virtual void connected_components(View labels, ConstView mask, int neighbours) = 0;
};

}  // namespace counterfoil
