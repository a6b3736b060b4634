#include "kernels/error.h"
#include "tests/kernels/cpu_loops.h"

namespace counterfoil::cpu_loops {
namespace {

const RandomKey kKey{0x0123456789abcdefULL, 0xfedcba9876543210ULL};

// The same bits as the reference backend's f32 results, with any number of threads.
template <typename Run>
void expect_same_numbers(Shape shape, Run run, const std::string& what) {
  Floats want(shape), got(shape, 7);
  run(reference(), want.view());
  for (const int threads : {1, 2}) {
    const Threads scope(threads);
    run(cpu(), got.view());
    EXPECT_TRUE(same_bits(got, want)) << what << " " << shape.to_string();
  }
}

TEST(CpuLoopsRandom, SameNumbersAsTheReference) {
  for (const std::int64_t size : {0, 1, 3, 4, 63, 64, 65, 1023, 1025, 50001}) {
    for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{4},
                                      std::uint64_t{4 * 0xffffffffULL - 6}, std::uint64_t{1} << 40}) {
      const std::string what = " from " + std::to_string(first);
      expect_same_numbers(
          Shape{size}, [&](Backend& b, View out) { b.random_uniform(out, kKey, first, -0.3, 1.7); }, "uniform" + what);
      expect_same_numbers(
          Shape{size}, [&](Backend& b, View out) { b.random_normal(out, kKey, first, 0.1, 2.5); }, "normal" + what);
    }
  }
}

TEST(CpuLoopsRandom, DropoutKeepsTheSameElements) {
  for (const Shape& shape :
       {Shape{0, 2, 2, 1}, Shape{1, 1, 1, 1}, Shape{2, 5, 7, 3}, Shape{3, 20, 21, 16}, Shape{2, 100, 100, 5}}) {
    for (const double probability : {0.0, 0.2, 0.5, 0.999}) {
      for (const bool per_channel : {false, true}) {
        const Floats x = uniform(shape, 1, 1, 2);
        Floats want(shape), got(shape), in_place = x;
        reference().dropout(want.view(), x.view(), kKey, 5, probability, per_channel);
        const Threads scope(2);
        cpu().dropout(got.view(), x.view(), kKey, 5, probability, per_channel);
        for (std::size_t i = 0; i < got.data.size(); ++i) {
          ASSERT_EQ(got.data[i] == 0, want.data[i] == 0) << i;
          ASSERT_NEAR(got.data[i], want.data[i], 3e-7 * static_cast<double>(want.data[i])) << i;
        }
        cpu().dropout(in_place.view(), in_place.view(), kKey, 5, probability, per_channel);
        EXPECT_TRUE(same_bits(in_place, got));
      }
    }
  }
}

TEST(CpuLoopsRandom, DropoutDropsInfinitiesToo) {
  const Floats x(Shape{1, 1, 1, 1000}, HUGE_VALF);
  Floats y(x.shape);
  for (const bool per_channel : {false, true}) {
    cpu().dropout(y.view(), x.view(), kKey, 0, 0.5, per_channel);
    for (const float value : y.data) ASSERT_FALSE(std::isnan(value));
  }
  EXPECT_THROW(cpu().dropout(y.view(), x.view(), kKey, 0, 1.0, false), Error);
}

}  // namespace
}  // namespace counterfoil::cpu_loops
