#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/simt/race/memory_traffic.h"
#include "kernels/simt/simt.h"
#include "tests/simt/device_array.h"
#include "tests/simt/planted.h"
#include "tests/simt/schedules.h"
#include "tests/simt/source_line.h"

// Planted bugs that the race check reports at their source lines, whatever the schedule.
namespace counterfoil::simt_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Race : public testing::TestWithParam<simt::Schedule> {
 protected:
  void SetUp() override { simt::set_options({.schedule = GetParam(), .seed = 5}); }
  void TearDown() override { simt::set_options({}); }

  static std::string report_of(Bug bug, int blocks = 1) {
    const DeviceArray<float> data(static_cast<std::size_t>(64 * blocks), 1.0f);
    plant(bug, data.get(), blocks, nullptr);
    const cudaError_t error = cudaDeviceSynchronize();
    return error == cudaSuccess ? "" : cudaGetErrorString(error);
  }
};

TEST_P(Race, MissingBarrier) {
  EXPECT_THAT(report_of(Bug::missing_barrier),
              AllOf(HasSubstr("kernel missing_barrier_kernel, block (0,0,0), thread ("),
                    HasSubstr("data race on shared array 'tile'"), HasSubstr(planted_line("BUG: missing_barrier")),
                    HasSubstr(planted_line("WITH: missing_barrier")), HasSubstr("with no barrier between")));
}

TEST_P(Race, UpdatesByAllThreadsOfABlock) {
  EXPECT_THAT(report_of(Bug::block_race), AllOf(HasSubstr("kernel block_race_kernel, block (0,0,0), thread ("),
                                                HasSubstr("data race on shared array 'count', byte 0 of 4"),
                                                HasSubstr(planted_line("BUG: block_race"))));
}

TEST_P(Race, UpdatesByTwoBlocks) {
  EXPECT_EQ(report_of(Bug::cross_block, 1), "");
  EXPECT_THAT(report_of(Bug::cross_block, 2),
              AllOf(HasSubstr("kernel cross_block_kernel, block ("), HasSubstr("data race: "),
                    HasSubstr(planted_line("BUG: cross_block")), HasSubstr("in the same launch")));
}

TEST_P(Race, MissingSyncwarp) {
  // The first warp lacks it; the second has it and is in order.
  const std::string report = report_of(Bug::missing_syncwarp);
  EXPECT_THAT(report, AllOf(HasSubstr("kernel missing_syncwarp_kernel, block (0,0,0), thread ("),
                            HasSubstr("data race"), HasSubstr(planted_line("BUG: missing_syncwarp"))));
  for (int thread = 32; thread < 64; ++thread) {
    EXPECT_THAT(report, Not(HasSubstr("thread (" + std::to_string(thread) + ",")));
  }
}

TEST_P(Race, WritePastASharedArray) {
  EXPECT_THAT(report_of(Bug::overflow),
              AllOf(HasSubstr("kernel overflow_kernel, block (0,0,0), thread (6"), HasSubstr("out of bounds: writes"),
                    HasSubstr(" of 240 at "), HasSubstr(planted_line("BUG: overflow"))));
}

TEST_P(Race, ReadOfUnwrittenSharedMemory) {
  EXPECT_THAT(report_of(Bug::uninitialised),
              AllOf(HasSubstr("kernel uninitialised_kernel, block (0,0,0), thread (58,0,0): uninitialised"),
                    HasSubstr("'tile', byte 20 of 256"), HasSubstr(planted_line("BUG: uninitialised"))));
}

TEST_P(Race, MisalignedVector) {
  EXPECT_THAT(report_of(Bug::misaligned),
              AllOf(HasSubstr("kernel misaligned_kernel, block (0,0,0), thread (3,0,0): misaligned: writes 16 bytes"),
                    HasSubstr(planted_line("BUG: misaligned"))));
  EXPECT_EQ(report_of(Bug::none), "") << "the next launch";
}

INSTANTIATE_TEST_SUITE_P(Schedules, Race, kSchedules, schedule_name);

TEST(MemoryTraffic, SectorsAndBankConflictsPerLine) {
  simt::set_options({.memory_traffic = true});
  const DeviceArray<float> x(1024), out(128);
  traffic(out.get(), x.get(), nullptr);
  ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  simt::set_options({});
  const std::vector<simt::LineTraffic> lines = simt::take_memory_traffic();
  const auto at = [&](const std::string& mark, bool shared, bool store) {
    const std::string line = planted_line("LINE: " + mark);
    const auto found = std::find_if(lines.begin(), lines.end(), [&](const simt::LineTraffic& l) {
      return l.line == line && l.shared == shared && l.store == store;
    });
    return found != lines.end() ? *found : simt::LineTraffic{};
  };
  EXPECT_EQ(at("in_order", false, false).sectors, 4);
  EXPECT_EQ(at("strided", false, false).sectors, 32);
  EXPECT_EQ(at("strided", false, false).fewest, 4);
  EXPECT_EQ(at("conflict", true, true).passes, 32);
  EXPECT_EQ(at("padded", true, true).passes, 1);
  const simt::LineTraffic vector = at("vector", false, true);
  EXPECT_EQ(vector.kernel, "traffic_kernel");
  EXPECT_EQ(vector.bytes, 512);
  EXPECT_EQ(vector.requests, 1) << "a float4 is one access";
  EXPECT_EQ(vector.sectors, 16);
  EXPECT_THAT(simt::to_string(lines), HasSubstr("traffic_kernel"));
  EXPECT_TRUE(simt::take_memory_traffic().empty());
}

}  // namespace
}  // namespace counterfoil::simt_test
