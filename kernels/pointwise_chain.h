#pragma once

#include <span>

#include "kernels/backend.h"

namespace counterfoil {

/// What Backend::pointwise_chain stands for: calls of unary and binary, with the accumulator in `between` until the
/// last writes out.
inline void pointwise_calls(Backend& backend, View out, View between, std::span<const ConstView> inputs,
                            std::span<const ChainStep> steps) {
  ConstView from = inputs[0];
  for (const ChainStep& step : steps) {
    const View to = &step == &steps.back() ? out : between;
    const ConstView other = inputs[static_cast<std::size_t>(step.input)];
    switch (step.form) {
      case ChainStep::Form::unary:
        backend.unary(step.unary, to, from, step.p0, step.p1);
        break;
      case ChainStep::Form::accumulator_first:
        backend.binary(step.binary, to, from, other);
        break;
      case ChainStep::Form::input_first:
        backend.binary(step.binary, to, other, from);
        break;
    }
    from = to;
  }
}

}  // namespace counterfoil
