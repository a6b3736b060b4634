#include "methods/attributions/grad_cam.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "autograd/reduction.h"
#include "methods/attributions/graph.h"
#include "methods/attributions/guided_backpropagation.h"
#include "tensor/ops.h"

namespace counterfoil::methods {
namespace {

// Besides the curved operations, what leaves each pixel where it is.
constexpr std::array<std::string_view, 10> kPixelByPixel = {"norm",   "add",     "subtract", "multiply", "divide",
                                                            "affine", "maximum", "minimum",  "concat",   "dropout"};

bool is_convolution(const Node& node) {
  return node.op() == "conv2d" || node.op() == "conv2d_input_grad";
}

/// Whether `user` belongs to the layer that `node` is part of.
bool goes_on(const Node& node, const Node& user) {
  const auto in = [&](auto names) { return std::ranges::find(names, user.op()) != names.end(); };
  const Shape from = node.output().shape(), to = user.output().shape();
  return (in(curved_operations()) || in(std::span<const std::string_view>(kPixelByPixel))) && to.rank() == 4 &&
         to == from.with(3, to[3]);
}

/// The outputs of the layers with convolutions, in the order of the graph.
std::vector<Variable> layers_between(const Variable& x, const Variable& score) {
  const std::vector<Operation> operations = operations_between(x, score, "Grad-CAM");
  std::unordered_map<const Node*, std::vector<const Node*>> users;
  for (const Operation& operation : operations) {
    for (const Variable& input : operation.node->inputs()) {
      if (input.node()) users[input.node().get()].push_back(operation.node.get());
    }
  }
  std::vector<const Node*> ends;
  for (const auto& [node, needs] : operations) {
    const Shape shape = node->output().shape();
    if (!is_convolution(*node) || !needs[0] || shape[1] * shape[2] == 1) continue;
    const Node* end = node.get();
    while (users[end].size() == 1 && goes_on(*end, *users[end].front())) end = users[end].front();
    ends.push_back(end);
  }
  std::vector<Variable> layers;
  for (const Operation& operation : operations) {
    if (std::ranges::find(ends, operation.node.get()) != ends.end()) layers.push_back(operation.node->output());
  }
  return layers;
}

}  // namespace

void GradCam::declare(nn::Keys& keys) {
  keys.add("layer", layer, 1, 10'000, "whose channels are weighted, counted from the end");
  keys.add("relu", relu, "keep only what speaks for the class");
}

Attribution GradCam::compute(const AttributionCall& call) const {
  const Shape& shape = call.x.shape();
  return {of_each(shape[0], [&](std::int64_t n) {
    const Variable image = Variable::leaf(slice(call.x, 0, n, n + 1));
    const Variable score = nn::score(call.classifier, image, call.question.rows(n, n + 1));
    const std::vector<Variable> layers = layers_between(image, score);
    const auto count = static_cast<std::int64_t>(layers.size());
    if (layer > count) {
      fail("Grad-CAM: layer {} from the end, but the classifier has {} with a convolution and more than one pixel",
           layer, count);
    }
    const Variable& chosen = layers[static_cast<std::size_t>(count - layer)];
    const Tensor gradient = grad({sum(score)}, {chosen}).front().value();
    const Shape& extents = gradient.shape();
    const Tensor weights = unary(UnaryOp::affine, reduce(ReduceOp::sum, gradient, {1, 2}),
                                 1.0 / static_cast<double>(extents[1] * extents[2]), 0);  // [N,1,1,K]
    Tensor map = reduce(ReduceOp::sum, binary(BinaryOp::multiply, chosen.value(), weights), {3});
    if (relu) map = unary(UnaryOp::relu, map);
    map = resize(map, shape[1], shape[2], ResizeMode::bilinear);
    return broadcast_to(unary(UnaryOp::affine, map, 1.0 / static_cast<double>(shape[3]), 0), image.shape());
  })};
}

Attribution GuidedGradCam::compute(const AttributionCall& call) const {
  const Tensor share = GradCam::compute(call).values;  // map / C
  const Tensor guided = GuidedBackpropagation().attribute(call.classifier, call.x, call.question).values;
  return {unary(UnaryOp::affine, binary(BinaryOp::multiply, share, guided), static_cast<double>(call.x.shape()[3]), 0)};
}

}  // namespace counterfoil::methods
