#include "tests/simt/correct.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/simt/simt.h"
#include "tests/simt/device_array.h"

// Every kernel against plain host loops that add in the same order, bitwise, under the three schedules. The same file
// is built twice: as it is, and with the race check watching, which must find nothing.
namespace counterfoil::simt_test {
namespace {

struct Setting {
  const char* name;
  simt::Options options;
};

class Correct : public testing::TestWithParam<Setting> {
 protected:
  void SetUp() override { simt::set_options(GetParam().options); }
  void TearDown() override { simt::set_options({}); }
};

std::vector<float> numbers(int n, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& value : values) value = static_cast<float>(generator() >> 8) * 0x1p-23f - 1.0f;
  return values;
}

float host_warp_sum(std::vector<float> lanes) {
  for (std::size_t offset = 16; offset > 0; offset /= 2) {
    for (std::size_t lane = 0; lane + offset < 32; ++lane) lanes[lane] += lanes[lane + offset];
  }
  return lanes[0];
}

TEST_P(Correct, BlockSum) {
  for (const int n : {1, 255, 256, 257, 10000}) {
    const int blocks = 5;
    const std::vector<float> x = numbers(n, 1);
    std::vector<float> expected;
    for (int block = 0; block < blocks; ++block) {
      std::vector<float> warps(32, 0.0f);
      for (int warp = 0; warp < 8; ++warp) {
        std::vector<float> lanes(32, 0.0f);
        for (int lane = 0; lane < 32; ++lane) {
          for (int i = block * 256 + warp * 32 + lane; i < n; i += blocks * 256) {
            lanes[static_cast<std::size_t>(lane)] += x[static_cast<std::size_t>(i)];
          }
        }
        warps[static_cast<std::size_t>(warp)] = host_warp_sum(lanes);
      }
      expected.push_back(host_warp_sum(warps));
    }
    const DeviceArray<float> device_x(x), out(static_cast<std::size_t>(blocks));
    block_sum(out.get(), device_x.get(), n, blocks, nullptr);
    EXPECT_EQ(out.read(), expected) << n;
  }
}

TEST_P(Correct, TiledMatmul) {
  for (const auto& [m, k, n] : {std::tuple(1, 1, 1), std::tuple(16, 16, 16), std::tuple(33, 47, 19)}) {
    const std::vector<float> a = numbers(m * k, 2), b = numbers(k * n, 3);
    std::vector<float> expected;
    for (int i = 0; i < m; ++i) {
      for (int j = 0; j < n; ++j) {
        float sum = 0.0f;
        for (int l = 0; l < k; ++l) {
          sum = std::fma(a[static_cast<std::size_t>(i * k + l)], b[static_cast<std::size_t>(l * n + j)], sum);
        }
        expected.push_back(sum);
      }
    }
    const DeviceArray<float> device_a(a), device_b(b), c(expected.size());
    tiled_matmul(c.get(), device_a.get(), device_b.get(), m, k, n, nullptr);
    EXPECT_EQ(c.read(), expected) << m << "x" << k << "x" << n;
  }
}

TEST_P(Correct, BallotCompaction) {
  const std::vector<float> x = numbers(1000, 4);
  std::vector<float> expected;
  for (const float value : x) {
    if (value > 0.0f) expected.push_back(value);
  }
  const DeviceArray<float> device_x(x), kept(x.size());
  const DeviceArray<int> count(1);
  compact(kept.get(), count.get(), device_x.get(), static_cast<int>(x.size()), nullptr);
  ASSERT_EQ(count.read()[0], static_cast<int>(expected.size()));
  std::vector<float> found = kept.read();
  found.resize(expected.size());
  EXPECT_EQ(found, expected);
}

TEST_P(Correct, WarpScan) {
  std::vector<int> x(512), expected;
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<int>(i * i % 31) - 15;
    expected.push_back(x[i] + (i % 32 != 0 ? expected.back() : 0));
  }
  const DeviceArray<int> device_x(x), out(x.size());
  warp_scan(out.get(), device_x.get(), static_cast<int>(x.size()), nullptr);
  EXPECT_EQ(out.read(), expected);
}

TEST_P(Correct, Histogram) {
  std::vector<unsigned char> x(5000);
  std::vector<unsigned> expected(256, 0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<unsigned char>(i * i % 251);
    ++expected[x[i]];
  }
  const DeviceArray<unsigned char> device_x(x);
  const DeviceArray<unsigned> bins(256);
  histogram(bins.get(), device_x.get(), static_cast<int>(x.size()), nullptr);
  EXPECT_EQ(bins.read(), expected);
}

TEST_P(Correct, WarpReverseThroughDynamicSharedMemory) {
  std::vector<float4> x(128);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = make_float4(static_cast<float>(i), 1, 2, 3);
  const DeviceArray<float4> device_x(x), out(x.size());
  warp_reverse(out.get(), device_x.get(), static_cast<int>(x.size()), nullptr);
  const std::vector<float4> found = out.read();
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_EQ(found[i].x, x[i / 32 * 32 + 31 - i % 32].x) << i;
}

TEST_P(Correct, Bf16RoundsToNearestEven) {
  const std::vector<float> x = {1.0f, 1.00390625f, 1.01171875f, -3.14159274f, 3.3895e38f, 1e-40f};
  const DeviceArray<float> device_x(x);
  const DeviceArray<__nv_bfloat16> y(x.size(), __nv_bfloat16(0.0f));
  scale_to_bf16(y.get(), device_x.get(), 1.0f, static_cast<int>(x.size()), nullptr);
  std::vector<unsigned> bits;
  for (const __nv_bfloat16 value : y.read()) bits.push_back(__bfloat16_as_ushort(value));
  EXPECT_THAT(bits, testing::ElementsAre(0x3f80u, 0x3f80u, 0x3f82u, 0xc049u, 0x7f7fu, 0x0001u));
}

TEST_P(Correct, ShufflesWithGroups) {
  const DeviceArray<int> out(128);
  shuffles(out.get(), nullptr);
  const std::vector<int> found = out.read();
  for (int lane = 0; lane < 32; ++lane) {
    const auto l = static_cast<std::size_t>(lane);
    EXPECT_EQ(found[l], lane / 8 * 8 + 1);                       // 9 wraps around in groups of 8
    EXPECT_EQ(found[32 + l], lane % 16 >= 3 ? lane - 3 : lane);  //
    EXPECT_EQ(found[64 + l], lane + 5 < 32 ? lane + 5 : lane);   //
    const int across = lane >= 16 ? lane - 16 : lane;            // lower groups may be read, higher not
    EXPECT_EQ(found[96 + l], across * 100 + (lane / 16 * 16 + (lane % 16 ^ 5))) << lane;
  }
}

TEST_P(Correct, MatrixFragments) {
  for (const int depth : {16, 8}) {  // small integers: exact in bf16 and tf32, whatever the order
    std::vector<float> a(static_cast<std::size_t>(16 * depth)), b(static_cast<std::size_t>(depth * 8)), expected;
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i * i % 23) - 11.0f;
    for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i * 7 % 19) - 9.0f;
    for (int row = 0; row < 16; ++row) {
      for (int column = 0; column < 8; ++column) {
        float sum = 1.0f;
        for (int k = 0; k < depth; ++k) {
          sum += a[static_cast<std::size_t>(row * depth + k)] * b[static_cast<std::size_t>(k * 8 + column)];
        }
        expected.push_back(sum);
      }
    }
    const DeviceArray<float> device_a(a), device_b(b), out(128);
    (depth == 16 ? product_bf16 : product_tf32)(out.get(), device_a.get(), device_b.get(), nullptr);
    EXPECT_EQ(out.read(), expected) << depth;
  }
}

// 0xffffffff is what uninitialised memory holds: a rounding that carried out of it would hide it.
TEST_P(Correct, MatrixFragmentsKeepNan) {
  for (const int depth : {16, 8}) {
    std::vector<float> a(static_cast<std::size_t>(16 * depth), 0.0f);
    const std::vector<float> b(static_cast<std::size_t>(depth * 8), 1.0f);
    a[static_cast<std::size_t>(3 * depth + 5)] = std::bit_cast<float>(0xffffffffu);
    const DeviceArray<float> device_a(a), device_b(b), out(128);
    (depth == 16 ? product_bf16 : product_tf32)(out.get(), device_a.get(), device_b.get(), nullptr);
    const std::vector<float> found = out.read();
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(std::isnan(found[i]), i / 8 == 3) << "depth " << depth << ", row " << i / 8;
    }
  }
}

TEST_P(Correct, AsynchronousCopiesArriveWhenWaitedFor) {
  const std::vector<float> x = numbers(5 * 64, 6);
  std::vector<float> expected(64, 0.0f);
  for (std::size_t i = 0; i < x.size(); ++i) expected[i % 64] += x[i];
  const DeviceArray<float> device_x(x), out(64);
  pipeline(out.get(), device_x.get(), 5, true, nullptr);
  EXPECT_EQ(out.read(), expected);
}

INSTANTIATE_TEST_SUITE_P(Schedules, Correct,
                         testing::Values(Setting{"ascending", {.schedule = simt::Schedule::ascending}},
                                         Setting{"descending", {.schedule = simt::Schedule::descending}},
                                         Setting{"shuffled", {.schedule = simt::Schedule::shuffled, .seed = 1}},
                                         Setting{"shuffled2",
                                                 {.schedule = simt::Schedule::shuffled, .seed = 2, .workers = 1}},
                                         Setting{"workers", {.workers = 3}}),
                         [](const auto& setting) { return setting.param.name; });

}  // namespace
}  // namespace counterfoil::simt_test
