#include <cstddef>

#include "kernels/checks.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/image_index.h"
#include "kernels/require_f32.h"
#include "kernels/scratch.h"

// Union-find over pixels (after D. Playne, K. Hawick, IEEE TPDS 2018). Every pixel points to one of its region that is
// not after it; the smaller of two roots always becomes the other's parent, so in the end a region's root is its first
// pixel, whatever the order in which the threads came: regions are numbered by counting roots. 4 bytes of mask, 4 of
// labels and some 24 of parents and numbers a pixel, and atomics on the second-level cache where regions meet.

namespace counterfoil::cuda {

namespace {

/// parent = itself inside a region, else -1.
__global__ void __launch_bounds__(kThreads)
    components_start_kernel(int* parent, const float* __restrict__ mask, std::int64_t count, int pixels) {
  for (std::int64_t i = first_item(); i < count; i += item_stride()) {
    parent[i] = __ldg(mask + i) != 0.0f ? static_cast<int>(i % pixels) : -1;
  }
}

/// The root, while other threads join trees.
__device__ __forceinline__ int root_while_joining(int* parent, int pixel) {
  for (int above = atomicOr(parent + pixel, 0); above != pixel; above = atomicOr(parent + pixel, 0)) pixel = above;
  return pixel;
}

__device__ __forceinline__ void join(int* parent, int a, int b) {
  while (true) {
    a = root_while_joining(parent, a);
    b = root_while_joining(parent, b);
    if (a == b) return;
    const int low = min(a, b), high = max(a, b);
    const int before = atomicMin(parent + high, low);
    if (before == high) return;  // it was a root
    a = low, b = before;         // it had been given another parent meanwhile, to be joined with as well
  }
}

/// Joins each pixel with its neighbours to the left and above.
__global__ void __launch_bounds__(kThreads) components_join_kernel(int* parent, const float* __restrict__ mask,
                                                                   std::int64_t count, Image image, bool diagonals) {
  const int pixels = image.h * image.w;
  for (std::int64_t i = first_item(); i < count; i += item_stride()) {
    if (__ldg(mask + i) == 0.0f) continue;
    const std::int64_t first = i / pixels * pixels;
    const int pixel = static_cast<int>(i - first), h = pixel / image.w, w = pixel % image.w;
    const auto meet = [&](bool exists, int neighbour) {
      if (exists && __ldg(mask + first + neighbour) != 0.0f) join(parent + first, pixel, neighbour);
    };
    meet(w > 0, pixel - 1);
    meet(h > 0, pixel - image.w);
    meet(diagonals && h > 0 && w > 0, pixel - image.w - 1);
    meet(diagonals && h > 0 && w + 1 < image.w, pixel - image.w + 1);
  }
}

/// number = how many roots of the image come up to a root, itself included. A block walks over an image in steps of its
/// threads.
__global__ void __launch_bounds__(kThreads)
    components_number_kernel(int* number, const int* __restrict__ parent, std::int64_t images, int pixels) {
  SHARED_ARRAY(int, counts, [2][kThreads / 32]);
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  for (std::int64_t n = blockIdx.x; n < images; n += gridDim.x) {
    int before = 0, half = 0;
    for (int first = 0; first < pixels; first += kThreads, half = 1 - half) {
      const int pixel = first + thread;
      const bool is_root = pixel < pixels && parent[n * pixels + pixel] == pixel;
      const unsigned roots = __ballot_sync(0xffffffffu, is_root);
      if (lane == 0) counts[half][warp] = __popc(roots);
      __syncthreads();  // one barrier a step: the next writes to the other half
      int in_step = 0, earlier = 0;
#pragma unroll
      for (int i = 0; i < kThreads / 32; ++i) {
        if (i == warp) earlier = in_step;
        in_step += counts[half][i];
      }
      if (is_root) number[n * pixels + pixel] = before + earlier + __popc(roots & (0xffffffffu >> (31 - lane)));
      before += in_step;
    }
    __syncthreads();
  }
}

__global__ void __launch_bounds__(kThreads)
    components_label_kernel(int* labels, const int* __restrict__ parent, const int* __restrict__ number,
                            std::int64_t count, int pixels) {
  for (std::int64_t i = first_item(); i < count; i += item_stride()) {
    const std::int64_t first = i / pixels * pixels;
    int root = parent[i];
    if (root >= 0) {
      for (int above = parent[first + root]; above != root; above = parent[first + root]) root = above;
    }
    labels[i] = root < 0 ? 0 : number[first + root];
  }
}

}  // namespace

void CudaBackend::connected_components(View labels, ConstView mask, int neighbours) {
  check::connected_components(labels, mask, neighbours);
  require_f32("connected_components", mask);
  if (labels.size() == 0) return;
  const Image image = Image::of({mask.shape[0], mask.shape[1], mask.shape[2], 1});
  const int pixels = image.h * image.w;
  const std::int64_t count = labels.size();
  const Scratch parents(device_, static_cast<std::size_t>(count) * sizeof(int));
  const Scratch numbers(device_, static_cast<std::size_t>(count) * sizeof(int));
  int *const parent = parents.as<int>(), *const number = numbers.as<int>();
  launch(components_start_kernel, blocks_for(count), kThreads, 0, stream_, parent, mask.as<float>(), count, pixels);
  launch(components_join_kernel, blocks_for(count), kThreads, 0, stream_, parent, mask.as<float>(), count, image,
         neighbours == 8);
  launch(components_number_kernel, blocks_for(mask.shape[0], 1), kThreads, 0, stream_, number, parent, mask.shape[0],
         pixels);
  launch(components_label_kernel, blocks_for(count), kThreads, 0, stream_, labels.as<int>(), parent, number, count,
         pixels);
}

}  // namespace counterfoil::cuda
