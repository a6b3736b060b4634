#include "kernels/checks.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/reduction.h"
#include "kernels/require_f32.h"

namespace counterfoil::cuda {

using pointwise::StandardMath;

namespace {

template <LossOp op>
struct Loss {
  using JoinedBy = Sum;
  const float *a, *b;
  template <typename Index>
  __device__ float operator()(Index i) const {
    return pointwise::loss<op, StandardMath>(a[i], b[i]);
  }
};

template <LossOp op, typename Index>
__global__ void __launch_bounds__(kThreads)
    loss_backward_kernel(float* d_a, const float* a, const float* b, const float* d_out, std::int64_t n, float scale,
                         Walk<Index, 1> walk) {
  for (std::int64_t i = first_item(); i < n; i += item_stride()) {
    const float slope = d_out[walk(static_cast<Index>(i))] * scale;
    d_a[i] = slope * pointwise::loss_derivative<op, StandardMath>(a[i], b[i]);
  }
}

}  // namespace

void CudaBackend::loss(LossOp op, View out, ConstView a, ConstView b, double scale) {
  check::loss(op, out, a, b);
  require_f32("loss", out);
  const ReductionSpace space(out.shape, a.shape);
  pointwise::with_loss(op, [&](auto chosen) {
    cuda::reduce(device_, stream_, Loss<decltype(chosen)::value>{a.as<float>(), b.as<float>()}, out.as<float>(), space,
                 static_cast<float>(scale));
  });
}

void CudaBackend::loss_backward(LossOp op, View d_a, ConstView a, ConstView b, ConstView d_out, double scale) {
  check::loss_backward(op, d_a, a, b, d_out);
  require_f32("loss_backward", d_a);
  const Layout<1> layout(a.shape, {strides_of(d_out.shape)});
  pointwise::with_loss(op, [&](auto chosen) {
    with_index(layout.reach(), [&](auto index) {
      using Index = decltype(index);
      launch(loss_backward_kernel<decltype(chosen)::value, Index>, blocks_for(a.size()), kThreads, 0, stream_,
             d_a.as<float>(), a.as<float>(), b.as<float>(), d_out.as<float>(), a.size(), static_cast<float>(scale),
             Walk<Index, 1>(layout));
    });
  });
}

}  // namespace counterfoil::cuda
