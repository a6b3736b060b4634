#pragma once

#include <cstdint>
#include <span>

#include "kernels/backend.h"

namespace counterfoil {

/// What a call of a primitive must do at least, whichever device does it: the bytes of its arguments and results, each
/// once (rows that a gather does not touch are not read; scratch memory is not counted), and its floating-point
/// operations. A multiply-add counts as two; a comparison, a division, a root and a call of exp, log, sin, cos, tanh or
/// pow count as one; operations on integers and indices count as none, and padding as if it were there.
struct Work {
  double bytes = 0, flops = 0;
};

/// One function per primitive of kernels/backend.h, with the arguments that matter.
namespace work {

Work fill(const ConstView& out);
Work convert(const ConstView& out, const ConstView& x, double scale);
Work permute(const ConstView& out);
Work broadcast(const ConstView& out, const ConstView& x);
Work slice(const ConstView& out);
Work pad(const ConstView& out, const ConstView& x);
Work concat(const ConstView& out);
Work gather_rows(const ConstView& out, const ConstView& index);
Work scatter_add_rows(const ConstView& out, const ConstView& x, const ConstView& index);
Work one_hot(const ConstView& out, const ConstView& index);

Work unary(UnaryOp op, const ConstView& x);
Work unary_backward(UnaryOp op, const ConstView& x);
Work activation_backward(Activation activation, const ConstView& y);
Work binary(const ConstView& out, const ConstView& a, const ConstView& b);
Work select(const ConstView& out);
Work axpby(const ConstView& out);
Work pointwise_chain(const ConstView& out, std::span<const ConstView> inputs, std::span<const ChainStep> steps);

Work reduce(ReduceOp op, const ConstView& out, const ConstView& x);
Work argmax(const ConstView& index, const ConstView& x);
Work softmax(const ConstView& x);
Work softmax_backward(const ConstView& y);
Work all_finite(const ConstView& x);
Work order_statistic(const ConstView& out, const ConstView& x);

Work loss(LossOp op, const ConstView& out, const ConstView& a);
Work loss_backward(LossOp op, const ConstView& a, const ConstView& d_out);
Work cross_entropy(const ConstView& logits, const ConstView& labels);
Work cross_entropy_backward(const ConstView& logits, const ConstView& labels);
Work total_variation(const ConstView& x);
Work total_variation_backward(const ConstView& x);

Work matmul(const ConstView& y, const ConstView& a, const ConstView& b, bool transpose_a, const ConstView& bias,
            Activation activation);
Work conv2d(const ConstView& y, const ConstView& x, const ConstView& weight, const ConstView& bias,
            Activation activation);
/// The input gradient and the weight gradient alike: x or d_x, y or d_y, weight or d_weight.
Work conv2d_gradient(const ConstView& x, const ConstView& y, const ConstView& weight);

Work max_pool(const ConstView& y, const ConstView& x, const PoolGeometry& geometry);
Work pool_scatter(const ConstView& d_x, const ConstView& d_y);
Work pool_gather(const ConstView& y);
/// Forward and backward alike: x or d_x, y or d_y.
Work avg_pool(const ConstView& y, const ConstView& x, const PoolGeometry& geometry);
Work resize(const ConstView& y, const ConstView& x, ResizeMode mode);
Work resize_backward(const ConstView& d_x, const ConstView& d_y, ResizeMode mode);
Work upsample_concat(const ConstView& y, const ConstView& low, const ConstView& skip);
Work upsample_concat_backward(const ConstView& d_low, const ConstView& d_skip, const ConstView& d_y);

Work norm_statistics(const ConstView& mean, const ConstView& x);
Work norm_apply(const ConstView& x, const ConstView& mean, const ConstView& gamma, Activation activation);
Work norm_backward(const ConstView& x, const ConstView& mean, const ConstView& gamma, Activation activation,
                   bool differentiate_statistics);
Work power_iteration(const ConstView& u, const ConstView& v, const ConstView& weight, int iterations);

Work random_uniform(const ConstView& out);
Work random_normal(const ConstView& out);
Work dropout(const ConstView& x);

Work adam(std::span<const View> parameters);
Work sgd(std::span<const View> parameters, const SgdStep& step);
Work rmsprop(std::span<const View> parameters);

/// Forward and backward alike.
Work separable_filter(const ConstView& x, const ConstView& row_taps, const ConstView& column_taps);
/// Forward and backward alike: x or d_x, y or d_y.
Work affine_warp(const ConstView& y, const ConstView& x, const ConstView& theta);
Work pairwise_distance(const ConstView& out, const ConstView& a, const ConstView& b);
Work nearest_row(const ConstView& distance, const ConstView& index, const ConstView& queries, const ConstView& base);
Work connected_components(const ConstView& labels, const ConstView& mask);

}  // namespace work
}  // namespace counterfoil
