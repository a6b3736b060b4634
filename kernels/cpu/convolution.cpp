#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/checks.h"
#include "kernels/cpu/bf16.h"
#include "kernels/cpu/convolution_tiles.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/few_channels.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/winograd.h"
#include "kernels/require_f32.h"
#include "kernels/scratch.h"

namespace counterfoil {

namespace {

using namespace cpu;

// Tiles of this much work hide what it costs to start one.
constexpr double kLeastFlops = 2e6;
constexpr std::int64_t kMostTiles = 16;

// An operand that oneDNN reads: itself in f32, or its rounded copy in the worker's scratch memory.
const void* operand(const float* data, std::int64_t count, Compute compute, std::byte* room) {
  if (compute == Compute::f32) return data;
  auto* rounded = reinterpret_cast<std::uint16_t*>(room);
  round_to_bf16(rounded, data, count);
  return rounded;
}

// A whole array rounded through bf16, for kernels and processors without bf16 arithmetic.
void round_all(float* out, const ConstView& x) {
  parallel_for(x.size(), kElementGrain, [&](std::int64_t begin, std::int64_t end) {
    round_through_bf16(out + begin, x.as<float>() + begin, end - begin);
  });
}

struct TilePlan {
  Tile tile;
  const ConvolutionPlan* plan;
};

// A convolution cut in tiles, with a plan for each; all plans share one packed weight layout.
class TiledConvolution {
 public:
  TiledConvolution(Direction direction, const ConvolutionExtents& extents, const Conv2dGeometry& geometry,
                   const Tiling& tiling, bool has_bias, Activation activation, double slope)
      : direction_(direction), extents_(extents), compute_(geometry.compute) {
    ConvolutionProblem problem{.direction = direction,
                               .images = tiling.images_per_tile(),
                               .h = extents.h,
                               .w = extents.w,
                               .c = extents.c,
                               .p = extents.p,
                               .q = extents.q,
                               .k = extents.k,
                               .r = extents.r,
                               .s = extents.s,
                               .geometry = geometry,
                               .has_bias = has_bias,
                               .activation = activation,
                               .slope = static_cast<float>(slope)};
    whole_ = &convolution_plan(problem);
    const ConvolutionProblem whole_problem = problem;
    tiles_.reserve(static_cast<std::size_t>(tiling.count()));
    for (std::int64_t i = 0; i < tiling.count(); ++i) {
      const Tile tile = tiling[i];
      problem.images = tile.images;
      problem.h = tile.x_rows;
      problem.p = tile.y_rows;
      problem.geometry.pad_top = tile.pad_top;
      problem.geometry.pad_bottom = tile.pad_bottom;
      const ConvolutionPlan* plan = tile.y_rows == 0           ? nullptr
                                    : problem == whole_problem ? whole_
                                                               : &convolution_plan(problem, whole_);
      tiles_.push_back({tile, plan});
      if (plan != nullptr) plan_bytes_ = std::max(plan_bytes_, aligned(plan->scratch_bytes()));
      x_bytes_ = std::max(x_bytes_, rounded_bytes(direction != Direction::input_grad, x_count(tile)));
      y_bytes_ = std::max(y_bytes_, rounded_bytes(direction != Direction::forward, y_count(tile)));
    }
  }

  std::int64_t count() const { return static_cast<std::int64_t>(tiles_.size()); }
  const ConvolutionPlan& whole() const { return *whole_; }
  std::size_t packed_bytes() const { return aligned(whole_->packed_bytes()); }
  std::size_t worker_bytes() const { return plan_bytes_ + x_bytes_ + y_bytes_; }

  // Runs one tile inside a chunk; `scratch` holds worker_bytes() for each worker.
  void run(std::int64_t index, const float* x, const void* packed, const float* bias, const float* y,
           std::byte* scratch) const {
    const auto& [tile, plan] = tiles_[static_cast<std::size_t>(index)];
    std::byte* room = scratch + static_cast<std::size_t>(worker_index()) * worker_bytes();
    x += (tile.image * extents_.h + tile.x_begin) * extents_.w * extents_.c;
    y += (tile.image * extents_.p + tile.y_begin) * extents_.q * extents_.k;
    const void* x_read =
        direction_ == Direction::input_grad ? x : operand(x, x_count(tile), compute_, room + plan_bytes_);
    const void* y_read =
        direction_ == Direction::forward ? y : operand(y, y_count(tile), compute_, room + plan_bytes_ + x_bytes_);
    if (plan == nullptr) {  // rows of x that no output looks at
      std::fill_n(const_cast<float*>(x), x_count(tile), 0.0F);
      return;
    }
    plan->run(x_read, packed, bias, y_read, room);
  }

 private:
  static std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }
  std::size_t rounded_bytes(bool is_read, std::int64_t elements) const {
    return is_read && compute_ == Compute::bf16 ? aligned(2 * static_cast<std::size_t>(elements)) : 0;
  }
  std::int64_t x_count(const Tile& tile) const { return tile.images * tile.x_rows * extents_.w * extents_.c; }
  std::int64_t y_count(const Tile& tile) const { return tile.images * tile.y_rows * extents_.q * extents_.k; }

  Direction direction_;
  const ConvolutionExtents& extents_;
  Compute compute_;
  const ConvolutionPlan* whole_ = nullptr;
  std::vector<TilePlan> tiles_;
  std::size_t plan_bytes_ = 0, x_bytes_ = 0, y_bytes_ = 0;
};

std::size_t workers() {
  return static_cast<std::size_t>(thread_count());
}

}  // namespace

void CpuBackend::conv2d(View y, ConstView x, ConstView weight, ConstView bias, const Conv2dGeometry& geometry,
                        Activation activation, double slope) {
  check::conv2d(y, x, weight, bias, geometry);
  require_f32("conv2d", y);
  if (y.size() == 0) return;
  const auto* bias_data = bias.as<float>();
  if (x.size() == 0 || weight.size() == 0) {
    epilogue_of_nothing(y.as<float>(), y.size() / y.shape[3], y.shape[3], bias_data, activation,
                        static_cast<float>(slope));
    return;
  }
  const ConvolutionExtents extents(x, weight, y, geometry);
  const bool few = has_few_channels(extents, geometry);
  if (geometry.compute == Compute::bf16 && (few || !has_bf16_hardware())) {
    const Scratch rounded(device_, sizeof(float) * static_cast<std::size_t>(x.size() + weight.size()));
    auto* x_rounded = rounded.as<float>();
    round_all(x_rounded, x);
    round_all(x_rounded + x.size(), weight);
    Conv2dGeometry in_f32 = geometry;
    in_f32.compute = Compute::f32;
    conv2d(y, {x_rounded, x.shape, x.dtype}, {x_rounded + x.size(), weight.shape, x.dtype}, bias, in_f32, activation,
           slope);
    return;
  }
  if (few) {
    few_channels_forward(device_, y.as<float>(), x.as<float>(), weight.as<float>(), bias_data, extents, geometry,
                         activation, static_cast<float>(slope));
    return;
  }
  if (suits_winograd(extents, geometry, activation)) {
    winograd_forward(device_, y.as<float>(), x.as<float>(), weight.as<float>(), bias_data, extents, geometry,
                     activation, static_cast<float>(slope));
    return;
  }
  const Tiling tiling(extents, geometry, Tiling::By::y_rows, kMostTiles, kLeastFlops);
  const TiledConvolution tiles(Direction::forward, extents, geometry, tiling, bias_data != nullptr, activation, slope);
  const Scratch scratch(device_, tiles.packed_bytes() + workers() * tiles.worker_bytes());
  auto* packed = scratch.as<std::byte>();
  tiles.whole().pack(packed, weight.as<float>());
  parallel_for(tiles.count(), 1, [&](std::int64_t tile, std::int64_t) {
    tiles.run(tile, x.as<float>(), packed, bias_data, y.as<float>(), packed + tiles.packed_bytes());
  });
}

void CpuBackend::conv2d_input_grad(View d_x, ConstView d_y, ConstView weight, const Conv2dGeometry& geometry) {
  check::conv2d_input_grad(d_x, d_y, weight, geometry);
  require_f32("conv2d_input_grad", d_x);
  if (d_x.size() == 0) return;
  if (d_y.size() == 0 || weight.size() == 0) {
    fill(d_x, 0.0);
    return;
  }
  const ConvolutionExtents extents(d_x, weight, d_y, geometry);
  const bool few = has_few_channels(extents, geometry);
  if (geometry.compute == Compute::bf16 && (few || !has_bf16_hardware())) {
    const Scratch rounded(device_, sizeof(float) * static_cast<std::size_t>(d_y.size() + weight.size()));
    auto* d_y_rounded = rounded.as<float>();
    round_all(d_y_rounded, d_y);
    round_all(d_y_rounded + d_y.size(), weight);
    Conv2dGeometry in_f32 = geometry;
    in_f32.compute = Compute::f32;
    conv2d_input_grad(d_x, {d_y_rounded, d_y.shape, d_y.dtype}, {d_y_rounded + d_y.size(), weight.shape, d_y.dtype},
                      in_f32);
    return;
  }
  if (few) {
    few_channels_input_grad(device_, d_x.as<float>(), d_y.as<float>(), weight.as<float>(), extents, geometry);
    return;
  }
  if (suits_winograd(extents, geometry, Activation::identity)) {
    winograd_input_grad(device_, d_x.as<float>(), d_y.as<float>(), weight.as<float>(), extents, geometry);
    return;
  }
  const Tiling tiling(extents, geometry, Tiling::By::x_rows, kMostTiles, kLeastFlops);
  const TiledConvolution tiles(Direction::input_grad, extents, geometry, tiling, false, Activation::identity, 0.0);
  const Scratch scratch(device_, tiles.packed_bytes() + workers() * tiles.worker_bytes());
  auto* packed = scratch.as<std::byte>();
  tiles.whole().pack(packed, weight.as<float>());
  parallel_for(tiles.count(), 1, [&](std::int64_t tile, std::int64_t) {
    tiles.run(tile, d_x.as<float>(), packed, nullptr, d_y.as<float>(), packed + tiles.packed_bytes());
  });
}

void CpuBackend::conv2d_weight_grad(View d_weight, ConstView x, ConstView d_y, const Conv2dGeometry& geometry) {
  check::conv2d_weight_grad(d_weight, x, d_y, geometry);
  require_f32("conv2d_weight_grad", d_weight);
  if (d_weight.size() == 0) return;
  if (x.size() == 0 || d_y.size() == 0) {
    fill(d_weight, 0.0);
    return;
  }
  const ConvolutionExtents extents(x, d_weight, d_y, geometry);
  const bool few = has_few_channels(extents, geometry);
  if (geometry.compute == Compute::bf16 && (few || !has_bf16_hardware())) {
    const Scratch rounded(device_, sizeof(float) * static_cast<std::size_t>(x.size() + d_y.size()));
    auto* x_rounded = rounded.as<float>();
    round_all(x_rounded, x);
    round_all(x_rounded + x.size(), d_y);
    Conv2dGeometry in_f32 = geometry;
    in_f32.compute = Compute::f32;
    conv2d_weight_grad(d_weight, {x_rounded, x.shape, x.dtype}, {x_rounded + x.size(), d_y.shape, x.dtype}, in_f32);
    return;
  }
  if (few) {
    few_channels_weight_grad(device_, d_weight.as<float>(), x.as<float>(), d_y.as<float>(), extents, geometry);
    return;
  }
  if (suits_winograd(extents, geometry, Activation::identity)) {
    winograd_weight_grad(device_, d_weight.as<float>(), x.as<float>(), d_y.as<float>(), extents, geometry);
    return;
  }
  // A tile writes its own gradient, so it must cover enough pixels to be worth writing and summing that.
  const double pixels_flops = 1024.0 * static_cast<double>(d_weight.size());
  const Tiling tiling(extents, geometry, Tiling::By::y_rows, kMostTiles, std::max(kLeastFlops, pixels_flops));
  const TiledConvolution tiles(Direction::weight_grad, extents, geometry, tiling, false, Activation::identity, 0.0);
  const std::size_t partial_bytes = tiles.packed_bytes();
  const Scratch scratch(device_,
                        static_cast<std::size_t>(tiles.count()) * partial_bytes + workers() * tiles.worker_bytes());
  auto* partials = scratch.as<std::byte>();
  const auto partial = [&](std::int64_t tile) {
    return reinterpret_cast<float*>(partials + static_cast<std::size_t>(tile) * partial_bytes);
  };
  parallel_for(tiles.count(), 1, [&](std::int64_t tile, std::int64_t) {
    tiles.run(tile, x.as<float>(), partial(tile), nullptr, d_y.as<float>(),
              partials + static_cast<std::size_t>(tiles.count()) * partial_bytes);
  });
  const auto elements = static_cast<std::int64_t>(tiles.whole().packed_bytes() / sizeof(float));
  if (tiles.count() > 1) {
    parallel_for(elements, kElementGrain, [&](std::int64_t begin, std::int64_t end) {
      float* sum = partial(0);
      for (std::int64_t tile = 1; tile < tiles.count(); ++tile) {
        const float* addend = partial(tile);
        for (std::int64_t i = begin; i < end; ++i) sum[i] += addend[i];
      }
    });
  }
  tiles.whole().unpack(d_weight.as<float>(), partial(0));
}

}  // namespace counterfoil
