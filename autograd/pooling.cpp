#include "autograd/pooling.h"

#include "autograd/reduction.h"
#include "autograd/shaping.h"
#include "tensor/ops.h"

namespace counterfoil {

Variable max_pool(const Variable& x, const PoolGeometry& geometry) {
  auto [y, index] = max_pool(x.value(), geometry);
  return record(
      "max_pool", std::move(y), {x},
      [](const Node& node, const Variable& d_y, const Needs&) -> Variables {
        return {pool_scatter(d_y, node.attribute<MaxPoolAttribute>().index, node.input(0).shape())};
      },
      MaxPoolAttribute{geometry, std::move(index)});
}

Variable pool_gather(const Variable& x, const Tensor& index) {
  return record("pool_gather", pool_gather(x.value(), index), {x, index},
                [](const Node& node, const Variable& d_y, const Needs&) -> Variables {
                  return {pool_scatter(d_y, node.input(1).value(), node.input(0).shape()), {}};
                });
}

Variable pool_scatter(const Variable& d_y, const Tensor& index, const Shape& x_shape) {
  return record("pool_scatter", pool_scatter(d_y.value(), index, x_shape), {d_y, index},
                [](const Node& node, const Variable& d, const Needs&) -> Variables {
                  return {pool_gather(d, node.input(1).value()), {}};
                });
}

Variable avg_pool(const Variable& x, const PoolGeometry& geometry) {
  return record(
      "avg_pool", avg_pool(x.value(), geometry), {x},
      [](const Node& node, const Variable& d_y, const Needs&) -> Variables {
        return {avg_pool_backward(d_y, node.input(0).shape(), node.attribute<PoolGeometry>())};
      },
      geometry);
}

Variable avg_pool_backward(const Variable& d_y, const Shape& x_shape, const PoolGeometry& geometry) {
  return record(
      "avg_pool_backward", avg_pool_backward(d_y.value(), x_shape, geometry), {d_y},
      [](const Node& node, const Variable& d, const Needs&) -> Variables {
        return {avg_pool(d, node.attribute<PoolGeometry>())};
      },
      geometry);
}

Variable global_avg_pool(const Variable& x) {
  return reshape(mean(x, {1, 2}), Shape{x.shape()[0], x.shape()[3]});
}

Variable global_sum_pool(const Variable& x) {
  return reshape(sum(x, {1, 2}), Shape{x.shape()[0], x.shape()[3]});
}

Variable resize(const Variable& x, std::int64_t height, std::int64_t width, ResizeMode mode) {
  return record("resize", resize(x.value(), height, width, mode), {x},
                [mode](const Node& node, const Variable& d_y, const Needs&) -> Variables {
                  return {resize_backward(d_y, node.input(0).shape(), mode)};
                });
}

Variable resize_backward(const Variable& d_y, const Shape& x_shape, ResizeMode mode) {
  return record("resize_backward", resize_backward(d_y.value(), x_shape, mode), {d_y},
                [mode](const Node& node, const Variable& d, const Needs&) -> Variables {
                  const Shape& shape = node.input(0).shape();
                  return {resize(d, shape[1], shape[2], mode)};
                });
}

Variable upsample2x(const Variable& x, ResizeMode mode) {
  return resize(x, 2 * x.shape()[1], 2 * x.shape()[2], mode);
}

Variable upsample_concat(const Variable& low, const Variable& skip) {
  return record("upsample_concat", upsample_concat(low.value(), skip.value()), {low, skip},
                [](const Node& node, const Variable& d_y, const Needs& needs) -> Variables {
                  const Shape& low_shape = node.input(0).shape();
                  const Shape& skip_shape = node.input(1).shape();
                  if (!is_recording() && needs[0] && needs[1]) {
                    auto [d_low, d_skip] = upsample_concat_backward(d_y.value(), low_shape, skip_shape);
                    return {std::move(d_low), std::move(d_skip)};
                  }
                  const std::int64_t joint = low_shape[3];
                  Variables d_inputs(2);
                  if (needs[0]) d_inputs[0] = resize_backward(slice(d_y, 3, 0, joint), low_shape, ResizeMode::nearest);
                  if (needs[1]) d_inputs[1] = slice(d_y, 3, joint, joint + skip_shape[3]);
                  return d_inputs;
                });
}

}  // namespace counterfoil
