#pragma once

#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

#include "kernels/backend.h"
#include "tensor/tensor.h"

// One function per primitive of kernels/backend.h: works out the output's shape, allocates it on the device of the
// first argument, launches, returns it. No gradients here: autograd/ops.h has the same names for Variables. All tensors
// of a call live on one device; Error otherwise. See kernels/backend.h for what each computes.

namespace counterfoil {

using Axes = std::vector<int>;  ///< axes of a shape, negative ones counted from the end; empty means all

// Fill, move, cut and join
void fill(Tensor& out, double value);
Tensor convert(const Tensor& x, DType dtype, double scale = 1);
Tensor permute(const Tensor& x, std::span<const int> order);
Tensor broadcast_to(const Tensor& x, const Shape& shape);  ///< leading axes of extent 1 are added to x as needed
Tensor slice(const Tensor& x, const Shape& shape, std::span<const std::int64_t> begin);
Tensor slice(const Tensor& x, int axis, std::int64_t begin, std::int64_t end);  ///< along one axis
Tensor pad(const Tensor& x, const Shape& shape, std::span<const std::int64_t> begin);
Tensor concat(std::span<const Tensor> parts, int axis);
Tensor gather_rows(const Tensor& table, const Tensor& index);
Tensor scatter_add_rows(const Tensor& x, const Tensor& index, std::int64_t rows);
Tensor one_hot(const Tensor& index, std::int64_t classes, DType dtype = DType::f32);

// Pointwise
Tensor unary(UnaryOp op, const Tensor& x, double p0 = 0, double p1 = 0);
Tensor unary_backward(UnaryOp op, const Tensor& x, const Tensor& d_y, double p0 = 0, double p1 = 0);
Tensor activation_backward(Activation activation, const Tensor& y, const Tensor& d_y, double slope);
Tensor binary(BinaryOp op, const Tensor& a, const Tensor& b);  ///< broadcasting; the shorter shape gets leading ones
Tensor select(const Tensor& condition, const Tensor& a, const Tensor& b);
Tensor axpby(double alpha, const Tensor& x, double beta, const Tensor& y);
/// Several operations in one pass: pointwise_chain({a, b, c}, {{BinaryOp::subtract, 1}, {UnaryOp::abs}, {2,
/// BinaryOp::divide}}) is c / |a - b|.
Tensor pointwise_chain(const std::vector<Tensor>& inputs, const std::vector<ChainStep>& steps);
/// The shape two shapes broadcast to. Throws Error when they do not.
Shape broadcast_shape(const Shape& a, const Shape& b);

// Reductions; reduced axes keep extent 1
Tensor reduce(ReduceOp op, const Tensor& x, const Axes& axes = {});
/// Sums x down to a shape that broadcasts to x's.
Tensor sum_to(const Tensor& x, const Shape& shape);
/// The shape of reduce()'s result.
Shape reduced_shape(const Shape& shape, const Axes& axes);
Tensor argmax(const Tensor& x);  ///< [rows, columns] -> i32 [rows]
Tensor softmax(const Tensor& x, bool log = false);
Tensor softmax_backward(const Tensor& y, const Tensor& d_y, bool log = false);
bool all_finite(const Tensor& x);  ///< waits for the device
Tensor order_statistic(const Tensor& x, std::int64_t k);

// Losses
Tensor loss(LossOp op, const Tensor& a, const Tensor& b, double scale, const Axes& axes = {});
Tensor loss_backward(LossOp op, const Tensor& a, const Tensor& b, const Tensor& d_out, double scale);
Tensor cross_entropy(const Tensor& logits, const Tensor& labels);
Tensor cross_entropy_backward(const Tensor& logits, const Tensor& labels, const Tensor& d_out);
Tensor total_variation(const Tensor& x, double beta);
Tensor total_variation_backward(const Tensor& x, const Tensor& d_out, double beta);

// Matrix product and convolution; an undefined bias means none
Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a = false, bool transpose_b = false,
              const Tensor& bias = {}, Activation activation = Activation::identity, double slope = 0,
              Compute compute = Compute::f32);
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dGeometry& geometry,
              Activation activation = Activation::identity, double slope = 0);
Tensor conv2d_input_grad(const Tensor& d_y, const Tensor& weight, const Shape& x_shape, const Conv2dGeometry& geometry);
Tensor conv2d_weight_grad(const Tensor& x, const Tensor& d_y, const Shape& weight_shape,
                          const Conv2dGeometry& geometry);

// Pooling and resizing
std::pair<Tensor, Tensor> max_pool(const Tensor& x, const PoolGeometry& geometry);  ///< y and i32 index
Tensor pool_scatter(const Tensor& d_y, const Tensor& index, const Shape& x_shape);
Tensor pool_gather(const Tensor& x, const Tensor& index);
Tensor avg_pool(const Tensor& x, const PoolGeometry& geometry);
Tensor avg_pool_backward(const Tensor& d_y, const Shape& x_shape, const PoolGeometry& geometry);
Tensor resize(const Tensor& x, std::int64_t height, std::int64_t width, ResizeMode mode);
Tensor resize_backward(const Tensor& d_y, const Shape& x_shape, ResizeMode mode);
Tensor upsample_concat(const Tensor& low, const Tensor& skip);
std::pair<Tensor, Tensor> upsample_concat_backward(const Tensor& d_y, const Shape& low, const Shape& skip);

// Normalisation
/// mean and variance, [1,C] or, per_image, [N,C].
std::pair<Tensor, Tensor> norm_statistics(const Tensor& x, bool per_image);
Tensor norm_apply(const Tensor& x, const Tensor& mean, const Tensor& variance, const Tensor& gamma, const Tensor& beta,
                  double epsilon, Activation activation = Activation::identity, double slope = 0);
struct NormGradients {
  Tensor d_x, d_gamma, d_beta;
};
NormGradients norm_backward(const Tensor& d_y, const Tensor& x, const Tensor& y, const Tensor& mean,
                            const Tensor& variance, const Tensor& gamma, double epsilon, Activation activation,
                            double slope, bool differentiate_statistics);
void power_iteration(Tensor& u, Tensor& v, const Tensor& weight, int iterations, double epsilon);

// Random numbers
Tensor random_uniform(const Shape& shape, RandomKey key, std::uint64_t first, double low, double high, DType dtype,
                      Device& device);
Tensor random_normal(const Shape& shape, RandomKey key, std::uint64_t first, double mean, double deviation, DType dtype,
                     Device& device);
Tensor dropout(const Tensor& x, RandomKey key, std::uint64_t first, double probability, bool per_channel);

// Images
Tensor separable_filter(const Tensor& x, const Tensor& row_taps, const Tensor& column_taps, Border border);
Tensor separable_filter_backward(const Tensor& d_y, const Tensor& row_taps, const Tensor& column_taps, Border border);
Tensor affine_warp(const Tensor& x, const Tensor& theta, std::int64_t height, std::int64_t width);
Tensor affine_warp_backward(const Tensor& d_y, const Tensor& theta, const Shape& x_shape);
Tensor pairwise_distance(const Tensor& a, const Tensor& b);
std::pair<Tensor, Tensor> nearest_row(const Tensor& queries, const Tensor& base);  ///< distance and i32 index
Tensor connected_components(const Tensor& mask, int neighbours);

}  // namespace counterfoil
