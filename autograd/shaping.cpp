#include "autograd/shaping.h"

#include <algorithm>
#include <array>

#include "autograd/reduction.h"

namespace counterfoil {

namespace {

using Begin = std::vector<std::int64_t>;

/// The inverse of a permutation of axes.
std::vector<int> inverse(std::span<const int> order) {
  std::vector<int> result(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) result[static_cast<std::size_t>(order[i])] = static_cast<int>(i);
  return result;
}

}  // namespace

Variable reshape(const Variable& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  return record("reshape", x.value().reshape(shape), {x},
                [](const Node& node, const Variable& d_y, const Needs&) -> Variables {
                  return {reshape(d_y, node.input(0).shape())};
                });
}

Variable reshape(const Variable& x, std::initializer_list<std::int64_t> extents) {
  return reshape(x, x.value().reshape(extents).shape());
}

Variable flatten(const Variable& x) {
  const std::int64_t images = x.shape()[0];
  return reshape(x, Shape{images, images == 0 ? x.shape().with(0, 1).size() : x.shape().size() / images});
}

Variable permute(const Variable& x, std::span<const int> order) {
  return record("permute", permute(x.value(), order), {x},
                [back = inverse(order)](const Node&, const Variable& d_y, const Needs&) -> Variables {
                  return {permute(d_y, back)};
                });
}

Variable broadcast_to(const Variable& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  return record("broadcast_to", broadcast_to(x.value(), shape), {x},
                [](const Node& node, const Variable& d_y, const Needs&) -> Variables {
                  return {sum_to(d_y, node.input(0).shape())};
                });
}

Variable slice(const Variable& x, const Shape& shape, std::span<const std::int64_t> begin) {
  return record(
      "slice", slice(x.value(), shape, begin), {x},
      [at = Begin(begin.begin(), begin.end())](const Node& node, const Variable& d_y, const Needs&) -> Variables {
        return {pad(d_y, node.input(0).shape(), at)};
      });
}

Variable slice(const Variable& x, int axis, std::int64_t begin, std::int64_t end) {
  const Shape& shape = x.shape();
  const int index = axis < 0 ? axis + shape.rank() : axis;
  if (begin < 0 || begin > end || end > shape[index]) {
    fail("slice: [{}, {}) is outside axis {} of {}", begin, end, axis, shape.to_string());
  }
  std::array<std::int64_t, kMaxRank> starts{};
  starts[static_cast<std::size_t>(index)] = begin;
  return slice(x, shape.with(index, end - begin), std::span(starts.data(), static_cast<std::size_t>(shape.rank())));
}

Variable pad(const Variable& x, const Shape& shape, std::span<const std::int64_t> begin) {
  return record(
      "pad", pad(x.value(), shape, begin), {x},
      [at = Begin(begin.begin(), begin.end())](const Node& node, const Variable& d_y, const Needs&) -> Variables {
        return {slice(d_y, node.input(0).shape(), at)};
      });
}

Variable concat(const Variables& parts, int axis) {
  std::vector<Tensor> values;
  values.reserve(parts.size());
  for (const Variable& part : parts) values.push_back(part.value());
  return record("concat", concat(values, axis), parts,
                [axis](const Node& node, const Variable& d_y, const Needs& needs) -> Variables {
                  Variables d_parts(needs.size());
                  std::int64_t begin = 0;
                  for (std::size_t i = 0; i < needs.size(); ++i) {
                    const std::int64_t end = begin + node.input(i).shape()[axis];
                    if (needs[i]) d_parts[i] = slice(d_y, axis, begin, end);
                    begin = end;
                  }
                  return d_parts;
                });
}

Variable gather_rows(const Variable& table, const Tensor& index) {
  return record("gather_rows", gather_rows(table.value(), index), {table, index},
                [](const Node& node, const Variable& d_y, const Needs&) -> Variables {
                  return {scatter_add_rows(d_y, node.input(1).value(), node.input(0).shape()[0]), {}};
                });
}

Variable scatter_add_rows(const Variable& x, const Tensor& index, std::int64_t rows) {
  return record("scatter_add_rows", scatter_add_rows(x.value(), index, rows), {x, index},
                [](const Node& node, const Variable& d_y, const Needs&) -> Variables {
                  return {gather_rows(d_y, node.input(1).value()), {}};
                });
}

Variable expand_planes(const Variable& x, std::int64_t height, std::int64_t width) {
  const std::int64_t images = x.shape()[0];
  const std::int64_t channels = x.shape()[1];
  return broadcast_to(reshape(x, Shape{images, 1, 1, channels}), {images, height, width, channels});
}

}  // namespace counterfoil
