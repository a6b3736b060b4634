#include "kernels/checks.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/reduction.h"
#include "kernels/require_f32.h"

namespace counterfoil::cuda {

namespace {

struct Absolute {
  using JoinedBy = Sum;
  const float* x;
  template <typename Index>
  __device__ float operator()(Index i) const {
    return pointwise::absolute(x[i]);
  }
};

struct Square {
  using JoinedBy = Sum;
  const float* x;
  template <typename Index>
  __device__ float operator()(Index i) const {
    return x[i] * x[i];
  }
};

/// 1 where finite, else 0.
struct Finite {
  using JoinedBy = Minimum;
  const float* x;
  template <typename Index>
  __device__ float operator()(Index i) const {
    return pointwise::absolute(x[i]) < INFINITY ? 1.0f : 0.0f;
  }
};

}  // namespace

void CudaBackend::reduce(ReduceOp op, View out, ConstView x) {
  check::reduce(op, out, x);
  require_f32("reduce", out);
  const ReductionSpace space(out.shape, x.shape);
  const float* const from = x.as<float>();
  const auto run = [&](auto term) { cuda::reduce(device_, stream_, term, out.as<float>(), space, 1.0f); };
  switch (op) {
    case ReduceOp::sum:
      return run(Partial<Sum>{from});
    case ReduceOp::sum_abs:
      return run(Absolute{from});
    case ReduceOp::sum_squares:
      return run(Square{from});
    case ReduceOp::max:
      return run(Partial<Maximum>{from});
    case ReduceOp::min:
      return run(Partial<Minimum>{from});
  }
}

void CudaBackend::all_finite(View flag, ConstView x) {
  check::all_finite(flag, x);
  require_f32("all_finite", flag);
  if (x.size() == 0) return fill(flag, 1);
  ReductionSpace space;
  space.joined.append(x.size(), {1});
  cuda::reduce(device_, stream_, Finite{x.as<float>()}, flag.as<float>(), space, 1.0f);
}

}  // namespace counterfoil::cuda
