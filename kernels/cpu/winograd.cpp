#include "kernels/cpu/winograd.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/winograd_transforms.h"
#include "kernels/scratch.h"

namespace counterfoil::cpu {

namespace {

using namespace winograd;

// A task's arrays: kPoints planes of kTiles tiles, or of kWidth channels, by kWidth channels. One array of tiles takes
// 218 KB, so that two of them and a plane of weights lie in the second-level cache. The planes are an odd number of
// cache lines apart: 36 of them at a power of two would share a few sets of the first-level cache.
constexpr std::int64_t kPoints = 36, kSide = 4, kTiles = 24, kWidth = 64, kRows = 8;
constexpr std::int64_t kTilePlane = kTiles * kWidth + kLanes, kTileFloats = kPoints * kTilePlane;
constexpr std::int64_t kWeightPlane = kWidth * kWidth + kLanes, kWeightFloats = kPoints * kWeightPlane;
constexpr std::int64_t kLeastTasks = 16, kFewBlocks = 4;

std::int64_t rounded_up(std::int64_t value, std::int64_t unit) {
  return chunk_count(value, unit) * unit;
}

// Images seen as overlapping or adjacent tiles: tile (i, j) begins at row kSide i - top, column kSide j - left.
struct Images {
  std::int64_t rows, columns, channels, top, left;
};

struct TileGrid {
  TileGrid(std::int64_t images, std::int64_t rows, std::int64_t columns)
      : down(chunk_count(rows, kSide)),
        across(chunk_count(columns, kSide)),
        count(images * down * across),
        per_block(rounded_up(chunk_count(count, chunk_count(count, kTiles)), kRows)),
        blocks(chunk_count(count, per_block)) {}
  std::int64_t tiles_of(std::int64_t block) const { return std::min(per_block, count - block * per_block); }

  std::int64_t down, across, count;
  std::int64_t per_block, blocks;  // tiles in a block, at most kTiles
};

// Where a tile lies in an array of images: `at` is its first pixel, which may lie outside; rows [row_begin, row_end)
// and columns likewise are inside the image.
struct TilePlace {
  TilePlace(const TileGrid& grid, const Images& images, std::int64_t tile, std::int64_t extent) {
    const std::int64_t per_image = grid.down * grid.across, within = tile % per_image;
    const std::int64_t row = within / grid.across * kSide - images.top;
    const std::int64_t column = within % grid.across * kSide - images.left;
    at = ((tile / per_image * images.rows + row) * images.columns + column) * images.channels;
    row_begin = std::clamp<std::int64_t>(-row, 0, extent);
    row_end = std::clamp<std::int64_t>(images.rows - row, 0, extent);
    column_begin = std::clamp<std::int64_t>(-column, 0, extent);
    column_end = std::clamp<std::int64_t>(images.columns - column, 0, extent);
  }
  std::int64_t at, row_begin, row_end, column_begin, column_end;
};

// out [kPoints][kTiles][kWidth] = Map of the tiles of a block, channels [first, first + channels), zero past them up to
// a whole vector.
template <typename Map>
void transform_tiles(float* out, const float* data, const Images& images, const TileGrid& grid, std::int64_t block,
                     std::int64_t first, std::int64_t channels) {
  for (std::int64_t t = 0; t < grid.tiles_of(block); ++t) {
    const TilePlace place(grid, images, block * grid.per_block + t, Map::kFrom);
    const bool whole = place.row_begin == 0 && place.row_end == Map::kFrom && place.column_begin == 0 &&
                       place.column_end == Map::kFrom;
    const std::int64_t row_stride = images.columns * images.channels;
    for (std::int64_t c = 0; c < channels; c += kLanes) {
      const std::int64_t lanes = std::min(kLanes, channels - c);
      const std::int64_t origin = place.at + first + c;
      const auto store_point = [&](int i, int j, const Lanes& value) __attribute__((always_inline)) {
        store_lanes(out + (i * 6 + j) * kTilePlane + t * kWidth + c, value);
      };
      if (whole && lanes == kLanes) {
        transform_square<Map>(
            [&](int i, int j) __attribute__((always_inline)) {
              return load_lanes(data + origin + i * row_stride + j * images.channels);
            },
            store_point);
      } else {
        transform_square<Map>(
            [&](int i, int j) __attribute__((always_inline)) {
              const bool inside =
                  i >= place.row_begin && i < place.row_end && j >= place.column_begin && j < place.column_end;
              return inside ? load_some(data + origin + i * row_stride + j * images.channels, lanes) : Lanes{};
            },
            store_point);
      }
    }
  }
}

// out [kRows][16 kVectors] = (or +=) sum over terms of a[row, term] b[term, lane].
template <int kVectors, std::int64_t kRowStride, std::int64_t kTermStride>
void product_strip(float* out, const float* a, const float* b, std::int64_t b_stride, std::int64_t terms, bool add) {
  Lanes sums[kRows][kVectors] = {};
  if (add) {
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) sums[i][v] = load_lanes(out + i * kWidth + v * kLanes);
  }
  for (std::int64_t term = 0; term < terms; ++term, a += kTermStride, b += b_stride) {
    Lanes right[kVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) right[v] = load_lanes(b + v * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const Lanes left = splat(a[i * kRowStride]);
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) sums[i][v] += left * right[v];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) store_lanes(out + i * kWidth + v * kLanes, sums[i][v]);
}

// out [rows][width], rows kWidth apart, for rows and width rounded up to kRows and kLanes.
template <std::int64_t kRowStride, std::int64_t kTermStride>
void product(float* out, const float* a, const float* b, std::int64_t b_stride, std::int64_t rows, std::int64_t width,
             std::int64_t terms, bool add) {
  std::int64_t lane = 0;
  for (; lane + kLanes < width; lane += 2 * kLanes)
    for (std::int64_t i = 0; i < rows; i += kRows)
      product_strip<2, kRowStride, kTermStride>(out + i * kWidth + lane, a + i * kRowStride, b + lane, b_stride, terms,
                                                add);
  if (lane < width)
    for (std::int64_t i = 0; i < rows; i += kRows)
      product_strip<1, kRowStride, kTermStride>(out + i * kWidth + lane, a + i * kRowStride, b + lane, b_stride, terms,
                                                add);
}

// A correlation of the kind of both conv2d and its input gradient: `in` channels to `out` channels.
struct Filter {
  const float* weight;  // [K,3,3,C]
  std::int64_t k, c;
  bool transposed;  // K in, C out, and turned by half a circle
  std::int64_t in() const { return transposed ? k : c; }
  std::int64_t out() const { return transposed ? c : k; }
};

// U = G g G' of a range of channels as [kPoints][in][out], the outputs up to whole vectors; the planes are apart by an
// odd number of cache lines as well.
struct FilterBlock {
  std::int64_t in, ins, out, outs;
  std::int64_t width() const { return rounded_up(outs, kLanes); }
  std::int64_t plane() const { return ins * width() + kLanes; }
  std::int64_t floats() const { return kPoints * plane(); }
};

void pack(float* packed, const FilterBlock& block, const Filter& filter) {
  const std::int64_t row = 9 * filter.c;
  for (std::int64_t out = 0; out < block.outs; out += kLanes) {
    for (std::int64_t in = 0; in < block.ins; in += kLanes) {
      const std::int64_t ins = std::min(kLanes, block.ins - in), outs = std::min(kLanes, block.outs - out);
      Lanes taps[9][kLanes];  // [tap][channel in], the lanes are channels out
      for (int tap = 0; tap < 9; ++tap) {
        if (filter.transposed) {
          const float* from = filter.weight + (block.in + in) * row + (8 - tap) * filter.c + block.out + out;
          for (std::int64_t i = 0; i < ins; ++i) taps[tap][i] = load(from + i * row, outs);
        } else {
          const float* from = filter.weight + (block.out + out) * row + tap * filter.c + block.in + in;
          for (std::int64_t i = 0; i < kLanes; ++i) taps[tap][i] = i < outs ? load(from + i * row, ins) : Lanes{};
          transpose(taps[tap]);
        }
      }
      for (std::int64_t i = 0; i < ins; ++i) {
        float* to = packed + (in + i) * block.width() + out;
        transform_square<Weight>(
            [&](int r, int s) __attribute__((always_inline)) { return taps[r * 3 + s][i]; },
            [&](int r, int s, const Lanes& value)
                __attribute__((always_inline)) { store_lanes(to + (r * 6 + s) * block.plane(), value); });
      }
    }
  }
}

struct Epilogue {
  const float* bias = nullptr;  // of the block's channels
  Activation activation = Activation::identity;
  float slope = 0;
};

// y's tiles of a block, channels [first, first + channels), from sums [kPoints][kTiles][kWidth].
void write_tiles(float* y, const float* sums, const Images& images, const TileGrid& grid, std::int64_t block,
                 std::int64_t first, std::int64_t channels, const Epilogue& epilogue) {
  for (std::int64_t t = 0; t < grid.tiles_of(block); ++t) {
    const TilePlace place(grid, images, block * grid.per_block + t, kSide);
    const std::int64_t row_stride = images.columns * images.channels;
    for (std::int64_t c = 0; c < channels; c += kLanes) {
      const std::int64_t lanes = std::min(kLanes, channels - c);
      const Lanes bias = epilogue.bias != nullptr ? load(epilogue.bias + first + c, lanes) : Lanes{};
      float* to = y + place.at + first + c;
      transform_square<Output>(
          [&](int i, int j)
              __attribute__((always_inline)) { return load_lanes(sums + (i * 6 + j) * kTilePlane + t * kWidth + c); },
          [&](int i, int j, Lanes value) __attribute__((always_inline)) {
            value += bias;
            if (epilogue.activation == Activation::relu) value = value < 0 ? Lanes{} : value;
            if (epilogue.activation == Activation::leaky_relu) value = value > 0 ? value : epilogue.slope * value;
            if (i < place.row_end && j < place.column_end)
              store(to + i * row_stride + j * images.channels, value, lanes);
          });
    }
  }
}

// to = correlation of `from` with the filter.
void correlate(Device& device, float* to, const Images& to_images, const float* from, const Images& from_images,
               std::int64_t count, const Filter& filter, const Epilogue& epilogue) {
  const TileGrid grid(count, to_images.rows, to_images.columns);
  const std::int64_t in_blocks = chunk_count(filter.in(), kWidth), out_blocks = chunk_count(filter.out(), kWidth);
  const auto filter_block = [&](std::int64_t out, std::int64_t in) {
    return FilterBlock{.in = in * kWidth,
                       .ins = std::min(kWidth, filter.in() - in * kWidth),
                       .out = out * kWidth,
                       .outs = std::min(kWidth, filter.out() - out * kWidth)};
  };
  // Many channels and few tiles: a block of the weights is used by one task alone, which packs it in its own cache.
  const bool alone = grid.blocks <= kFewBlocks && out_blocks >= kFewBlocks;
  const std::int64_t per_task = alone ? grid.blocks : 1, block_floats = filter_block(0, 0).floats();
  const std::int64_t packed_floats = alone ? 0 : in_blocks * out_blocks * block_floats;
  const std::int64_t worker_floats = (1 + per_task) * kTileFloats + (alone ? block_floats : 0);
  const Scratch scratch(device,
                        sizeof(float) * static_cast<std::size_t>(packed_floats + worker_floats * thread_count()));
  auto* packed = scratch.as<float>();
  if (!alone) {
    parallel_for(in_blocks * out_blocks, 1, [&](std::int64_t block, std::int64_t) {
      pack(packed + block * block_floats, filter_block(block / in_blocks, block % in_blocks), filter);
    });
  }
  // Tasks that share a block of the weights follow one another.
  const std::int64_t groups = grid.blocks / per_task, tasks = groups * out_blocks;
  parallel_for(tasks, chunk_count(tasks, 256), [&](std::int64_t begin, std::int64_t end) {
    float* tiles = packed + packed_floats + worker_floats * worker_index();
    float *sums = tiles + kTileFloats, *own = sums + per_task * kTileFloats;
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t out = task / groups, first = task % groups * per_task;
      for (std::int64_t in = 0; in < in_blocks; ++in) {
        const FilterBlock weights = filter_block(out, in);
        const float* u = packed + (out * in_blocks + in) * block_floats;
        if (alone) {
          pack(own, weights, filter);
          u = own;
        }
        for (std::int64_t i = 0; i < per_task; ++i) {
          transform_tiles<Input>(tiles, from, from_images, grid, first + i, weights.in, weights.ins);
          for (std::int64_t point = 0; point < kPoints; ++point)
            product<kWidth, 1>(sums + i * kTileFloats + point * kTilePlane, tiles + point * kTilePlane,
                               u + point * weights.plane(), weights.width(),
                               rounded_up(grid.tiles_of(first + i), kRows), weights.width(), weights.ins, in > 0);
        }
      }
      const FilterBlock written = filter_block(out, 0);
      for (std::int64_t i = 0; i < per_task; ++i)
        write_tiles(to, sums + i * kTileFloats, to_images, grid, first + i, written.out, written.outs, epilogue);
    }
  });
}

}  // namespace

bool suits_winograd(const ConvolutionExtents& e, const Conv2dGeometry& g, Activation activation) {
#if !defined(__AVX512F__)
  return false;  // the strips of products fill 32 registers of 64 bytes
#endif
  if (e.r != 3 || e.s != 3 || g.stride_h != 1 || g.stride_w != 1 || g.dilation_h != 1 || g.dilation_w != 1 ||
      g.groups != 1 || g.compute != Compute::f32 || activation == Activation::tanh || activation == Activation::sigmoid)
    return false;
  // Tiles that hang over the edge and vectors that are not full are wasted work.
  const std::int64_t tiles = chunk_count(e.p, kSide) * chunk_count(e.q, kSide);
  return e.c >= kLanes && e.k >= kLanes && 2 * e.p * e.q >= tiles * kSide * kSide;
}

void winograd_forward(Device& device, float* y, const float* x, const float* weight, const float* bias,
                      const ConvolutionExtents& e, const Conv2dGeometry& geometry, Activation activation, float slope) {
  correlate(device, y, {e.p, e.q, e.k, 0, 0}, x, {e.h, e.w, e.c, geometry.pad_top, geometry.pad_left}, e.n,
            {weight, e.k, e.c, false}, {bias, activation, slope});
}

void winograd_input_grad(Device& device, float* d_x, const float* d_y, const float* weight, const ConvolutionExtents& e,
                         const Conv2dGeometry& geometry) {
  correlate(device, d_x, {e.h, e.w, e.c, 0, 0}, d_y, {e.p, e.q, e.k, 2 - geometry.pad_top, 2 - geometry.pad_left}, e.n,
            {weight, e.k, e.c, true}, {});
}

void winograd_weight_grad(Device& device, float* d_weight, const float* x, const float* d_y,
                          const ConvolutionExtents& e, const Conv2dGeometry& geometry) {
  const TileGrid grid(e.n, e.p, e.q);
  const Images x_images{e.h, e.w, e.c, geometry.pad_top, geometry.pad_left}, y_images{e.p, e.q, e.k, 0, 0};
  const std::int64_t k_blocks = chunk_count(e.k, kWidth), c_blocks = chunk_count(e.c, kWidth);
  // With few blocks of channels the tiles are cut as well; every group of tiles has a sum of its own.
  const std::int64_t per_group = chunk_count(grid.blocks, chunk_count(kLeastTasks, k_blocks * c_blocks));
  const std::int64_t groups = chunk_count(grid.blocks, per_group), weights = e.k * 9 * e.c;
  const std::int64_t worker_floats = 2 * kTileFloats + kWeightFloats + kWidth;
  const Scratch scratch(device, sizeof(float) * static_cast<std::size_t>((groups > 1 ? groups * weights : 0) +
                                                                         worker_floats * thread_count()));
  float* partials = groups > 1 ? scratch.as<float>() : d_weight;
  float* workers = scratch.as<float>() + (groups > 1 ? groups * weights : 0);
  parallel_for(groups * k_blocks * c_blocks, 1, [&](std::int64_t task, std::int64_t) {
    float* sums = workers + worker_floats * worker_index();
    float *x_tiles = sums + kWeightFloats, *y_tiles = x_tiles + kTileFloats;
    const std::int64_t group = task / (k_blocks * c_blocks);
    const std::int64_t k = task / c_blocks % k_blocks * kWidth, c = task % c_blocks * kWidth;
    const std::int64_t ks = std::min(kWidth, e.k - k), cs = std::min(kWidth, e.c - c);
    const std::int64_t begin = group * per_group, end = std::min(begin + per_group, grid.blocks);
    for (std::int64_t block = begin; block < end; ++block) {
      transform_tiles<Input>(x_tiles, x, x_images, grid, block, c, cs);
      transform_tiles<OutputAdjoint>(y_tiles, d_y, y_images, grid, block, k, ks);
      for (std::int64_t point = 0; point < kPoints; ++point)
        product<1, kWidth>(sums + point * kWeightPlane, y_tiles + point * kTilePlane, x_tiles + point * kTilePlane,
                           kWidth, rounded_up(ks, kRows), cs, grid.tiles_of(block), block > begin);
    }
    for (std::int64_t i = 0; i < ks; ++i)
      for (std::int64_t j = 0; j < cs; j += kLanes) {
        const float* from = sums + i * kWidth + j;
        float* to = partials + group * weights + (k + i) * 9 * e.c + c + j;
        const std::int64_t lanes = std::min(kLanes, cs - j);
        transform_square<WeightAdjoint>(
            [&](int r, int s) __attribute__((always_inline)) { return load_lanes(from + (r * 6 + s) * kWeightPlane); },
            [&](int r, int s, const Lanes& value)
                __attribute__((always_inline)) { store(to + (r * 3 + s) * e.c, value, lanes); });
      }
  });
  if (groups == 1) return;
  parallel_for(weights, kElementGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) d_weight[i] = partials[i];
    for (std::int64_t group = 1; group < groups; ++group)
      for (std::int64_t i = begin; i < end; ++i) d_weight[i] += partials[group * weights + i];
  });
}

}  // namespace counterfoil::cpu
