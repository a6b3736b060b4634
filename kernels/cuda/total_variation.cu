#include <algorithm>
#include <cstddef>

#include "kernels/checks.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/group.h"
#include "kernels/cuda/image_index.h"
#include "kernels/pointwise.h"
#include "kernels/require_f32.h"
#include "kernels/scratch.h"

// 4 bytes read an element (its neighbours from cache) and 4 flops, or two powers where beta is neither 1 nor 2: bound
// by memory. Backward: 8 bytes and 8 flops.

namespace counterfoil::cuda {

namespace {

using pointwise::StandardMath;

/// Extents of one image as rows of `line` = W C floats.
struct Lines {
  int height, line, channels;
};

/// partial [N, parts]: a block sums its part of one image.
__global__ void __launch_bounds__(kThreads)
    total_variation_part_kernel(float* partial, const float* __restrict__ x, Lines lines, int parts, float beta) {
  SHARED_ARRAY(float, warps, [kThreads / 32]);
  const std::int64_t n = blockIdx.x / static_cast<unsigned>(parts);
  const std::int64_t size = static_cast<std::int64_t>(lines.height) * lines.line;
  const float* const image = x + n * size;
  float sum = 0.0f;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x % static_cast<unsigned>(parts)) * kThreads + threadIdx.x;
       i < size; i += static_cast<std::int64_t>(parts) * kThreads) {
    const float here = __ldg(image + i);
    if (i + lines.line < size) {
      sum += pointwise::variation<StandardMath>(__ldg(image + i + lines.line) - here, beta);
    }
    if (i % lines.line + lines.channels < lines.line) {
      sum += pointwise::variation<StandardMath>(__ldg(image + i + lines.channels) - here, beta);
    }
  }
  sum = group_join<kThreads, Sum>(sum, warps);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

/// out [N]: a warp adds an image's parts.
__global__ void __launch_bounds__(kThreads)
    total_variation_join_kernel(float* out, const float* __restrict__ partial, std::int64_t images, int parts) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (std::int64_t n = first_item() / 32; n < images; n += item_stride() / 32) {
    float sum = 0.0f;
    for (int part = lane; part < parts; part += 32) sum += partial[n * parts + part];
    sum = group_join<32, Sum>(sum, static_cast<float*>(nullptr));
    if (lane == 0) out[n] = sum;
  }
}

/// Each element gathers from its four neighbours: no two threads add to one place.
__global__ void __launch_bounds__(kThreads)
    total_variation_backward_kernel(float* d_x, const float* __restrict__ x, const float* __restrict__ d_out,
                                    std::int64_t count, Lines lines, float beta) {
  const std::int64_t size = static_cast<std::int64_t>(lines.height) * lines.line;
  for (std::int64_t i = first_item(); i < count; i += item_stride()) {
    const std::int64_t n = i / size, position = i - n * size;
    const int j = static_cast<int>(position % lines.line);
    const float here = __ldg(x + i);
    const auto slope = [&](std::int64_t before, std::int64_t after) {
      return pointwise::variation_derivative<StandardMath>(
          (after == 0 ? here : __ldg(x + i + after)) - (before == 0 ? here : __ldg(x + i + before)), beta);
    };
    float sum = 0.0f;
    if (position >= lines.line) sum += slope(-lines.line, 0);
    if (j >= lines.channels) sum += slope(-lines.channels, 0);
    if (j + lines.channels < lines.line) sum -= slope(0, lines.channels);
    if (position + lines.line < size) sum -= slope(0, lines.line);
    d_x[i] = __ldg(d_out + n) * sum;
  }
}

Lines lines_of(const Shape& x) {
  const std::int64_t line = x[2] * x[3];
  if (line > (1 << 30)) fail("total_variation: rows of more than 2^30 elements; found {}", x.to_string());
  return {Image::of(x).h, static_cast<int>(line), static_cast<int>(x[3])};
}

}  // namespace

void CudaBackend::total_variation(View out, ConstView x, double beta) {
  check::total_variation(out, x, beta);
  require_f32("total_variation", x);
  if (out.size() == 0) return;
  const Lines lines = lines_of(x.shape);
  const std::int64_t images = x.shape[0], size = x.size() / images;
  // 16 elements a thread, or as many as make 256 parts.
  const int parts = static_cast<int>(std::clamp<std::int64_t>(size / (16 * kThreads), 1, 256));
  const Scratch partial(device_, static_cast<std::size_t>(images * parts) * sizeof(float));
  launch(total_variation_part_kernel, block_each(images * parts), kThreads, 0, stream_, partial.as<float>(),
         x.as<float>(), lines, parts, static_cast<float>(beta));
  launch(total_variation_join_kernel, blocks_for(images * 32), kThreads, 0, stream_, out.as<float>(),
         partial.as<float>(), images, parts);
}

void CudaBackend::total_variation_backward(View d_x, ConstView x, ConstView d_out, double beta) {
  check::total_variation_backward(d_x, x, d_out, beta);
  require_f32("total_variation_backward", x);
  if (x.size() == 0) return;
  launch(total_variation_backward_kernel, blocks_for(x.size()), kThreads, 0, stream_, d_x.as<float>(), x.as<float>(),
         d_out.as<float>(), x.size(), lines_of(x.shape), static_cast<float>(beta));
}

}  // namespace counterfoil::cuda
