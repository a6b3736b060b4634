#include "kernels/pointwise_chain.h"

#include <algorithm>
#include <array>

#include "kernels/checks.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/parallel.h"
#include "kernels/require_f32.h"

namespace counterfoil {

// The loops of unary and binary, one after another over a stretch that stays in cache. A stretch is one of their own
// chunks, of which they may look at every element (sin does), so the bits are theirs.
void CpuBackend::pointwise_chain(View out, std::span<const ConstView> inputs, std::span<const ChainStep> steps) {
  check::pointwise_chain(out, inputs, steps);
  require_f32("pointwise_chain", out);
  // Out holds the accumulator, unless it is an input that a later step may read.
  const bool in_place = std::ranges::any_of(inputs, [&](const ConstView& x) { return x.data == out.data; });
  cpu::parallel_for(out.size(), cpu::kElementGrain, [&](std::int64_t begin, std::int64_t end) {
    const Shape shape{end - begin};
    const View to{out.as<float>() + begin, shape};
    alignas(64) std::array<float, cpu::kElementGrain> between;
    std::array<ConstView, kMaxChainInputs> stretches;
    for (std::size_t k = 0; k < inputs.size(); ++k) stretches[k] = {inputs[k].as<float>() + begin, shape};
    pointwise_calls(*this, to, in_place ? View{between.data(), shape} : to, {stretches.data(), inputs.size()}, steps);
  });
}

}  // namespace counterfoil
