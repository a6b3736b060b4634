#include <cstddef>

#include "kernels/checks.h"
#include "kernels/cuda/convolution.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/router.h"
#include "kernels/cuda/tile_matrix.h"
#include "kernels/require_f32.h"
#include "kernels/scratch.h"

// The three convolutions as products of matrices that are never stored (implicit GEMM): their operands compute where an
// element of x or d_y lies. Channels are innermost everywhere, so four neighbours of a row are one load, and the
// arithmetic of positions is paid once for four elements and, for a row's pixel, once for the whole sum.
//
// forward        y [pixels of y, K] = patches [pixels of y, R S C] * weight^T
// input gradient d_x [pixels of x, C] = patches of d_y [pixels of x, taps K] * weight [taps K, C]
// weight gradient d_weight [K, R S C] = d_y^T [K, pixels of y] * patches [pixels of y, R S C]
//
// Model, for a tile of rows x columns at each k: 2 rows columns flops, 4 (rows + columns) bytes asked of the caches;
// from memory each operand is read about once, for its R S overlapping uses meet in the caches.

namespace counterfoil::cuda {

namespace {

__device__ __forceinline__ float4 zeros() {
  return make_float4(0.0f, 0.0f, 0.0f, 0.0f);
}

/// Row = pixel of y, k = (tap, channel): x under the window.
struct PatchesOfX {
  static constexpr bool kAlongDepth = true;
  const float* x;  ///< at the group's first channel
  ConvExtents e;
  bool vector;

  struct Place {
    const float* image;  ///< null outside
    int top, left;
  };
  __device__ __forceinline__ Place place(std::int64_t pixel) const {
    const std::int64_t n = pixel / (static_cast<std::int64_t>(e.p) * e.q);
    if (n >= e.n) return {nullptr, 0, 0};
    const int rest = static_cast<int>(pixel - n * e.p * e.q);
    return {x + n * e.h * e.w * (e.groups * e.c), rest / e.q * e.stride_h - e.pad_top,
            rest % e.q * e.stride_w - e.pad_left};
  }
  __device__ __forceinline__ const float* at(const Place& place, int tap, int c) const {
    const int h = place.top + tap / e.s * e.dilation_h, w = place.left + tap % e.s * e.dilation_w;
    if (h < 0 || h >= e.h || w < 0 || w >= e.w) return nullptr;
    return place.image + static_cast<std::int64_t>(h * e.w + w) * (e.groups * e.c) + c;
  }
  __device__ __forceinline__ float one(const Place& place, int k) const {
    if (k >= e.r * e.s * e.c) return 0.0f;
    const float* const source = at(place, k / e.c, k % e.c);
    return source == nullptr ? 0.0f : __ldg(source);
  }
  __device__ __forceinline__ float4 fetch(const Place& place, int k) const {
    if (place.image == nullptr || k >= e.r * e.s * e.c) return zeros();
    if (!vector) return make_float4(one(place, k), one(place, k + 1), one(place, k + 2), one(place, k + 3));
    const float* const source = at(place, k / e.c, k % e.c);
    return source == nullptr ? zeros() : __ldg(reinterpret_cast<const float4*>(source));
  }
};

/// The kernel positions along one axis that can reach the pixels of one residue modulo the stride: first, first + step,
/// ... With them alone the input gradient of a strided convolution has no products with nothing.
struct Taps {
  int first, step, count;

  static Taps of(int residue, int pad, int stride, int dilation, int extent) {
    Taps taps{extent, 1, 0};
    for (int r = 0; r < extent && r < 2 * stride; ++r) {  // they repeat at least every `stride` positions
      if ((residue + pad - r * dilation) % stride != 0) continue;
      if (taps.count++ == 0) {
        taps.first = r;
      } else {
        taps.step = r - taps.first;
        break;
      }
    }
    if (taps.count == 1) taps.step = extent;
    taps.count = taps.first < extent ? (extent - 1 - taps.first) / taps.step + 1 : 0;
    return taps;
  }
};

/// One residue class of the pixels of x: h = h_first + stride_h * i, w = w_first + stride_w * j.
struct PixelClass {
  int h_first, w_first, rows, columns;
  Taps down, across;

  static PixelClass of(const ConvExtents& e, int index) {
    const int h = index / e.stride_w, w = index % e.stride_w;
    return {h,
            w,
            h < e.h ? (e.h - 1 - h) / e.stride_h + 1 : 0,
            w < e.w ? (e.w - 1 - w) / e.stride_w + 1 : 0,
            Taps::of(h, e.pad_top, e.stride_h, e.dilation_h, e.r),
            Taps::of(w, e.pad_left, e.stride_w, e.dilation_w, e.s)};
  }
  struct Pixel {
    std::int64_t n;
    int h, w;
  };
  __device__ __forceinline__ Pixel pixel(const ConvExtents& e, std::int64_t row) const {
    const std::int64_t per_image = static_cast<std::int64_t>(rows) * columns, n = row / per_image;
    const int rest = static_cast<int>(row - n * per_image);
    return {n, h_first + rest / columns * e.stride_h, w_first + rest % columns * e.stride_w};
  }
  COUNTERFOIL_HOST_DEVICE int depth(const ConvExtents& e) const { return down.count * across.count * e.k; }
};

/// Row = pixel of x in a class, k = (tap of the class, output channel): d_y where its window's tap lies on the pixel.
struct PatchesOfDy {
  static constexpr bool kAlongDepth = true;
  const float* d_y;  ///< at the group's first channel
  ConvExtents e;
  PixelClass pixels;
  bool vector;

  struct Place {
    const float* image;  ///< null outside
    int h, w;            ///< of the pixel, with the padding
  };
  __device__ __forceinline__ Place place(std::int64_t row) const {
    const PixelClass::Pixel pixel = pixels.pixel(e, row);
    if (pixel.n >= e.n) return {nullptr, 0, 0};
    return {d_y + pixel.n * e.p * e.q * (e.groups * e.k), pixel.h + e.pad_top, pixel.w + e.pad_left};
  }
  __device__ __forceinline__ const float* at(const Place& place, int k) const {
    const int tap = k / e.k;
    const int r = pixels.down.first + tap / pixels.across.count * pixels.down.step;
    const int s = pixels.across.first + tap % pixels.across.count * pixels.across.step;
    const int h = place.h - r * e.dilation_h, w = place.w - s * e.dilation_w;
    if (h < 0 || w < 0 || h / e.stride_h >= e.p || w / e.stride_w >= e.q) return nullptr;
    return d_y_at(place, h / e.stride_h, w / e.stride_w) + k % e.k;
  }
  __device__ __forceinline__ const float* d_y_at(const Place& place, int p, int q) const {
    return place.image + static_cast<std::int64_t>(p * e.q + q) * (e.groups * e.k);
  }
  __device__ __forceinline__ float one(const Place& place, int k) const {
    if (k >= pixels.depth(e)) return 0.0f;
    const float* const source = at(place, k);
    return source == nullptr ? 0.0f : __ldg(source);
  }
  __device__ __forceinline__ float4 fetch(const Place& place, int k) const {
    if (place.image == nullptr || k >= pixels.depth(e)) return zeros();
    if (!vector) return make_float4(one(place, k), one(place, k + 1), one(place, k + 2), one(place, k + 3));
    const float* const source = at(place, k);
    return source == nullptr ? zeros() : __ldg(reinterpret_cast<const float4*>(source));
  }
};

/// Row = input channel, k = (tap of the class, output channel): the weights, which lie along the rows.
struct WeightsOfClass {
  static constexpr bool kAlongDepth = false;
  const float* weight;  ///< at the group's first filter
  ConvExtents e;
  PixelClass pixels;
  bool vector;

  struct Place {
    int channel;
  };
  __device__ __forceinline__ Place place(std::int64_t row) const { return {row < e.c ? static_cast<int>(row) : e.c}; }
  __device__ __forceinline__ float4 fetch(const Place& place, int k) const {
    if (place.channel >= e.c || k >= pixels.depth(e)) return zeros();
    const int tap = k / e.k, filter = k % e.k;
    const int r = pixels.down.first + tap / pixels.across.count * pixels.down.step;
    const int s = pixels.across.first + tap % pixels.across.count * pixels.across.step;
    const std::int64_t row = (static_cast<std::int64_t>(filter) * e.r + r) * e.s + s;
    return load_four(weight + row * e.c + place.channel, e.c - place.channel, vector);
  }
};

/// The pixels of x in a class, as rows of the result.
struct ClassOutput {
  float* d_x;  ///< at the group's first channel
  ConvExtents e;
  PixelClass pixels;
  std::int64_t columns;
  bool vector;

  __device__ float* row(std::int64_t row) const {
    const PixelClass::Pixel pixel = pixels.pixel(e, row);
    if (pixel.n >= e.n) return nullptr;
    return d_x + (pixel.n * e.h * e.w + static_cast<std::int64_t>(pixel.h) * e.w + pixel.w) * (e.groups * e.c);
  }
};

/// Row = (tap, channel), k = pixel of y counted from `first`: x under the window, along the rows.
struct PatchColumns {
  static constexpr bool kAlongDepth = false;
  const float* x;  ///< at the group's first channel
  ConvExtents e;
  std::int64_t first_image;
  int first_rest, depth;  ///< k = 0 is pixel `first_rest` of the first image
  bool vector;

  struct Place {
    int row, down, across, c;  ///< the first row, and its tap's offset and channel
  };
  __device__ __forceinline__ Place place(std::int64_t row) const {
    const int i = row < e.r * e.s * e.c ? static_cast<int>(row) : e.r * e.s * e.c;
    const int tap = i / e.c;
    return {i, tap / e.s * e.dilation_h - e.pad_top, tap % e.s * e.dilation_w - e.pad_left, i % e.c};
  }
  __device__ __forceinline__ const float* at(const Place& place, std::int64_t n, int rest) const {
    const int h = rest / e.q * e.stride_h + place.down, w = rest % e.q * e.stride_w + place.across;
    if (h < 0 || h >= e.h || w < 0 || w >= e.w) return nullptr;
    return x + (n * e.h * e.w + h * e.w + w) * (e.groups * e.c) + place.c;
  }
  __device__ __forceinline__ float one(int row, std::int64_t n, int rest) const {
    if (row >= e.r * e.s * e.c) return 0.0f;
    const float* const source = at(place(row), n, rest);
    return source == nullptr ? 0.0f : __ldg(source);
  }
  __device__ __forceinline__ float4 fetch(const Place& place, int k) const {
    if (place.row >= e.r * e.s * e.c || k >= depth) return zeros();
    const int pixel = first_rest + k, image = pixel / (e.p * e.q), rest = pixel - image * (e.p * e.q);
    const std::int64_t n = first_image + image;
    if (!vector) {
      return make_float4(one(place.row, n, rest), one(place.row + 1, n, rest), one(place.row + 2, n, rest),
                         one(place.row + 3, n, rest));
    }
    const float* const source = at(place, n, rest);
    return source == nullptr ? zeros() : __ldg(reinterpret_cast<const float4*>(source));
  }
};

template <typename Tile, bool kSmooth>
__global__ void __launch_bounds__(kTileThreads, Tile::kBlocks)
    conv2d_forward_kernel(MatrixOutput y, PatchesOfX patches, MatrixAlongDepth weight, TileGrid grid) {
  const auto at = grid.position<Tile>();
  const ConvExtents& e = patches.e;
  patches.x += at.matrix * e.c;
  y.data += at.matrix * e.k;
  if (y.epilogue.bias != nullptr) y.epilogue.bias += at.matrix * e.k;
  float sums[Tile::kThreadRows][Tile::kThreadColumns];
  multiply<Tile>(sums, patches, weight.part(at.matrix * e.k * weight.depth, 0, weight.depth), at.row, at.column,
                 weight.depth);
  write_tile<Tile, kSmooth>(y, y.epilogue, at.row, at.column, sums);
}

/// One launch per residue class of pixels: what is known of the class stays in constant memory, not in registers.
template <typename Tile>
__global__ void __launch_bounds__(kTileThreads, Tile::kBlocks)
    conv2d_input_grad_kernel(ClassOutput d_x, PatchesOfDy d_y, WeightsOfClass weights, int depth, TileGrid grid) {
  const auto at = grid.position<Tile>();
  const ConvExtents& e = d_y.e;
  d_x.d_x += at.matrix * e.c;
  d_y.d_y += at.matrix * e.k;
  weights.weight += at.matrix * e.k * e.r * e.s * e.c;
  float sums[Tile::kThreadRows][Tile::kThreadColumns];
  multiply<Tile>(sums, d_y, weights, at.row, at.column, depth);
  write_tile<Tile, false>(d_x, Epilogue{}, at.row, at.column, sums);
}

/// A block sums one part of the pixels.
template <typename Tile>
__global__ void __launch_bounds__(kTileThreads, Tile::kBlocks)
    conv2d_weight_grad_kernel(MatrixOutput d_weight, PatchColumns patches, MatrixAlongRows d_y, std::int64_t pixels,
                              TileGrid grid) {
  const auto at = grid.position<Tile>();
  const ConvExtents& e = patches.e;
  const std::int64_t first = static_cast<std::int64_t>(at.part) * grid.part_depth, per_image = e.p * e.q;
  const int depth = static_cast<int>(min(static_cast<std::int64_t>(grid.part_depth), pixels - first));
  patches.x += at.matrix * e.c;
  patches.first_image = first / per_image;
  patches.first_rest = static_cast<int>(first % per_image);
  patches.depth = depth;
  d_y.data += at.matrix * e.k + first * d_y.pitch;
  d_y.depth = depth;
  d_weight.data += (at.part * e.groups + at.matrix) * d_weight.rows * d_weight.columns;
  float sums[Tile::kThreadRows][Tile::kThreadColumns];
  multiply<Tile>(sums, d_y, patches, at.row, at.column, depth);
  write_tile<Tile, false>(d_weight, Epilogue{}, at.row, at.column, sums);
}

template <typename Tile, bool kSmooth>
void launch_forward(cudaStream_t stream, float* y, const float* x, const float* weight, const ConvExtents& e,
                    const Epilogue& epilogue) {
  const int depth = e.taps() * e.c;
  const std::int64_t pixels = e.y_pixels();
  TileGrid grid = TileGrid::make<Tile>(pixels, e.k, depth, e.groups);
  grid.parts = 1;  // pixels are many
  MatrixOutput output = MatrixOutput::make(y, pixels, e.k, static_cast<std::int64_t>(e.groups) * e.k, epilogue);
  const PatchesOfX patches{x, e, e.c % 4 == 0 && aligned16({x})};
  launch(conv2d_forward_kernel<Tile, kSmooth>, grid.blocks(e.groups), kTileThreads, 0, stream, output, patches,
         MatrixAlongDepth::make(weight, e.k, depth, depth), grid);
}

template <typename Tile>
void launch_input_grad(cudaStream_t stream, float* d_x, const float* d_y, const float* weight, const ConvExtents& e) {
  const bool vector_c = e.c % 4 == 0 && aligned16({d_x, weight}), vector_k = e.k % 4 == 0 && aligned16({d_y});
  for (int index = 0; index < e.stride_h * e.stride_w; ++index) {
    const PixelClass pixels = PixelClass::of(e, index);
    const TileGrid grid = TileGrid::make<Tile>(e.n * pixels.rows * pixels.columns, e.c, 0, e.groups);
    launch(conv2d_input_grad_kernel<Tile>, grid.blocks(e.groups), kTileThreads, 0, stream,
           ClassOutput{d_x, e, pixels, e.c, vector_c}, PatchesOfDy{d_y, e, pixels, vector_k},
           WeightsOfClass{weight, e, pixels, vector_c}, pixels.depth(e), grid);
  }
}

template <typename Tile>
void launch_weight_grad(Device& device, cudaStream_t stream, float* d_weight, const float* x, const float* d_y,
                        const ConvExtents& e) {
  const std::int64_t pixels = e.y_pixels(), columns = static_cast<std::int64_t>(e.taps()) * e.c;
  const std::int64_t size = e.groups * e.k * columns;
  const TileGrid grid = TileGrid::make<Tile>(e.k, columns, pixels, e.groups);
  const bool cut = grid.parts > 1;
  const Scratch partial(device, cut ? static_cast<std::size_t>(grid.parts * size) * sizeof(float) : 0);
  const MatrixOutput output = MatrixOutput::make(cut ? partial.as<float>() : d_weight, e.k, columns, columns);
  const PatchColumns patches{x, e, 0, 0, 0, e.c % 4 == 0 && aligned16({x})};
  const MatrixAlongRows slopes = MatrixAlongRows::make(d_y, e.k, 0, static_cast<std::int64_t>(e.groups) * e.k);
  launch(conv2d_weight_grad_kernel<Tile>, grid.blocks(e.groups), kTileThreads, 0, stream, output, patches, slopes,
         pixels, grid);
  if (cut) sum_parts(d_weight, partial.as<float>(), size, size, grid.parts, 1, {}, stream);
}

/// Whether tiles of 128 x 64 fill every multiprocessor of an A100 once.
bool fills_with_large_tiles(std::int64_t rows, std::int64_t columns, std::int64_t matrices) {
  return columns > 64 && (rows + 127) / 128 * ((columns + 63) / 64) * matrices >= 108;
}

}  // namespace

void CudaBackend::conv2d(View y, ConstView x, ConstView weight, ConstView bias, const Conv2dGeometry& geometry,
                         Activation activation, double slope) {
  check::conv2d(y, x, weight, bias, geometry);
  require_f32("conv2d", y);
  if (y.size() == 0) return;
  const auto own = [&] {
    const ConvExtents e = ConvExtents::make(x.shape, weight.shape, y.shape, geometry);
    const Epilogue epilogue{bias.as<float>(), activation, static_cast<float>(slope)};
    const bool round = geometry.compute == Compute::bf16;
    float* const to = y.as<float>();
    const float *const from = x.as<float>(), *const filters = weight.as<float>();
    if (e.c == 1 && e.groups > 1) {
      depthwise_forward(to, from, filters, e, epilogue, round, stream_);
    } else if (round) {
      launch_forward<TensorTile<2>, true>(stream_, to, from, filters, e, epilogue);
    } else if (e.k <= 16) {
      launch_forward<SlimTile, true>(stream_, to, from, filters, e, epilogue);
    } else if (e.k <= 32) {
      launch_forward<NarrowTile, true>(stream_, to, from, filters, e, epilogue);
    } else if (fills_with_large_tiles(e.y_pixels(), e.k, e.groups) && !epilogue.is_smooth()) {
      launch_forward<LargeTile, false>(stream_, to, from, filters, e, epilogue);
    } else {
      launch_forward<MediumTile, true>(stream_, to, from, filters, e, epilogue);
    }
  };
  router(device_, stream_).conv2d(*this, y, x, weight, bias, geometry, activation, slope, own);
}

void CudaBackend::conv2d_input_grad(View d_x, ConstView d_y, ConstView weight, const Conv2dGeometry& geometry) {
  check::conv2d_input_grad(d_x, d_y, weight, geometry);
  require_f32("conv2d_input_grad", d_x);
  if (d_x.size() == 0) return;
  const auto own = [&] {
    const ConvExtents e = ConvExtents::make(d_x.shape, weight.shape, d_y.shape, geometry);
    const bool round = geometry.compute == Compute::bf16;
    float* const to = d_x.as<float>();
    const float *const from = d_y.as<float>(), *const filters = weight.as<float>();
    if (e.c == 1 && e.groups > 1) {
      depthwise_input_grad(to, from, filters, e, round, stream_);
    } else if (round) {
      launch_input_grad<TensorTile<1>>(stream_, to, from, filters, e);
    } else if (e.c <= 16) {
      launch_input_grad<SlimTile>(stream_, to, from, filters, e);
    } else if (e.c <= 32) {
      launch_input_grad<NarrowTile>(stream_, to, from, filters, e);
    } else if (fills_with_large_tiles(e.x_pixels(), e.c, e.groups)) {
      launch_input_grad<LargeTile>(stream_, to, from, filters, e);
    } else {
      launch_input_grad<MediumTile>(stream_, to, from, filters, e);
    }
  };
  router(device_, stream_).conv2d_input_grad(d_x, d_y, weight, geometry, own);
}

void CudaBackend::conv2d_weight_grad(View d_weight, ConstView x, ConstView d_y, const Conv2dGeometry& geometry) {
  check::conv2d_weight_grad(d_weight, x, d_y, geometry);
  require_f32("conv2d_weight_grad", d_weight);
  if (d_weight.size() == 0) return;
  const auto own = [&] {
    const ConvExtents e = ConvExtents::make(x.shape, d_weight.shape, d_y.shape, geometry);
    const bool round = geometry.compute == Compute::bf16;
    float* const to = d_weight.as<float>();
    const float *const from = x.as<float>(), *const slopes = d_y.as<float>();
    if (e.c == 1 && e.groups > 1) {
      const int parts = depthwise_weight_grad_parts(e);
      const Scratch partial(device_, static_cast<std::size_t>(parts * d_weight.size()) * sizeof(float));
      depthwise_weight_grad(partial.as<float>(), from, slopes, e, parts, round, stream_);
      sum_parts(to, partial.as<float>(), d_weight.size(), d_weight.size(), parts, 1, {}, stream_);
    } else if (round) {
      launch_weight_grad<TensorTile<2>>(device_, stream_, to, from, slopes, e);
    } else if (e.k <= 32) {
      launch_weight_grad<FlatTile>(device_, stream_, to, from, slopes, e);
    } else if (e.k > 64) {
      launch_weight_grad<LargeTile>(device_, stream_, to, from, slopes, e);
    } else {
      launch_weight_grad<MediumTile>(device_, stream_, to, from, slopes, e);
    }
  };
  router(device_, stream_).conv2d_weight_grad(d_weight, x, d_y, geometry, own);
}

}  // namespace counterfoil::cuda
