#include "kernels/checks.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/vector.h"
#include "kernels/pointwise.h"
#include "kernels/require_f32.h"

// A machine with one accumulator. Its program travels with the launch and every thread is at the same step, so no
// branch diverges; the inputs are in registers before the first step, and a step chooses among them without an index.

namespace counterfoil::cuda {

namespace {

using pointwise::StandardMath;

struct Step {
  ChainStep::Form form;
  UnaryOp unary;
  BinaryOp binary;
  std::uint8_t input;
  float p0, p1;
};

struct Program {
  int steps;
  Step step[kMaxChainSteps];
};

template <int inputs>
struct Addresses {
  const float* input[inputs];
};

template <int width>
__device__ __forceinline__ void run_unary(float (&a)[width], const Step& step) {
  pointwise::with_unary(step.unary, [&](auto chosen) {
    for (int k = 0; k < width; ++k) {
      a[k] = pointwise::unary<decltype(chosen)::value, StandardMath>(a[k], step.p0, step.p1);
    }
  });
}

/// a = op(left, right), either of which is a.
template <int width>
__device__ __forceinline__ void run_binary(float (&a)[width], const Step& step, const float (&other)[width]) {
  const bool swapped = step.form == ChainStep::Form::input_first;
  pointwise::with_binary(step.binary, [&](auto chosen) {
    for (int k = 0; k < width; ++k) {
      const float left = swapped ? other[k] : a[k], right = swapped ? a[k] : other[k];
      a[k] = pointwise::binary<decltype(chosen)::value>(left, right);
    }
  });
}

template <int inputs, int width>
__global__ void __launch_bounds__(kThreads, 4)
    pointwise_chain_kernel(float* out, const Addresses<inputs> from, std::int64_t n, const Program program) {
  for (std::int64_t i = first_item(); i * width < n; i += item_stride()) {
    const bool whole = (i + 1) * width <= n;
    float x[inputs][width], a[width];
    for (int j = 0; j < inputs; ++j) {
      if (whole) {
        load(x[j], from.input[j], i);
      } else {
        for (int k = 0; k < width; ++k) x[j][k] = i * width + k < n ? from.input[j][i * width + k] : 0.0f;
      }
    }
    for (int k = 0; k < width; ++k) a[k] = x[0][k];
#pragma unroll 1
    for (int s = 0; s < program.steps; ++s) {
      const Step& step = program.step[s];
      if (step.form == ChainStep::Form::unary) {
        run_unary(a, step);
      } else {
        float other[width];
        for (int k = 0; k < width; ++k) {
          other[k] = x[0][k];
          for (int j = 1; j < inputs; ++j) other[k] = step.input == j ? x[j][k] : other[k];
        }
        run_binary(a, step, other);
      }
    }
    if (whole) {
      store(out, i, a);
    } else {
      for (int k = 0; k < width; ++k) {
        if (i * width + k < n) out[i * width + k] = a[k];
      }
    }
  }
}

template <int inputs, int width>
void run(const View& out, std::span<const ConstView> from, const Program& program, cudaStream_t stream) {
  const std::int64_t n = out.size();
  Addresses<inputs> addresses;
  // One kernel serves every number of inputs where addresses are odd; what it lacks is the first again.
  for (std::size_t j = 0; j < inputs; ++j) addresses.input[j] = from[j < from.size() ? j : 0].as<float>();
  launch(pointwise_chain_kernel<inputs, width>, blocks_for((n + width - 1) / width), kThreads, 0, stream,
         out.as<float>(), addresses, n, program);
}

}  // namespace

void CudaBackend::pointwise_chain(View out, std::span<const ConstView> inputs, std::span<const ChainStep> steps) {
  check::pointwise_chain(out, inputs, steps);
  require_f32("pointwise_chain", out);
  Program program{};
  for (const ChainStep& step : steps) {
    program.step[program.steps++] = {step.form,
                                     step.unary,
                                     step.binary,
                                     static_cast<std::uint8_t>(step.input),
                                     static_cast<float>(step.p0),
                                     static_cast<float>(step.p1)};
  }
  bool aligned = aligned16({out.data});
  for (const ConstView& input : inputs) aligned = aligned && aligned16({input.data});
  if (!aligned) return run<kMaxChainInputs, 1>(out, inputs, program, stream_);
  switch (inputs.size()) {
    case 1:
      return run<1, 4>(out, inputs, program, stream_);
    case 2:
      return run<2, 4>(out, inputs, program, stream_);
    case 3:
      return run<3, 4>(out, inputs, program, stream_);
    default:
      return run<4, 4>(out, inputs, program, stream_);
  }
}

}  // namespace counterfoil::cuda
