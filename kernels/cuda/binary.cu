#include "kernels/checks.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/layout.h"
#include "kernels/cuda/vector.h"
#include "kernels/pointwise.h"
#include "kernels/require_f32.h"

namespace counterfoil::cuda {

namespace {

/// Rows of arguments that each advance by 0 (repeated) or their own length per row, and by 0 or 1 within one.
struct Step {
  std::int64_t row;
  bool within;
};

template <int width>
__device__ __forceinline__ void load_along(float (&values)[width], const float* address, bool within) {
  if (within) {
    load(values, address, 0);
  } else {
    for (int k = 0; k < width; ++k) values[k] = address[0];
  }
}

/// Out [rows, columns], columns a multiple of `width`: two arrays of one shape or a scalar (one row), a number per
/// channel (columns) or per image (rows). Four blocks at least: asked for no number, ptxas spills around a division.
template <BinaryOp op, int width>
__global__ void __launch_bounds__(kThreads, 4)
    binary_rows_kernel(float* out, const float* a, const float* b, std::int64_t groups, Divisor<std::uint32_t> columns,
                       bool one_row, Step step_a, Step step_b) {
  for (std::int64_t i = first_item(); i < groups; i += item_stride()) {
    // With one row there may be more columns than a Divisor holds.
    const std::int64_t row = one_row ? 0 : columns.divide(static_cast<std::uint32_t>(i));
    const std::int64_t within = i - row * columns.divisor();
    const float* const row_a = a + row * step_a.row + (step_a.within ? within * width : 0);
    const float* const row_b = b + row * step_b.row + (step_b.within ? within * width : 0);
    float x[width], y[width];
    load_along(x, row_a, step_a.within);
    load_along(y, row_b, step_b.within);
    for (int k = 0; k < width; ++k) x[k] = pointwise::binary<op>(x[k], y[k]);
    store(out, i, x);
  }
}

template <BinaryOp op, typename Index>
__global__ void __launch_bounds__(kThreads)
    binary_strided_kernel(float* out, const float* a, const float* b, std::int64_t n, Walk<Index, 2> walk) {
  for (std::int64_t i = first_item(); i < n; i += item_stride()) {
    Index at[2];
    walk.find(static_cast<Index>(i), at);
    out[i] = pointwise::binary<op>(a[at[0]], b[at[1]]);
  }
}

}  // namespace

void CudaBackend::binary(BinaryOp op, View out, ConstView a, ConstView b) {
  check::binary(op, out, a, b);
  require_f32("binary", out);
  float* const to = out.as<float>();
  const float *const from_a = a.as<float>(), *const from_b = b.as<float>();
  const Layout<2> layout(out.shape, {strides_of(a.shape), strides_of(b.shape)});
  const std::int64_t n = layout.size;
  pointwise::with_binary(op, [&](auto chosen) {
    constexpr BinaryOp kOp = decltype(chosen)::value;
    const bool one_row = layout.rank <= 1;
    const auto step = [&](std::size_t array) {
      const Axes& strides = layout.strides[array];
      return Step{.row = one_row ? 0 : strides[1], .within = layout.rank > 0 && strides[0] != 0};
    };
    constexpr std::int64_t kMost = std::int64_t{1} << 31;
    if (one_row || (layout.rank == 2 && n < kMost)) {
      const std::int64_t columns = one_row ? n : layout.extents[0];
      const auto run = [&](auto width) {
        constexpr int kWidth = decltype(width)::value;
        const std::int64_t groups = n / kWidth;
        const Divisor<std::uint32_t> divisor(one_row ? 1 : std::max<std::int64_t>(1, columns / kWidth));
        launch(binary_rows_kernel<kOp, kWidth>, blocks_for(groups), kThreads, 0, stream_, to, from_a, from_b, groups,
               divisor, one_row, step(0), step(1));
      };
      if (columns % 4 == 0 && aligned16({to, from_a, from_b})) return run(pointwise::Constant<4>());
      return run(pointwise::Constant<1>());
    }
    with_index(layout.reach(), [&](auto index) {
      using Index = decltype(index);
      launch(binary_strided_kernel<kOp, Index>, blocks_for(n), kThreads, 0, stream_, to, from_a, from_b, n,
             Walk<Index, 2>(layout));
    });
  });
}

}  // namespace counterfoil::cuda
