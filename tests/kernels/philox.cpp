#include "kernels/philox.h"

#include <array>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace counterfoil {
namespace {

using Words = std::array<std::uint32_t, 4>;

Words lanes(const philox::Block& block) {
  return {block.lane[0], block.lane[1], block.lane[2], block.lane[3]};
}

// The vectors published with the Random123 library for philox4x32, 10 rounds.
TEST(Philox, MatchesThePublishedVectors) {
  EXPECT_EQ(lanes(philox::encrypt({{0, 0, 0, 0}}, 0, 0)), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(lanes(philox::encrypt({{ones, ones, ones, ones}}, ones, ones)),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(lanes(philox::encrypt({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0)),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, KeyAndCounterAreSeedBlockAndStream) {
  const RandomKey key = {.seed = 0x299f31d0a4093822, .stream = 0x0370734413198a2e};
  EXPECT_EQ(lanes(philox::block(key, 0x85a308d3243f6a88)), (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
  for (std::uint64_t i = 0; i < 40; ++i) EXPECT_EQ(philox::word(key, i), philox::block(key, i / 4).lane[i % 4]);
}

TEST(Philox, UniformsCoverZeroToJustBelowOne) {
  EXPECT_EQ(philox::to_uniform(0), 0.0);
  EXPECT_EQ(philox::to_uniform(0xff), 0.0);
  EXPECT_EQ(philox::to_uniform(0xffffffff), 1 - 0x1p-24);
  EXPECT_EQ(philox::uniform(0x80000000, -3, 8), 1.0);
}

TEST(Philox, DropoutComparesAsRealNumbers) {
  for (const double probability : {0.0, 0x1p-25, 0x1p-24, 0.1, 0.2, 0.5, 0.999999999}) {
    const std::uint32_t threshold = philox::keep_threshold(probability);
    for (const std::uint32_t word :
         {0u, 255u, 256u, 0x19999900u, 0x19999999u, 0x19999a00u, 0x33333300u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
      EXPECT_EQ(philox::keep(word, threshold), philox::to_uniform(word) >= probability) << word << ' ' << probability;
    }
  }
}

TEST(Philox, NormalsInvertTheDistributionFunction) {
  std::vector<std::uint32_t> words = {0, 1, 2, 100, 322122547, 322122548, 0x7fffffff, 0x80000000};
  for (std::uint64_t i = 0; i < 20000; ++i) words.push_back(philox::word({.seed = 5, .stream = 1}, i));
  for (int bit = 0; bit < 32; ++bit) words.push_back(1u << bit);
  for (const std::uint32_t word : words) {
    const double z = philox::to_normal(word);
    EXPECT_EQ(philox::to_normal(~word), -z) << word;
    const long double p = (word + 0.5L) / 4294967296.0L;
    const long double tail = p < 0.5L ? p : 1 - p;
    const long double found = std::erfc(std::fabs(static_cast<long double>(z)) / std::sqrt(2.0L)) / 2;
    // One rounding of z moves the tail by z^2 roundings, 40 at the far end.
    EXPECT_NEAR(static_cast<double>(found / tail), 1, 2e-14) << word;
    EXPECT_EQ(z < 0, p < 0.5L);
  }
  EXPECT_EQ(philox::normal(0x80000000, 2, 0), 2.0);
}

}  // namespace
}  // namespace counterfoil
