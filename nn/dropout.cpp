#include "nn/dropout.h"

#include "autograd/pointwise.h"

namespace counterfoil::nn {
namespace {

Variable drop(const Variable& x, double probability, const Pass& pass, bool per_channel) {
  if (!pass.training || probability == 0) return x;
  if (pass.random == nullptr) fail("dropout: a training pass needs random numbers (Pass::train), found none");
  return counterfoil::dropout(x, probability, *pass.random, per_channel);
}

}  // namespace

Variable dropout(const Variable& x, double probability, const Pass& pass) {
  return drop(x, probability, pass, false);
}

Variable dropout2d(const Variable& x, double probability, const Pass& pass) {
  return drop(x, probability, pass, true);
}

}  // namespace counterfoil::nn
