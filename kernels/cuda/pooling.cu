#include <algorithm>

#include "kernels/checks.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/image_index.h"
#include "kernels/require_f32.h"
#include "kernels/scratch.h"

// One thread per element that is written, neighbours are channels: every access is whole sectors. A window's overlaps
// meet in cache, so x is read about once: 4 (x + y) bytes (max_pool 4 (x + 2 y)) for kernel_h kernel_w adds or
// comparisons an output, 1 flop in 5 bytes at 2 x 2: bound by memory.

namespace counterfoil::cuda {

namespace {

/// The part of an output's window that lies inside the image; ends are one past the last.
struct Window {
  int top, bottom, left, right;

  __device__ static Window of(int p, int q, const Image& x, const PoolGeometry& g) {
    const int top = p * g.stride_h - g.pad_top, left = q * g.stride_w - g.pad_left;
    return {max(top, 0), min(top + g.kernel_h, x.h), max(left, 0), min(left + g.kernel_w, x.w)};
  }
  __device__ float divisor(const PoolGeometry& g) const {
    const int inside = (bottom - top) * (right - left);
    return static_cast<float>(g.count_padding ? g.kernel_h * g.kernel_w : inside);
  }
};

template <typename Index>
__global__ void __launch_bounds__(kThreads, 4)
    max_pool_kernel(float* y, int* index, const float* __restrict__ x, Index count, Image from, Image to,
                    PoolGeometry geometry) {
  for (Index i = static_cast<Index>(first_item()); i < count; i += static_cast<Index>(item_stride())) {
    const Element<Index> e = element_at(i, to);
    const Window window = Window::of(e.h, e.w, from, geometry);
    int best = window.top * from.w + window.left;
    float value = __ldg(x + offset_of(from, e.n, window.top, window.left, e.c));
    for (int h = window.top; h < window.bottom; ++h) {
      for (int w = window.left; w < window.right; ++w) {
        const float here = __ldg(x + offset_of(from, e.n, h, w, e.c));
        if (here > value || (here != here && value == value)) {
          value = here;
          best = h * from.w + w;
        }
      }
    }
    y[i] = value;
    index[i] = best;
  }
}

template <typename Index>
__global__ void __launch_bounds__(kThreads)
    pool_gather_kernel(float* y, const float* __restrict__ x, const int* __restrict__ index, Index count, Image from,
                       Index per_image) {
  const int pixels = from.h * from.w;
  for (Index i = static_cast<Index>(first_item()); i < count; i += static_cast<Index>(item_stride())) {
    const int pixel = __ldg(index + i);
    const Index at = (i / per_image * pixels + pixel) * from.c + i % from.c;
    y[i] = pixel >= 0 && pixel < pixels ? __ldg(x + at) : 0.0f;
  }
}

/// The outputs that chose a pixel, as a linked list: head [like x] is its last output, next [like y] the one before. In
/// what order they come is chance, which the second kernel undoes.
template <typename Index>
__global__ void __launch_bounds__(kThreads)
    pool_scatter_link_kernel(int* head, int* next, const int* __restrict__ index, Index count, Image to,
                             Index per_image) {
  const int pixels = to.h * to.w;
  for (Index i = static_cast<Index>(first_item()); i < count; i += static_cast<Index>(item_stride())) {
    const int pixel = __ldg(index + i);
    if (pixel < 0 || pixel >= pixels) continue;
    const Index n = i / per_image;
    const int output = static_cast<int>((i - n * per_image) / to.c);
    next[i] = atomicExch(head + (n * pixels + pixel) * to.c + i % to.c, output);
  }
}

/// Each pixel adds up its outputs, in ascending order: of a short list it picks the next larger one again and again;
/// where that would take longer than looking at all outputs of the image, it looks at them.
template <typename Index>
__global__ void __launch_bounds__(kThreads)
    pool_scatter_sum_kernel(float* d_x, const float* __restrict__ d_y, const int* __restrict__ index,
                            const int* __restrict__ head, const int* __restrict__ next, Index count, Image to,
                            int outputs) {
  const int pixels = to.h * to.w;
  for (Index i = static_cast<Index>(first_item()); i < count; i += static_cast<Index>(item_stride())) {
    const int c = static_cast<int>(i % to.c), pixel = static_cast<int>(i / to.c % pixels);
    const Index first = i / to.c / pixels * outputs * to.c + c;  // of the image's outputs in this channel
    int length = 0;
    for (int output = head[i]; output >= 0; output = next[first + static_cast<Index>(output) * to.c]) ++length;
    float sum = 0.0f;
    if (static_cast<std::int64_t>(length) * length <= outputs) {
      for (int done = -1, step = 0; step < length; ++step) {
        int least = outputs;
        for (int output = head[i]; output >= 0; output = next[first + static_cast<Index>(output) * to.c]) {
          if (output > done && output < least) least = output;
        }
        sum += __ldg(d_y + first + static_cast<Index>(least) * to.c);
        done = least;
      }
    } else {
      for (int output = 0; output < outputs; ++output) {
        const Index at = first + static_cast<Index>(output) * to.c;
        if (__ldg(index + at) == pixel) sum += __ldg(d_y + at);
      }
    }
    d_x[i] = sum;
  }
}

template <typename Index>
__global__ void __launch_bounds__(kThreads)
    avg_pool_kernel(float* y, const float* __restrict__ x, Index count, Image from, Image to, PoolGeometry geometry) {
  for (Index i = static_cast<Index>(first_item()); i < count; i += static_cast<Index>(item_stride())) {
    const Element<Index> e = element_at(i, to);
    const Window window = Window::of(e.h, e.w, from, geometry);
    float sum = 0.0f;
    for (int h = window.top; h < window.bottom; ++h) {
      for (int w = window.left; w < window.right; ++w) sum += __ldg(x + offset_of(from, e.n, h, w, e.c));
    }
    y[i] = sum / window.divisor(geometry);
  }
}

/// d_x gathers from the windows that cover it: p * stride - pad <= h < p * stride - pad + kernel.
template <typename Index>
__global__ void __launch_bounds__(kThreads, 4)
    avg_pool_backward_kernel(float* d_x, const float* __restrict__ d_y, Index count, Image to, Image from,
                             PoolGeometry g) {
  for (Index i = static_cast<Index>(first_item()); i < count; i += static_cast<Index>(item_stride())) {
    const Element<Index> e = element_at(i, to);
    const int down = e.h + g.pad_top, across = e.w + g.pad_left;
    const int p_first = down < g.kernel_h ? 0 : (down - g.kernel_h) / g.stride_h + 1;
    const int q_first = across < g.kernel_w ? 0 : (across - g.kernel_w) / g.stride_w + 1;
    const int p_last = min(down / g.stride_h, from.h - 1), q_last = min(across / g.stride_w, from.w - 1);
    float sum = 0.0f;
    for (int p = p_first; p <= p_last; ++p) {
      for (int q = q_first; q <= q_last; ++q) {
        sum += __ldg(d_y + offset_of(from, e.n, p, q, e.c)) / Window::of(p, q, to, g).divisor(g);
      }
    }
    d_x[i] = sum;
  }
}

}  // namespace

void CudaBackend::max_pool(View y, View index, ConstView x, const PoolGeometry& geometry) {
  check::max_pool(y, index, x, geometry);
  require_f32("max_pool", y);
  if (y.size() == 0) return;
  with_index(std::max(y.size(), x.size()), [&](auto zero) {
    using Index = decltype(zero);
    launch(max_pool_kernel<Index>, blocks_for(y.size()), kThreads, 0, stream_, y.as<float>(), index.as<int>(),
           x.as<float>(), static_cast<Index>(y.size()), Image::of(x.shape), Image::of(y.shape), geometry);
  });
}

void CudaBackend::pool_scatter(View d_x, ConstView d_y, ConstView index) {
  check::pool_scatter(d_x, d_y, index);
  require_f32("pool_scatter", d_x);
  if (d_x.size() == 0) return;
  const Scratch head(device_, static_cast<std::size_t>(d_x.size()) * sizeof(int));
  const Scratch next(device_, static_cast<std::size_t>(d_y.size()) * sizeof(int));
  const Image image = Image::of(d_x.shape), outputs = Image::of(d_y.shape);
  check(cudaMemsetAsync(head.as<int>(), 0xff, static_cast<std::size_t>(d_x.size()) * sizeof(int), stream_),
        "cudaMemsetAsync");
  with_index(std::max(d_x.size(), d_y.size()), [&](auto zero) {
    using Index = decltype(zero);
    const auto count = static_cast<Index>(d_y.size());
    launch(pool_scatter_link_kernel<Index>, blocks_for(d_y.size()), kThreads, 0, stream_, head.as<int>(),
           next.as<int>(), index.as<int>(), count, image, static_cast<Index>(count / d_y.shape[0]));
    launch(pool_scatter_sum_kernel<Index>, blocks_for(d_x.size()), kThreads, 0, stream_, d_x.as<float>(),
           d_y.as<float>(), index.as<int>(), head.as<int>(), next.as<int>(), static_cast<Index>(d_x.size()), image,
           outputs.h * outputs.w);
  });
}

void CudaBackend::pool_gather(View y, ConstView x, ConstView index) {
  check::pool_gather(y, x, index);
  require_f32("pool_gather", y);
  if (y.size() == 0) return;
  with_index(std::max(y.size(), x.size()), [&](auto zero) {
    using Index = decltype(zero);
    const auto count = static_cast<Index>(y.size());
    launch(pool_gather_kernel<Index>, blocks_for(y.size()), kThreads, 0, stream_, y.as<float>(), x.as<float>(),
           index.as<int>(), count, Image::of(x.shape), static_cast<Index>(count / y.shape[0]));
  });
}

void CudaBackend::avg_pool(View y, ConstView x, const PoolGeometry& geometry) {
  check::avg_pool(y, x, geometry);
  require_f32("avg_pool", y);
  if (y.size() == 0) return;
  with_index(std::max(y.size(), x.size()), [&](auto zero) {
    using Index = decltype(zero);
    launch(avg_pool_kernel<Index>, blocks_for(y.size()), kThreads, 0, stream_, y.as<float>(), x.as<float>(),
           static_cast<Index>(y.size()), Image::of(x.shape), Image::of(y.shape), geometry);
  });
}

void CudaBackend::avg_pool_backward(View d_x, ConstView d_y, const PoolGeometry& geometry) {
  check::avg_pool_backward(d_x, d_y, geometry);
  require_f32("avg_pool_backward", d_x);
  if (d_x.size() == 0) return;
  with_index(std::max(d_x.size(), d_y.size()), [&](auto zero) {
    using Index = decltype(zero);
    launch(avg_pool_backward_kernel<Index>, blocks_for(d_x.size()), kThreads, 0, stream_, d_x.as<float>(),
           d_y.as<float>(), static_cast<Index>(d_x.size()), Image::of(d_x.shape), Image::of(d_y.shape), geometry);
  });
}

}  // namespace counterfoil::cuda
