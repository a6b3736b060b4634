#include "kernels/checks.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/vector.h"
#include "kernels/pointwise.h"
#include "kernels/require_f32.h"

// out[i] = f(a[i], b[i], c[i]) over arrays of one shape. No __restrict__: in place is allowed.

namespace counterfoil::cuda {

using pointwise::StandardMath;

namespace {

template <UnaryOp op>
struct Unary {
  float p0, p1;
  __device__ float operator()(float x) const { return pointwise::unary<op, StandardMath>(x, p0, p1); }
};

template <UnaryOp op>
struct UnaryBackward {
  float p0, p1;
  __device__ float operator()(float x, float d_y) const {
    return d_y * pointwise::unary_derivative<op, StandardMath>(x, p0, p1);
  }
};

template <Activation activation>
struct ActivationBackward {
  float slope;
  __device__ float operator()(float y, float d_y) const {
    return d_y * pointwise::activation_derivative<activation>(y, slope);
  }
};

struct Select {
  __device__ float operator()(float condition, float a, float b) const { return condition != 0 ? a : b; }
};

struct Axpby {
  float alpha, beta;
  __device__ float operator()(float x, float y) const { return alpha * x + beta * y; }
};

template <int width, typename Function>
__global__ void __launch_bounds__(kThreads) map1_kernel(float* out, const float* a, std::int64_t n, Function f) {
  for (std::int64_t i = first_item(); i < n / width; i += item_stride()) {
    float x[width];
    load(x, a, i);
    for (int k = 0; k < width; ++k) x[k] = f(x[k]);
    store(out, i, x);
  }
  const std::int64_t rest = n / width * width + first_item();
  if (width > 1 && rest < n) out[rest] = f(a[rest]);
}

template <int width, typename Function>
__global__ void __launch_bounds__(kThreads)
    map2_kernel(float* out, const float* a, const float* b, std::int64_t n, Function f) {
  for (std::int64_t i = first_item(); i < n / width; i += item_stride()) {
    float x[width], y[width];
    load(x, a, i);
    load(y, b, i);
    for (int k = 0; k < width; ++k) x[k] = f(x[k], y[k]);
    store(out, i, x);
  }
  const std::int64_t rest = n / width * width + first_item();
  if (width > 1 && rest < n) out[rest] = f(a[rest], b[rest]);
}

template <int width, typename Function>
__global__ void __launch_bounds__(kThreads)
    map3_kernel(float* out, const float* a, const float* b, const float* c, std::int64_t n, Function f) {
  for (std::int64_t i = first_item(); i < n / width; i += item_stride()) {
    float x[width], y[width], z[width];
    load(x, a, i);
    load(y, b, i);
    load(z, c, i);
    for (int k = 0; k < width; ++k) x[k] = f(x[k], y[k], z[k]);
    store(out, i, x);
  }
  const std::int64_t rest = n / width * width + first_item();
  if (width > 1 && rest < n) out[rest] = f(a[rest], b[rest], c[rest]);
}

template <typename Function>
void map(Function f, const View& out, const ConstView& x, cudaStream_t stream) {
  float* const to = out.as<float>();
  const float* const a = x.as<float>();
  const std::int64_t n = out.size();
  if (aligned16({to, a})) {
    launch(map1_kernel<4, Function>, blocks_for((n + 3) / 4), kThreads, 0, stream, to, a, n, f);
  } else {
    launch(map1_kernel<1, Function>, blocks_for(n), kThreads, 0, stream, to, a, n, f);
  }
}

template <typename Function>
void map(Function f, const View& out, const ConstView& x, const ConstView& y, cudaStream_t stream) {
  float* const to = out.as<float>();
  const float *const a = x.as<float>(), *const b = y.as<float>();
  const std::int64_t n = out.size();
  if (aligned16({to, a, b})) {
    launch(map2_kernel<4, Function>, blocks_for((n + 3) / 4), kThreads, 0, stream, to, a, b, n, f);
  } else {
    launch(map2_kernel<1, Function>, blocks_for(n), kThreads, 0, stream, to, a, b, n, f);
  }
}

}  // namespace

void CudaBackend::unary(UnaryOp op, View out, ConstView x, double p0, double p1) {
  check::unary(op, out, x);
  require_f32("unary", out);
  const auto a = static_cast<float>(p0), b = static_cast<float>(p1);
  pointwise::with_unary(op, [&](auto chosen) { map(Unary<decltype(chosen)::value>{a, b}, out, x, stream_); });
}

void CudaBackend::unary_backward(UnaryOp op, View d_x, ConstView x, ConstView d_y, double p0, double p1) {
  check::unary_backward(op, d_x, x, d_y);
  require_f32("unary_backward", d_x);
  const auto a = static_cast<float>(p0), b = static_cast<float>(p1);
  pointwise::with_unary(op, [&](auto chosen) {
    map(UnaryBackward<decltype(chosen)::value>{a, b}, d_x, x, d_y, stream_);
  });
}

void CudaBackend::activation_backward(Activation activation, View d_x, ConstView y, ConstView d_y, double slope) {
  check::activation_backward(d_x, y, d_y);
  require_f32("activation_backward", d_x);
  const auto s = static_cast<float>(slope);
  pointwise::with_activation(
      activation, [&](auto chosen) { map(ActivationBackward<decltype(chosen)::value>{s}, d_x, y, d_y, stream_); });
}

void CudaBackend::select(View out, ConstView condition, ConstView a, ConstView b) {
  check::select(out, condition, a, b);
  require_f32("select", out);
  float* const to = out.as<float>();
  const float *const mask = condition.as<float>(), *const yes = a.as<float>(), *const no = b.as<float>();
  const std::int64_t n = out.size();
  if (aligned16({to, mask, yes, no})) {
    launch(map3_kernel<4, Select>, blocks_for((n + 3) / 4), kThreads, 0, stream_, to, mask, yes, no, n, Select{});
  } else {
    launch(map3_kernel<1, Select>, blocks_for(n), kThreads, 0, stream_, to, mask, yes, no, n, Select{});
  }
}

void CudaBackend::axpby(View out, double alpha, ConstView x, double beta, ConstView y) {
  check::axpby(out, x, y);
  require_f32("axpby", out);
  map(Axpby{static_cast<float>(alpha), static_cast<float>(beta)}, out, x, y, stream_);
}

}  // namespace counterfoil::cuda
