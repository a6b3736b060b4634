#include "methods/attributions/graph.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "autograd/convolution.h"
#include "autograd/matmul.h"
#include "autograd/normalisation.h"
#include "tensor/ops.h"

namespace counterfoil::methods {
namespace {

constexpr std::array<std::string_view, 17> kCurved = {
    "relu", "leaky_relu", "elu",  "sigmoid",    "tanh", "softplus", "clip", "projected_clip", "abs",
    "exp",  "log",        "sqrt", "reciprocal", "pow",  "sin",      "cos",  "square"};

// [S,C] as [S,1,1,C], to meet [N,H,W,C].
Tensor as_planes(const Tensor& table) {
  return table.reshape({table.shape()[0], 1, 1, table.shape()[1]});
}

}  // namespace

std::vector<Operation> operations_between(const Variable& x, const Variable& score, std::string_view method) {
  struct Visit {
    std::shared_ptr<const Node> node;
    std::size_t next = 0;  // input
    Needs needs;
  };
  std::vector<Operation> found;
  std::unordered_map<const Node*, bool> on_path;  // of the nodes left behind
  std::vector<Visit> stack;
  if (score.node()) stack.push_back({score.node(), 0, {}});
  while (!stack.empty()) {
    Visit& visit = stack.back();
    if (visit.next == visit.node->inputs().size()) {
      const bool reached = std::ranges::find(visit.needs, true) != visit.needs.end();
      on_path[visit.node.get()] = reached;
      if (reached) found.push_back({visit.node, visit.needs});
      stack.pop_back();
      continue;
    }
    const Variable& input = visit.node->input(visit.next);
    const std::shared_ptr<const Node> maker = input.node();
    if (maker && !on_path.contains(maker.get())) {
      stack.push_back({maker, 0, {}});  // and this input once more afterwards
      continue;
    }
    visit.needs.push_back(input == x || (maker && on_path.at(maker.get())));
    ++visit.next;
  }
  if (found.empty()) {
    fail(
        "{}: the classifier's graph does not lead from its logits back to the images; logits() must be computed with "
        "the operations of autograd/ops.h from the variable it is given",
        method);
  }
  return found;
}

std::span<const std::string_view> curved_operations() {
  return kCurved;
}

LinearLayer::LinearLayer(const Node& node, const Needs& needs, std::string_view method)
    : inputs_(node.inputs().size()) {
  const auto value = [&](std::size_t i) { return i < inputs_ ? node.input(i).value() : Tensor(); };
  input = value(0);
  weight = value(1);
  bias = value(2);
  if (node.op() == "matmul") {
    const auto options = node.attribute<MatmulOptions>();
    activation = options.activation;
    slope = options.slope;
    if (needs[0] == needs[1]) fail("{}: a product of two matrices that both come from the images", method);
    place_ = needs[0] ? 0 : 1;
    if (place_ == 1) std::swap(input, weight);
    const auto product = [options](const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b) {
      return matmul(a, b, transpose_a, transpose_b, {}, Activation::identity, 0, options.compute);
    };
    // Z = A B with A = op(a), B = op(b): the adjoints are Z B' and A' Z, each transposed where its operand was.
    const bool ta = options.transpose_a, tb = options.transpose_b;
    if (place_ == 0) {
      apply_ = [=](const Tensor& v, const Tensor& w) { return product(v, ta, w, tb); };
      transposed_ = [=](const Tensor& r, const Tensor& w) {
        return ta ? product(w, tb, r, true) : product(r, false, w, !tb);
      };
    } else {
      apply_ = [=](const Tensor& v, const Tensor& w) { return product(w, ta, v, tb); };
      transposed_ = [=](const Tensor& r, const Tensor& w) {
        return tb ? product(r, true, w, ta) : product(w, !ta, r, false);
      };
    }
    return;
  }
  if (!needs[0]) fail("{}: the weights of {} come from the images", method, node.op());
  if (node.op() == "norm") {
    const auto& a = node.attribute<NormAttribute>();
    activation = a.activation;
    slope = a.slope;
    before_activation_ = [a, x = input, gamma = weight, beta = bias] {
      return norm_apply(x, a.mean, a.variance, gamma, beta, a.epsilon);
    };
    // gamma / deviation, and beta - mean gamma / deviation
    const Tensor deviation = unary(UnaryOp::sqrt, unary(UnaryOp::affine, a.variance, 1, a.epsilon));
    const Tensor scale = binary(BinaryOp::divide, weight, deviation);
    bias = as_planes(binary(BinaryOp::subtract, bias, binary(BinaryOp::multiply, a.mean, scale)));
    weight = as_planes(scale);
    apply_ = transposed_ = [](const Tensor& v, const Tensor& w) { return binary(BinaryOp::multiply, v, w); };
    return;
  }
  const auto& a = node.attribute<ConvolutionAttribute>();
  activation = a.activation;
  slope = a.slope;
  const Product convolved = [g = a.geometry](const Tensor& v, const Tensor& w) { return conv2d(v, w, {}, g); };
  const bool forward = node.op() == "conv2d";
  const Shape large = forward ? input.shape() : node.output().shape();
  const Product spread = [g = a.geometry, large](const Tensor& v, const Tensor& w) {
    return conv2d_input_grad(v, w, large, g);
  };
  apply_ = forward ? convolved : spread;
  transposed_ = forward ? spread : convolved;
}

Tensor LinearLayer::apply(const Tensor& values, const Tensor& weights) const {
  return apply_(values, weights);
}

Tensor LinearLayer::transposed(const Tensor& relevance, const Tensor& weights) const {
  return transposed_(relevance, weights);
}

Tensor LinearLayer::before_activation() const {
  if (before_activation_) return before_activation_();
  const Tensor z = apply_(input, weight);
  return bias.defined() ? binary(BinaryOp::add, z, bias) : z;
}

Variables LinearLayer::at_input(const Tensor& d_input) const {
  Variables d_inputs(inputs_);
  d_inputs[place_] = d_input;
  return d_inputs;
}

Tensor of_each(std::int64_t images, const OfOne& of_one) {
  std::vector<Tensor> found;
  for (std::int64_t n = 0; n < images; ++n) found.push_back(of_one(n));
  return found.size() == 1 ? found.front() : concat(found, 0);
}

}  // namespace counterfoil::methods
