#pragma once

#include <span>

#include "kernels/backend.h"

/// The preconditions of every primitive, once for all backends: each backend's function starts with the check of its
/// name and arguments. A violation throws Error with the primitive's name and the shapes. "Float" means f32, or f64 on
/// the reference.
namespace counterfoil::check {

void fill(const View& out);
void convert(const View& out, const ConstView& x);
void permute(const View& out, const ConstView& x, std::span<const int> order);
void broadcast(const View& out, const ConstView& x);
void slice(const View& out, const ConstView& x, std::span<const std::int64_t> begin);
void pad(const View& out, const ConstView& x, std::span<const std::int64_t> begin);
void concat(const View& out, std::span<const ConstView> parts, int axis);
void gather_rows(const View& out, const ConstView& table, const ConstView& index);
void scatter_add_rows(const View& out, const ConstView& x, const ConstView& index);
void one_hot(const View& out, const ConstView& index);

void unary(UnaryOp op, const View& out, const ConstView& x);
void unary_backward(UnaryOp op, const View& d_x, const ConstView& x, const ConstView& d_y);
void activation_backward(const View& d_x, const ConstView& y, const ConstView& d_y);
void binary(BinaryOp op, const View& out, const ConstView& a, const ConstView& b);
void select(const View& out, const ConstView& condition, const ConstView& a, const ConstView& b);
void axpby(const View& out, const ConstView& x, const ConstView& y);
void pointwise_chain(const View& out, std::span<const ConstView> inputs, std::span<const ChainStep> steps);

void reduce(ReduceOp op, const View& out, const ConstView& x);
void argmax(const View& index, const ConstView& x);
void softmax(const View& out, const ConstView& x);
void softmax_backward(const View& d_x, const ConstView& y, const ConstView& d_y);
void all_finite(const View& flag, const ConstView& x);
void order_statistic(const View& out, const ConstView& x, std::int64_t k);

void loss(LossOp op, const View& out, const ConstView& a, const ConstView& b);
void loss_backward(LossOp op, const View& d_a, const ConstView& a, const ConstView& b, const ConstView& d_out);
void cross_entropy(const View& out, const ConstView& logits, const ConstView& labels);
void cross_entropy_backward(const View& d_logits, const ConstView& logits, const ConstView& labels,
                            const ConstView& d_out);
void total_variation(const View& out, const ConstView& x, double beta);
void total_variation_backward(const View& d_x, const ConstView& x, const ConstView& d_out, double beta);

void matmul(const View& y, const ConstView& a, const ConstView& b, bool transpose_a, bool transpose_b,
            const ConstView& bias);
void conv2d(const View& y, const ConstView& x, const ConstView& weight, const ConstView& bias,
            const Conv2dGeometry& geometry);
void conv2d_input_grad(const View& d_x, const ConstView& d_y, const ConstView& weight, const Conv2dGeometry& geometry);
void conv2d_weight_grad(const View& d_weight, const ConstView& x, const ConstView& d_y, const Conv2dGeometry& geometry);

void max_pool(const View& y, const View& index, const ConstView& x, const PoolGeometry& geometry);
void pool_scatter(const View& d_x, const ConstView& d_y, const ConstView& index);
void pool_gather(const View& y, const ConstView& x, const ConstView& index);
void avg_pool(const View& y, const ConstView& x, const PoolGeometry& geometry);
void avg_pool_backward(const View& d_x, const ConstView& d_y, const PoolGeometry& geometry);
void resize(const View& y, const ConstView& x);
void resize_backward(const View& d_x, const ConstView& d_y);
void upsample_concat(const View& y, const ConstView& low, const ConstView& skip);
void upsample_concat_backward(const View& d_low, const View& d_skip, const ConstView& d_y);

void norm_statistics(const View& mean, const View& variance, const ConstView& x);
void norm_apply(const View& y, const ConstView& x, const ConstView& mean, const ConstView& variance,
                const ConstView& gamma, const ConstView& beta);
void norm_backward(const View& d_x, const View& d_gamma, const View& d_beta, const ConstView& d_y, const ConstView& x,
                   const ConstView& y, const ConstView& mean, const ConstView& variance, const ConstView& gamma);
void power_iteration(const View& u, const View& v, const ConstView& weight, int iterations);

void random(const char* name, const View& out);
void dropout(const View& out, const ConstView& x, double probability, bool per_channel);

/// `moments` is empty or has one list per kind of moment, each as long as parameters.
void optimiser(const char* name, std::span<const View> parameters, std::span<const ConstView> gradients,
               std::initializer_list<std::span<const View>> moments);

void separable_filter(const char* name, const View& y, const ConstView& x, const ConstView& row_taps,
                      const ConstView& column_taps);
void affine_warp(const char* name, const View& y, const ConstView& x, const ConstView& theta);
void pairwise_distance(const View& out, const ConstView& a, const ConstView& b);
void nearest_row(const View& distance, const View& index, const ConstView& queries, const ConstView& base);
void connected_components(const View& labels, const ConstView& mask, int neighbours);

}  // namespace counterfoil::check
