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

// A task's arrays: a plane per point of kTiles tiles, or of kWidth channels, by kWidth channels. An array of tiles
// takes at most 218 KB, so that two of them and a plane of weights lie in the second-level cache. The planes are an odd
// number of cache lines apart: at a power of two all of them would share a few sets of the first-level cache.
constexpr std::int64_t kSide = 4, kTiles = 24, kWidth = 64, kRows = 8;
constexpr std::int64_t kTilePlane = kTiles * kWidth + kLanes, kWeightPlane = kWidth * kWidth + kLanes;
constexpr std::int64_t kLeastTasks = 16, kFewBlocks = 4;

template <typename Form>
constexpr std::int64_t kPlanes = std::int64_t{Form::kPoints} * Form::kPoints;
template <typename Form>
constexpr std::int64_t kTileFloats = kPlanes<Form>* kTilePlane;
template <typename Form>
constexpr std::int64_t kPhases = std::int64_t{Form::kStep} * Form::kStep;

std::int64_t rounded_up(std::int64_t value, std::int64_t unit) {
  return chunk_count(value, unit) * unit;
}

// Images seen as overlapping or adjacent tiles of every `step`th pixel: tile (i, j) begins at row step kSide i - top
// and column step kSide j - left.
struct Images {
  std::int64_t rows, columns, channels, top, left, step;
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

// Where a tile of `extent` pixels a side lies in an array of images: `at` is its first pixel, which may lie outside;
// pixels [row_begin, row_end) down and likewise across are inside the image.
struct TilePlace {
  TilePlace(const TileGrid& grid, const Images& images, std::int64_t tile, std::int64_t extent) {
    const std::int64_t per_image = grid.down * grid.across, within = tile % per_image, step = images.step;
    const std::int64_t row = within / grid.across * kSide * step - images.top;
    const std::int64_t column = within % grid.across * kSide * step - images.left;
    at = ((tile / per_image * images.rows + row) * images.columns + column) * images.channels;
    // The first pixel at or past an edge, `distance` from the tile's first.
    const auto pixel = [&](std::int64_t distance) {
      return std::clamp<std::int64_t>((distance + step - 1) / step, 0, extent);
    };
    row_begin = pixel(-row);
    row_end = pixel(images.rows - row);
    column_begin = pixel(-column);
    column_end = pixel(images.columns - column);
    row_stride = step * images.columns * images.channels;
    column_stride = step * images.channels;
    whole = row_begin == 0 && row_end == extent && column_begin == 0 && column_end == extent;
  }
  std::int64_t offset(int i, int j) const { return i * row_stride + j * column_stride; }
  bool holds(int i, int j) const { return i >= row_begin && i < row_end && j >= column_begin && j < column_end; }

  std::int64_t at, row_begin, row_end, column_begin, column_end, row_stride, column_stride;
  bool whole;
};

// out [planes][kTiles][kWidth] = Map of the tiles of a block, channels [first, first + channels), zero past them up to
// a whole vector.
template <typename Map>
void transform_tiles(float* out, const float* data, const Images& images, const TileGrid& grid, std::int64_t block,
                     std::int64_t first, std::int64_t channels) {
  for (std::int64_t t = 0; t < grid.tiles_of(block); ++t) {
    const TilePlace place(grid, images, block * grid.per_block + t, Map::kFrom);
    for (std::int64_t c = 0; c < channels; c += kLanes) {
      const std::int64_t lanes = std::min(kLanes, channels - c), origin = place.at + first + c;
      const auto store_point = [&](int i, int j, const Lanes& value) __attribute__((always_inline)) {
        store_lanes(out + (i * Map::kTo + j) * kTilePlane + t * kWidth + c, value);
      };
      if (place.whole && lanes == kLanes) {
        transform_square<Map>(
            [&](int i, int j) __attribute__((always_inline)) { return load_lanes(data + origin + place.offset(i, j)); },
            store_point);
      } else {
        transform_square<Map>(
            [&](int i, int j) __attribute__((always_inline)) {
              return place.holds(i, j) ? load_some(data + origin + place.offset(i, j), lanes) : Lanes{};
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

// A convolution's weight [K,R,R,C] as that of a correlation from `in` to `out` channels: as it is, or from K to C and
// turned by half a circle. With steps of 2 it is four filters, of every second tap down and across.
struct Filter {
  const float* weight;
  std::int64_t k, c;
  bool transposed;
  std::int64_t in() const { return transposed ? k : c; }
  std::int64_t out() const { return transposed ? c : k; }
};

// The offset of tap (r, s) of a phase in a weight [K,R,R,C] from its filter's first value.
template <typename Form>
std::int64_t tap_offset(std::int64_t phase, int r, int s, std::int64_t c) {
  constexpr std::int64_t step = Form::kStep;
  return ((step * r + phase / step) * step * Form::kTaps + step * s + phase % step) * c;
}

// U = G g G' of a phase and a range of channels as [planes][in][out], the outputs up to whole vectors; these planes too
// are an odd number of cache lines apart.
struct FilterBlock {
  std::int64_t phase, in, ins, out, outs;
  std::int64_t width() const { return rounded_up(outs, kLanes); }
  std::int64_t plane() const { return ins * width() + kLanes; }
};

template <typename Form>
void pack(float* packed, const FilterBlock& block, const Filter& filter) {
  constexpr int taps = Form::kTaps;
  const std::int64_t row = kPhases<Form> * taps * taps * filter.c;
  for (std::int64_t out = 0; out < block.outs; out += kLanes) {
    for (std::int64_t in = 0; in < block.ins; in += kLanes) {
      const std::int64_t ins = std::min(kLanes, block.ins - in), outs = std::min(kLanes, block.outs - out);
      Lanes g[taps][taps][kLanes];  // [][][channel in], the lanes are channels out
      for (int r = 0; r < taps; ++r) {
        for (int s = 0; s < taps; ++s) {
          const float* from = filter.weight + tap_offset<Form>(block.phase, r, s, filter.c);
          if (filter.transposed) {
            from += (block.in + in) * row + block.out + out;
            for (std::int64_t i = 0; i < ins; ++i) g[taps - 1 - r][taps - 1 - s][i] = load(from + i * row, outs);
          } else {
            from += (block.out + out) * row + block.in + in;
            for (std::int64_t i = 0; i < kLanes; ++i) g[r][s][i] = i < outs ? load(from + i * row, ins) : Lanes{};
            transpose(g[r][s]);
          }
        }
      }
      for (std::int64_t i = 0; i < ins; ++i) {
        float* to = packed + (in + i) * block.width() + out;
        transform_square<typename Form::Weight>(
            [&](int r, int s) __attribute__((always_inline)) { return g[r][s][i]; },
            [&](int r, int s, const Lanes& value)
                __attribute__((always_inline)) { store_lanes(to + (r * Form::kPoints + s) * block.plane(), value); });
      }
    }
  }
}

struct Epilogue {
  const float* bias = nullptr;  // of the block's channels
  Activation activation = Activation::identity;
  float slope = 0;
};

// y's tiles of a block, channels [first, first + channels), from sums [planes][kTiles][kWidth].
template <typename Form>
void write_tiles(float* y, const float* sums, const Images& images, const TileGrid& grid, std::int64_t block,
                 std::int64_t first, std::int64_t channels, const Epilogue& epilogue) {
  for (std::int64_t t = 0; t < grid.tiles_of(block); ++t) {
    const TilePlace place(grid, images, block * grid.per_block + t, kSide);
    for (std::int64_t c = 0; c < channels; c += kLanes) {
      const std::int64_t lanes = std::min(kLanes, channels - c);
      const Lanes bias = epilogue.bias != nullptr ? load(epilogue.bias + first + c, lanes) : Lanes{};
      float* to = y + place.at + first + c;
      transform_square<typename Form::Output>(
          [&](int i, int j) __attribute__((always_inline)) {
            return load_lanes(sums + (i * Form::kPoints + j) * kTilePlane + t * kWidth + c);
          },
          [&](int i, int j, const Lanes& sum) __attribute__((always_inline)) {
            Lanes value = sum + bias;
            if (epilogue.activation == Activation::relu) value = value < 0 ? Lanes{} : value;
            if (epilogue.activation == Activation::leaky_relu) value = value > 0 ? value : epilogue.slope * value;
            if (place.holds(i, j)) store(to + place.offset(i, j), value, lanes);
          });
    }
  }
}

// What a phase reads and writes.
struct PhaseImages {
  Images from, to;
};

// The phase of x that phase `phase` of the weight multiplies, beside y.
template <typename Form>
PhaseImages forward_images(const ConvolutionExtents& e, const Conv2dGeometry& g, std::int64_t phase) {
  constexpr std::int64_t step = Form::kStep;
  return {.from = {e.h, e.w, e.c, g.pad_top - phase / step, g.pad_left - phase % step, step},
          .to = {e.p, e.q, e.k, 0, 0, 1}};
}

// Row i of x sees row p of y through tap r = i + pad - step p. The rows with (i + pad) mod step = phase are therefore a
// correlation of y's rows with the taps of that phase, turned round.
template <typename Form>
PhaseImages input_grad_images(const ConvolutionExtents& e, const Conv2dGeometry& g, std::int64_t phase) {
  constexpr std::int64_t step = Form::kStep;
  const std::int64_t row = g.pad_top - phase / step, column = g.pad_left - phase % step;
  const std::int64_t first_row = (row + step - 1) / step, first_column = (column + step - 1) / step;
  return {.from = {e.p, e.q, e.k, Form::kTaps - 1 - first_row, Form::kTaps - 1 - first_column, 1},
          .to = {e.h, e.w, e.c, row - step * first_row, column - step * first_column, step}};
}

// to = correlation of `from` with the filter. A phase of the filter is one more block of channels: of those read, or,
// of the transposed filter, of those written.
template <typename Form>
void correlate(Device& device, float* to, const float* from, const ConvolutionExtents& e, const Conv2dGeometry& g,
               const Filter& filter, const Epilogue& epilogue) {
  const bool transposed = filter.transposed;
  const TileGrid grid = transposed ? TileGrid(e.n, chunk_count(e.h, Form::kStep), chunk_count(e.w, Form::kStep))
                                   : TileGrid(e.n, e.p, e.q);
  const std::int64_t in_parts = transposed ? 1 : kPhases<Form>, out_parts = transposed ? kPhases<Form> : 1;
  const std::int64_t in_blocks = in_parts * chunk_count(filter.in(), kWidth);
  const std::int64_t out_blocks = out_parts * chunk_count(filter.out(), kWidth);
  const auto filter_block = [&](std::int64_t out, std::int64_t in) {
    FilterBlock block{.phase = in % in_parts + out % out_parts,
                      .in = in / in_parts * kWidth,
                      .ins = 0,
                      .out = out / out_parts * kWidth,
                      .outs = 0};
    block.ins = std::min(kWidth, filter.in() - block.in);
    block.outs = std::min(kWidth, filter.out() - block.out);
    return block;
  };
  const auto images_of = [&](const FilterBlock& block) {
    return transposed ? input_grad_images<Form>(e, g, block.phase) : forward_images<Form>(e, g, block.phase);
  };
  // Many channels and few tiles: a block of the weights is used by one task alone, which packs it in its own cache.
  const bool alone = grid.blocks <= kFewBlocks && out_blocks >= kFewBlocks;
  const std::int64_t per_task = alone ? grid.blocks : 1, tile_floats = kTileFloats<Form>;
  const std::int64_t block_floats = kPlanes<Form> * filter_block(0, 0).plane();
  const std::int64_t packed_floats = alone ? 0 : in_blocks * out_blocks * block_floats;
  const std::int64_t worker_floats = (1 + per_task) * tile_floats + (alone ? block_floats : 0);
  const Scratch scratch(device,
                        sizeof(float) * static_cast<std::size_t>(packed_floats + worker_floats * thread_count()));
  auto* packed = scratch.as<float>();
  if (!alone) {
    parallel_for(in_blocks * out_blocks, 1, [&](std::int64_t block, std::int64_t) {
      pack<Form>(packed + block * block_floats, filter_block(block / in_blocks, block % in_blocks), filter);
    });
  }
  // Tasks that share a block of the weights follow one another.
  const std::int64_t groups = grid.blocks / per_task, tasks = groups * out_blocks;
  parallel_for(tasks, chunk_count(tasks, 256), [&](std::int64_t begin, std::int64_t end) {
    float* tiles = packed + packed_floats + worker_floats * worker_index();
    float *sums = tiles + tile_floats, *own = sums + per_task * tile_floats;
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t out = task / groups, first = task % groups * per_task;
      for (std::int64_t in = 0; in < in_blocks; ++in) {
        const FilterBlock weights = filter_block(out, in);
        const float* u = packed + (out * in_blocks + in) * block_floats;
        if (alone) {
          pack<Form>(own, weights, filter);
          u = own;
        }
        for (std::int64_t i = 0; i < per_task; ++i) {
          transform_tiles<typename Form::Input>(tiles, from, images_of(weights).from, grid, first + i, weights.in,
                                                weights.ins);
          for (std::int64_t plane = 0; plane < kPlanes<Form>; ++plane)
            product<kWidth, 1>(sums + i * tile_floats + plane * kTilePlane, tiles + plane * kTilePlane,
                               u + plane * weights.plane(), weights.width(),
                               rounded_up(grid.tiles_of(first + i), kRows), weights.width(), weights.ins, in > 0);
        }
      }
      const FilterBlock written = filter_block(out, 0);
      for (std::int64_t i = 0; i < per_task; ++i)
        write_tiles<Form>(to, sums + i * tile_floats, images_of(written).to, grid, first + i, written.out, written.outs,
                          epilogue);
    }
  });
}

template <typename Form>
void correlate_weights(Device& device, float* d_weight, const float* x, const float* d_y, const ConvolutionExtents& e,
                       const Conv2dGeometry& g) {
  const TileGrid grid(e.n, e.p, e.q);
  const std::int64_t k_blocks = chunk_count(e.k, kWidth), c_blocks = kPhases<Form> * chunk_count(e.c, kWidth);
  // With few blocks of channels the tiles are cut as well; every group of tiles has a sum of its own.
  const std::int64_t per_group = chunk_count(grid.blocks, chunk_count(kLeastTasks, k_blocks * c_blocks));
  const std::int64_t groups = chunk_count(grid.blocks, per_group), row = e.r * e.s * e.c, weights = e.k * row;
  const std::int64_t sum_floats = kPlanes<Form> * kWeightPlane, tile_floats = kTileFloats<Form>;
  const std::int64_t partial_floats = groups > 1 ? groups * weights : 0, worker_floats = sum_floats + 2 * tile_floats;
  const Scratch scratch(device,
                        sizeof(float) * static_cast<std::size_t>(partial_floats + worker_floats * thread_count()));
  float *partials = groups > 1 ? scratch.as<float>() : d_weight, *workers = scratch.as<float>() + partial_floats;
  parallel_for(groups * k_blocks * c_blocks, 1, [&](std::int64_t task, std::int64_t) {
    float* sums = workers + worker_floats * worker_index();
    float *x_tiles = sums + sum_floats, *y_tiles = x_tiles + tile_floats;
    const std::int64_t group = task / (k_blocks * c_blocks), phase = task % kPhases<Form>;
    const std::int64_t k = task / c_blocks % k_blocks * kWidth, c = task % c_blocks / kPhases<Form> * kWidth;
    const std::int64_t ks = std::min(kWidth, e.k - k), cs = std::min(kWidth, e.c - c);
    const PhaseImages images = forward_images<Form>(e, g, phase);
    const std::int64_t begin = group * per_group, end = std::min(begin + per_group, grid.blocks);
    for (std::int64_t block = begin; block < end; ++block) {
      transform_tiles<typename Form::Input>(x_tiles, x, images.from, grid, block, c, cs);
      transform_tiles<typename Form::OutputAdjoint>(y_tiles, d_y, images.to, grid, block, k, ks);
      for (std::int64_t plane = 0; plane < kPlanes<Form>; ++plane)
        product<1, kWidth>(sums + plane * kWeightPlane, y_tiles + plane * kTilePlane, x_tiles + plane * kTilePlane,
                           kWidth, rounded_up(ks, kRows), cs, grid.tiles_of(block), block > begin);
    }
    for (std::int64_t i = 0; i < ks; ++i)
      for (std::int64_t j = 0; j < cs; j += kLanes) {
        const float* from = sums + i * kWidth + j;
        float* to = partials + group * weights + (k + i) * row + c + j;
        const std::int64_t lanes = std::min(kLanes, cs - j);
        transform_square<typename Form::WeightAdjoint>(
            [&](int r, int s)
                __attribute__((always_inline)) { return load_lanes(from + (r * Form::kPoints + s) * kWeightPlane); },
            [&](int r, int s, const Lanes& value)
                __attribute__((always_inline)) { store(to + tap_offset<Form>(phase, r, s, e.c), value, lanes); });
      }
  });
  if (groups == 1) return;
  parallel_for(weights, kElementGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) d_weight[i] = partials[i];
    for (std::int64_t group = 1; group < groups; ++group)
      for (std::int64_t i = begin; i < end; ++i) d_weight[i] += partials[group * weights + i];
  });
}

template <typename Form>
bool has_form(const ConvolutionExtents& e, const Conv2dGeometry& g) {
  constexpr int kernel = Form::kTaps * Form::kStep;
  return e.r == kernel && e.s == kernel && g.stride_h == Form::kStep && g.stride_w == Form::kStep;
}

// Calls body with the form of a convolution that suits_winograd().
template <typename Body>
void with_form(const ConvolutionExtents& e, const Conv2dGeometry& g, Body&& body) {
  if (has_form<ThreeTaps>(e, g)) {
    body(ThreeTaps{});
  } else {
    body(TwoTaps{});
  }
}

}  // namespace

bool suits_winograd(const ConvolutionExtents& e, const Conv2dGeometry& g, Activation activation) {
#if !defined(__AVX512F__)
  return false;  // the strips of products fill 32 registers of 64 bytes
#endif
  if (!(has_form<ThreeTaps>(e, g) || has_form<TwoTaps>(e, g)) || g.dilation_h != 1 || g.dilation_w != 1 ||
      g.groups != 1 || g.compute != Compute::f32 || activation == Activation::tanh || activation == Activation::sigmoid)
    return false;
  // Tiles that hang over the edge and vectors that are not full are wasted work.
  const std::int64_t tiles = chunk_count(e.p, kSide) * chunk_count(e.q, kSide);
  return e.c >= kLanes && e.k >= kLanes && 2 * e.p * e.q >= tiles * kSide * kSide;
}

void winograd_forward(Device& device, float* y, const float* x, const float* weight, const float* bias,
                      const ConvolutionExtents& e, const Conv2dGeometry& geometry, Activation activation, float slope) {
  with_form(e, geometry, [&](auto form) {
    correlate<decltype(form)>(device, y, x, e, geometry, {weight, e.k, e.c, false}, {bias, activation, slope});
  });
}

void winograd_input_grad(Device& device, float* d_x, const float* d_y, const float* weight, const ConvolutionExtents& e,
                         const Conv2dGeometry& geometry) {
  with_form(e, geometry, [&](auto form) {
    correlate<decltype(form)>(device, d_x, d_y, e, geometry, {weight, e.k, e.c, true}, {});
  });
}

void winograd_weight_grad(Device& device, float* d_weight, const float* x, const float* d_y,
                          const ConvolutionExtents& e, const Conv2dGeometry& geometry) {
  with_form(e, geometry, [&](auto form) { correlate_weights<decltype(form)>(device, d_weight, x, d_y, e, geometry); });
}

}  // namespace counterfoil::cpu
