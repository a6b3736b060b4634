#include "autograd/matmul.h"

#include "autograd/pointwise.h"
#include "autograd/reduction.h"
#include "tensor/ops.h"

namespace counterfoil {

namespace {

Variables matmul_rule(const Node& node, const Variable& d_y, const Needs& needs) {
  const auto& forward = node.attribute<MatmulOptions>();
  const Variable& a = node.input(0);
  const Variable& b = node.input(1);
  const Variable d = activation_backward(forward.activation, node.output(), d_y, forward.slope);
  const auto product = [&](const Variable& left, bool transpose_left, const Variable& right, bool transpose_right) {
    return matmul(left, right,
                  {.transpose_a = transpose_left, .transpose_b = transpose_right, .compute = forward.compute});
  };
  Variables d_inputs(node.inputs().size());
  // y = A B with A = op(a), B = op(b): d_A = d B', d_B = A' d, each transposed where its operand was.
  if (needs[0]) {
    d_inputs[0] =
        forward.transpose_a ? product(b, forward.transpose_b, d, true) : product(d, false, b, !forward.transpose_b);
  }
  if (needs[1]) {
    d_inputs[1] =
        forward.transpose_b ? product(d, true, a, forward.transpose_a) : product(a, !forward.transpose_a, d, false);
  }
  if (d_inputs.size() > 2 && needs[2]) d_inputs[2] = sum_to(d, node.input(2).shape());
  return d_inputs;
}

}  // namespace

Variable matmul(const Variable& a, const Variable& b, const MatmulOptions& options, const Variable& bias) {
  Tensor y = matmul(a.value(), b.value(), options.transpose_a, options.transpose_b,
                    bias.defined() ? bias.value() : Tensor(), options.activation, options.slope, options.compute);
  return record("matmul", std::move(y), bias.defined() ? Variables{a, b, bias} : Variables{a, b}, matmul_rule, options);
}

Variable linear(const Variable& x, const Variable& weight, const Variable& bias, Activation activation, double slope) {
  return matmul(x, weight, {.transpose_b = true, .activation = activation, .slope = slope}, bias);
}

}  // namespace counterfoil
