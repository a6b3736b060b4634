#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "autograd/variable.h"
#include "kernels/geometry.h"
#include "nn/score.h"

// What the methods with a rule per operation (DeepLIFT, layer-wise relevance propagation, Grad-CAM) know of the graph
// behind a score. Functional layers and layers that are called several times are nodes like any other.

namespace counterfoil::methods {

/// An operation of the graph, and which of its inputs lie on the path to the images.
struct Operation {
  std::shared_ptr<const Node> node;
  Needs needs;
};

/// The operations that `score` was computed with from `x`, each after those whose results it takes; branches in the
/// order of the inputs. Throws Error that names `method` when there are none: the classifier hides its graph.
std::vector<Operation> operations_between(const Variable& x, const Variable& score, std::string_view method);

/// Names of the operations on single elements that are curved: relu, elu, sigmoid, ... The derivative of each is its
/// rule where a method has no other.
std::span<const std::string_view> curved_operations();

/// A node of conv2d, conv2d_input_grad (transposed convolution), matmul, or norm with its statistics as constants, as
/// the layer y = activation(z), z = input * weight + bias, `*` standing for what the operation does with the two.
class LinearLayer {
 public:
  /// The input is the one on the path to the images; throws Error that names `method` when it is the weight of a
  /// convolution, or neither or both operands of a matrix product.
  LinearLayer(const Node& node, const Needs& needs, std::string_view method);

  Activation activation = Activation::identity;
  double slope = 0;
  Tensor input, weight, bias;  ///< bias undefined: none

  Tensor apply(const Tensor& values, const Tensor& weights) const;          ///< values * weights, shaped like z
  Tensor transposed(const Tensor& relevance, const Tensor& weights) const;  ///< its adjoint, shaped like the input
  Tensor before_activation() const;                                         ///< z
  /// What a rule returns: `d_input` at the input's place.
  Variables at_input(const Tensor& d_input) const;

 private:
  using Product = std::function<Tensor(const Tensor&, const Tensor&)>;
  std::size_t place_ = 0, inputs_;
  Product apply_, transposed_;
  std::function<Tensor()> before_activation_;
};

/// What a method finds for image n alone: [1,...].
using OfOne = std::function<Tensor(std::int64_t n)>;
/// The same of all images, [N,...], one after the other: the bits of a product of matrices can depend on how many
/// images are multiplied together, and those of an attribution must not depend on the others.
Tensor of_each(std::int64_t images, const OfOne& of_one);

}  // namespace counterfoil::methods
