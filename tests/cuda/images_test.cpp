#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "kernels/cuda/image_index.h"
#include "kernels/cuda/tile_matrix.h"
#include "tests/cuda/both.h"

// Normalisation, pooling and images of sizes that the cases do not reach: sums in chunks, long lists, wide maps; and
// the order of sums where the contract names it.

namespace counterfoil::cuda_test {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Norm {
  const char* what;
  Shape x;
  bool own_statistics, own_parameters;
};

class CudaNorms : public testing::TestWithParam<Norm> {};

TEST_P(CudaNorms, AgreeWithTheReference) {
  const auto& [what, shape, own_statistics, own_parameters] = GetParam();
  const Shape s{own_statistics ? shape[0] : 1, shape[3]}, g{own_parameters ? shape[0] : 1, shape[3]};
  const Floats x = scattered(shape, 1, 99, 101);  // a mean far from 0, where E[x^2] - E[x]^2 would cancel
  expect_agreement({s, s}, {x}, 1e-5,
                   [](Backend& backend, const Views& v) { backend.norm_statistics(v.out[0], v.out[1], v.in[0]); });
  const Floats mean = scattered(s, 2, 99.9, 100.1), variance = scattered(s, 3, 0.5, 1);
  const Floats gamma = scattered(g, 4, 0.5, 1.5), beta = scattered(g, 5), d_y = scattered(shape, 6);
  const auto apply = [](Backend& backend, View y, const Views& v) {
    backend.norm_apply(y, v.in[0], v.in[1], v.in[2], v.in[3], v.in[4], 1e-3, Activation::leaky_relu, 0.1);
  };
  expect_agreement({shape}, {x, mean, variance, gamma, beta}, 1e-5,
                   [&](Backend& backend, const Views& v) { apply(backend, v.out[0], v); });
  for (const bool differentiate : {false, true}) {
    expect_agreement({shape, g, g, shape}, {x, mean, variance, gamma, beta, d_y}, 3e-5,
                     [&](Backend& backend, const Views& v) {
                       apply(backend, v.out[3], v);
                       backend.norm_backward(v.out[0], v.out[1], v.out[2], v.in[5], v.in[0], v.out[3], v.in[1], v.in[2],
                                             v.in[3], 1e-3, Activation::leaky_relu, 0.1, differentiate);
                     });
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, CudaNorms,
                         testing::Values(Norm{"batch", {2, 67, 61, 5}, false, false},
                                         Norm{"batch_wide", {3, 11, 13, 70}, false, false},
                                         Norm{"conditional", {3, 31, 17, 6}, false, true},
                                         Norm{"instance", {3, 47, 41, 3}, true, false},
                                         Norm{"adaptive_instance", {2, 20, 11, 33}, true, true}),
                         [](const auto& one) { return std::string(one.param.what); });

TEST(CudaNorm, PowerIterationOverTheWholeGpu) {
  const Floats weight = scattered({130, 300}, 1), u = scattered({130}, 2);
  expect_agreement({{130}, {300}}, {weight, u}, 1e-5, [](Backend& backend, const Views& v) {
    backend.convert(v.out[0], v.in[1], 1);
    backend.power_iteration(v.out[0], v.out[1], v.in[0], 2, 1e-12);
  });
}

TEST(CudaPooling, AnOutputsGradientsAreAddedInAscendingOrder) {
  Device& device = cuda::open();
  // 300 outputs name pixel 5 (a list too long to sort) and every seventh names pixel 3 instead.
  Floats d_y = scattered({1, 20, 15, 1}, 1);
  for (std::size_t i = 0; i < d_y.values.size(); ++i) d_y.values[i] *= std::ldexp(1.0f, static_cast<int>(i % 24));
  for (const int every : {7, 100}) {
    std::vector<std::int32_t> index(d_y.values.size(), 5);
    std::vector<float> expected(12, 0.0f);
    for (std::size_t i = 0; i < index.size(); ++i) {
      if (i % static_cast<std::size_t>(every) == 0) index[i] = 3;
      expected[static_cast<std::size_t>(index[i])] += d_y.values[i];
    }
    Tensor d_x = Tensor::empty({1, 4, 3, 1}, DType::f32, device);
    device.backend().pool_scatter(d_x.mutable_view(), Tensor::from(d_y.values, d_y.shape, device).view(),
                                  Tensor::from(index, d_y.shape, device).view());
    EXPECT_EQ(d_x.to_vector<float>(), expected);
  }
}

TEST(CudaPooling, IndicesOutsideTheImageCountAsZero) {
  Device& device = cuda::open();
  const Tensor index = Tensor::from(std::vector<std::int32_t>{-1, 4, 2, 100}, {1, 2, 2, 1}, device);
  const Tensor x = Tensor::from(std::vector<float>{1, 2, 3, 4}, {1, 2, 2, 1}, device);
  Tensor y = x.empty_like();
  device.backend().pool_gather(y.mutable_view(), x.view(), index.view());
  EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{0, 0, 3, 0}));
  device.backend().pool_scatter(y.mutable_view(), x.view(), index.view());
  EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{0, 0, 3, 0}));
}

TEST(CudaPooling, TheFirstNanWins) {
  Device& device = cuda::open();
  const Tensor x = Tensor::from(std::vector<float>{1, kNan, 5, kNan}, {1, 2, 2, 1}, device);
  Tensor y = Tensor::empty({1, 1, 1, 1}, DType::f32, device), index = Tensor::empty({1, 1, 1, 1}, DType::i32, device);
  device.backend().max_pool(y.mutable_view(), index.mutable_view(), x.view(), PoolGeometry::square(2, 2));
  EXPECT_TRUE(std::isnan(y.item()));
  EXPECT_EQ(index.item(), 1);
}

TEST(CudaImages, ResizeByAwkwardFactors) {
  for (const ResizeMode mode : {ResizeMode::nearest, ResizeMode::bilinear}) {
    for (const auto& [from, to] : {std::pair{Shape{2, 31, 7, 3}, Shape{2, 5, 23, 3}}, {{1, 1, 9, 2}, {1, 8, 1, 2}}}) {
      const Floats x = scattered(from, 1), d_y = scattered(to, 2);
      expect_agreement({to}, {x}, 1e-6,
                       [mode](Backend& backend, const Views& v) { backend.resize(v.out[0], v.in[0], mode); });
      expect_agreement({from}, {d_y}, 1e-6,
                       [mode](Backend& backend, const Views& v) { backend.resize_backward(v.out[0], v.in[0], mode); });
    }
  }
}

// Few elements, but products of positions beyond 2^31.
TEST(CudaImages, ResizeOfLongLines) {
  const Shape from{1, 1, 40'000, 1}, to{1, 1, 50'000, 1};
  for (const ResizeMode mode : {ResizeMode::nearest, ResizeMode::bilinear}) {
    const Floats x = scattered(from, 1), d_y = scattered(to, 2);
    expect_agreement({to}, {x}, 1e-6,
                     [mode](Backend& backend, const Views& v) { backend.resize(v.out[0], v.in[0], mode); });
    expect_agreement({from}, {d_y}, 1e-6,
                     [mode](Backend& backend, const Views& v) { backend.resize_backward(v.out[0], v.in[0], mode); });
  }
}

TEST(CudaImages, WarpsOfEveryKindAndTheirAdjoints) {
  // Rotated, shrunk six times, magnified, flipped and shifted, singular, all outside, not a number.
  const Floats theta{{7, 2, 3},
                     {0.8f,  -0.6f, 0.1f, 0.6f, 0.8f,  -0.2f, 6.0f, 0.5f, 0.0f,  -0.3f, 6.0f, 0.2f, 0.2f, 0.1f,
                      -0.3f, -0.1f, 0.3f, 0.4f, -1.0f, 0.0f,  0.3f, 0.0f, -1.0f, 0.1f,  0.5f, 0.5f, 0.0f, 0.5f,
                      0.5f,  0.1f,  1.0f, 0.0f, 9.0f,  0.0f,  1.0f, 0.0f, kNan,  0.0f,  0.0f, 0.0f, 1.0f, 0.0f}};
  const Shape from{7, 19, 23, 2}, to{7, 17, 29, 2};
  // A sampling point's error of some 1e-6 pixels times the local contrast of noise.
  expect_agreement({to}, {scattered(from, 1), theta}, 3e-5,
                   [](Backend& backend, const Views& v) { backend.affine_warp(v.out[0], v.in[0], v.in[1]); });
  expect_agreement({from}, {scattered(to, 2), theta}, 3e-5,
                   [](Backend& backend, const Views& v) { backend.affine_warp_backward(v.out[0], v.in[0], v.in[1]); });
}

TEST(CudaImages, FiltersLongerThanTheImage) {
  for (const Border border : {Border::zero, Border::replicate}) {
    const Floats x = scattered({2, 4, 9, 3}, 1), down = scattered({11}, 2), across = scattered({3}, 3);
    expect_agreement({x.shape}, {x, down, across}, 1e-6, [border](Backend& backend, const Views& v) {
      backend.separable_filter(v.out[0], v.in[0], v.in[1], v.in[2], border);
    });
    expect_agreement({x.shape}, {x, down, across}, 1e-6, [border](Backend& backend, const Views& v) {
      backend.separable_filter_backward(v.out[0], v.in[0], v.in[1], v.in[2], border);
    });
  }
}

TEST(CudaImages, TotalVariationInParts) {
  const Floats x = scattered({2, 90, 70, 3}, 1);
  for (const double beta : {1.0, 1.5}) {
    expect_agreement({{2}}, {x}, 1e-5,
                     [beta](Backend& backend, const Views& v) { backend.total_variation(v.out[0], v.in[0], beta); });
  }
}

TEST(CudaImages, NearestRowOfALargeBase) {
  Device& device = cuda::open();
  Floats base = scattered({1000, 9}, 1), queries = scattered({70, 9}, 2);
  // Query 3 equals rows 40 and 900, of different parts; query 4 is nowhere near.
  for (std::size_t i = 0; i < 9; ++i) {
    base.values[900 * 9 + i] = base.values[40 * 9 + i] = queries.values[3 * 9 + i];
    queries.values[4 * 9 + i] = kNan;
  }
  const auto nearest = [&](Device& where) {
    const Tensor q = Tensor::from(queries.values, queries.shape, where);
    const Tensor b = Tensor::from(base.values, base.shape, where);
    Tensor distance = Tensor::empty({70}, DType::f32, where), index = Tensor::empty({70}, DType::i32, where);
    where.backend().nearest_row(distance.mutable_view(), index.mutable_view(), q.view(), b.view());
    return std::pair{distance.to_vector<float>(), index.to_vector<std::int32_t>()};
  };
  const auto [distance, index] = nearest(device);
  const auto [expected_distance, expected_index] = nearest(reference_device());
  EXPECT_EQ(index, expected_index);
  EXPECT_EQ(index[3], 40);
  EXPECT_TRUE(std::isnan(distance[4]) && index[4] == 0);
  for (std::size_t i = 0; i < 70; ++i) {
    if (i != 4) {
      EXPECT_NEAR(distance[i], expected_distance[i], 1e-6 * expected_distance[i]);
    }
  }
}

TEST(CudaImages, RegionsOfNoiseAndOfASpiral) {
  Device& device = cuda::open();
  for (const auto& [height, width, density] : {std::tuple{93, 101, 0.58}, {64, 64, 0.42}, {1, 700, 0.9}}) {
    Floats mask = scattered({2, height, width}, 7, 0, 1);
    for (float& value : mask.values) value = static_cast<double>(value) < density ? 1.0f : 0.0f;
    // In the second image, a comb whose teeth meet only at the bottom, and a path back to the top on its right.
    for (int h = 0; h < height; ++h) {
      for (int w = 0; w < width; ++w) {
        const bool set = h == height - 1 || w % 2 == 0 || (h == 0 && w > width / 2);
        mask.values[static_cast<std::size_t>((height + h) * width + w)] = set ? -2.0f : 0.0f;
      }
    }
    for (const int neighbours : {4, 8}) {
      const auto labels = [&](Device& where) {
        Tensor result = Tensor::empty(mask.shape, DType::i32, where);
        where.backend().connected_components(result.mutable_view(), Tensor::from(mask.values, mask.shape, where).view(),
                                             neighbours);
        return result.to_vector<std::int32_t>();
      };
      EXPECT_EQ(labels(device), labels(reference_device())) << height << "x" << width << ", " << neighbours;
    }
  }
}

TEST(CudaIndex, PositionsPastTwoToThe31) {
  const cuda::Image image{1 << 15, 1 << 14, 5};
  const std::uint64_t per_image = std::uint64_t{1 << 15} * (1 << 14) * 5, i = 3 * per_image + 2 * 81920 + 7 * 5 + 4;
  const cuda::Element<std::uint64_t> e = cuda::element_at(i, image);
  EXPECT_EQ(e.n, 3u);
  EXPECT_EQ(e.h, 2);
  EXPECT_EQ(e.w, 7);
  EXPECT_EQ(e.c, 4);
  EXPECT_EQ(cuda::offset_of(image, e.n, e.h, e.w, e.c), i);
  EXPECT_THROW(cuda::Image::of({1, 1 << 16, 1 << 15, 1}), Error);

  // A product of 2^40 sums in tiles of 128 x 64, and one too large for a launch.
  using Tile = cuda::LargeTile;
  const cuda::TileGrid grid = cuda::TileGrid::make<Tile>(std::int64_t{1} << 30, 1 << 10, 64, 1);
  EXPECT_EQ(grid.blocks(1), 1u << 27);
  EXPECT_THROW(cuda::TileGrid::make<Tile>(std::int64_t{1} << 40, 1 << 10, 64, 1).blocks(1), Error);
}

TEST(CudaIndex, ADepthIsCutIntoWholeSlicesThatCoverIt) {
  for (const std::int64_t depth : {0, 1, 511, 1024, 1025, 50'000, 1'000'003}) {
    const cuda::TileGrid grid = cuda::TileGrid::make<cuda::MediumTile>(40, 100, depth, 1);
    EXPECT_GE(static_cast<std::int64_t>(grid.parts) * grid.part_depth, depth);
    EXPECT_EQ(grid.part_depth % cuda::MediumTile::kDepth, 0);
    if (grid.parts > 1) {
      EXPECT_LT(static_cast<std::int64_t>(grid.parts - 1) * grid.part_depth, depth);
    }
  }
}

}  // namespace
}  // namespace counterfoil::cuda_test
