#pragma once

#include "kernels/backend.h"
#include "kernels/call_listener.h"

namespace counterfoil {

/// Every primitive of another backend, with a listener told before and after each.
class ListeningBackend final : public Backend {
 public:
  /// Both must outlive this object.
  ListeningBackend(Backend& inner, CallListener& listener) : inner_(inner), listener_(&listener) {}
  void set_listener(CallListener& listener) { listener_ = &listener; }

  // Fill, move, cut and join
  void fill(View out, double value) override;
  void convert(View out, ConstView x, double scale) override;
  void permute(View out, ConstView x, std::span<const int> order) override;
  void broadcast(View out, ConstView x) override;
  void slice(View out, ConstView x, std::span<const std::int64_t> begin) override;
  void pad(View out, ConstView x, std::span<const std::int64_t> begin) override;
  void concat(View out, std::span<const ConstView> parts, int axis) override;
  void gather_rows(View out, ConstView table, ConstView index) override;
  void scatter_add_rows(View out, ConstView x, ConstView index) override;
  void one_hot(View out, ConstView index) override;

  // Pointwise
  void unary(UnaryOp op, View out, ConstView x, double p0, double p1) override;
  void unary_backward(UnaryOp op, View d_x, ConstView x, ConstView d_y, double p0, double p1) override;
  void activation_backward(Activation activation, View d_x, ConstView y, ConstView d_y, double slope) override;
  void binary(BinaryOp op, View out, ConstView a, ConstView b) override;
  void select(View out, ConstView condition, ConstView a, ConstView b) override;
  void axpby(View out, double alpha, ConstView x, double beta, ConstView y) override;

  // Reductions
  void reduce(ReduceOp op, View out, ConstView x) override;
  void argmax(View index, ConstView x) override;
  void softmax(View out, ConstView x, bool log) override;
  void softmax_backward(View d_x, ConstView y, ConstView d_y, bool log) override;
  void all_finite(View flag, ConstView x) override;
  void order_statistic(View out, ConstView x, std::int64_t k) override;

  // Losses
  void loss(LossOp op, View out, ConstView a, ConstView b, double scale) override;
  void loss_backward(LossOp op, View d_a, ConstView a, ConstView b, ConstView d_out, double scale) override;
  void cross_entropy(View out, ConstView logits, ConstView labels) override;
  void cross_entropy_backward(View d_logits, ConstView logits, ConstView labels, ConstView d_out) override;
  void total_variation(View out, ConstView x, double beta) override;
  void total_variation_backward(View d_x, ConstView x, ConstView d_out, double beta) override;

  // Matrix product and convolution
  void matmul(View y, ConstView a, ConstView b, bool transpose_a, bool transpose_b, ConstView bias,
              Activation activation, double slope, Compute compute) override;
  void conv2d(View y, ConstView x, ConstView weight, ConstView bias, const Conv2dGeometry& geometry,
              Activation activation, double slope) override;
  void conv2d_input_grad(View d_x, ConstView d_y, ConstView weight, const Conv2dGeometry& geometry) override;
  void conv2d_weight_grad(View d_weight, ConstView x, ConstView d_y, const Conv2dGeometry& geometry) override;

  // Pooling and resizing
  void max_pool(View y, View index, ConstView x, const PoolGeometry& geometry) override;
  void pool_scatter(View d_x, ConstView d_y, ConstView index) override;
  void pool_gather(View y, ConstView x, ConstView index) override;
  void avg_pool(View y, ConstView x, const PoolGeometry& geometry) override;
  void avg_pool_backward(View d_x, ConstView d_y, const PoolGeometry& geometry) override;
  void resize(View y, ConstView x, ResizeMode mode) override;
  void resize_backward(View d_x, ConstView d_y, ResizeMode mode) override;
  void upsample_concat(View y, ConstView low, ConstView skip) override;
  void upsample_concat_backward(View d_low, View d_skip, ConstView d_y) override;

  // Normalisation
  void norm_statistics(View mean, View variance, ConstView x) override;
  void norm_apply(View y, ConstView x, ConstView mean, ConstView variance, ConstView gamma, ConstView beta,
                  double epsilon, Activation activation, double slope) override;
  void norm_backward(View d_x, View d_gamma, View d_beta, ConstView d_y, ConstView x, ConstView y, ConstView mean,
                     ConstView variance, ConstView gamma, double epsilon, Activation activation, double slope,
                     bool differentiate_statistics) override;
  void power_iteration(View u, View v, ConstView weight, int iterations, double epsilon) override;

  // Random numbers
  void random_uniform(View out, RandomKey key, std::uint64_t first, double low, double high) override;
  void random_normal(View out, RandomKey key, std::uint64_t first, double mean, double deviation) override;
  void dropout(View out, ConstView x, RandomKey key, std::uint64_t first, double probability,
               bool per_channel) override;

  // Optimisers
  void adam(std::span<const View> parameters, std::span<const ConstView> gradients, std::span<const View> first_moments,
            std::span<const View> second_moments, const AdamStep& step) override;
  void sgd(std::span<const View> parameters, std::span<const ConstView> gradients, std::span<const View> velocities,
           const SgdStep& step) override;
  void rmsprop(std::span<const View> parameters, std::span<const ConstView> gradients,
               std::span<const View> square_averages, const RmsPropStep& step) override;

  // Images
  void separable_filter(View y, ConstView x, ConstView row_taps, ConstView column_taps, Border border) override;
  void separable_filter_backward(View d_x, ConstView d_y, ConstView row_taps, ConstView column_taps,
                                 Border border) override;
  void affine_warp(View y, ConstView x, ConstView theta) override;
  void affine_warp_backward(View d_x, ConstView d_y, ConstView theta) override;
  void pairwise_distance(View out, ConstView a, ConstView b) override;
  void nearest_row(View distance, View index, ConstView queries, ConstView base) override;
  void connected_components(View labels, ConstView mask, int neighbours) override;

 private:
  template <typename F>
  void tell(const Call& call, F&& f);

  Backend& inner_;
  CallListener* listener_;
};

}  // namespace counterfoil
