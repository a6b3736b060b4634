#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/simt/address_sanitizer.h"
#include "kernels/simt/simt.h"
#include "tests/simt/correct.h"
#include "tests/simt/device_array.h"
#include "tests/simt/planted.h"
#include "tests/simt/schedules.h"
#include "tests/simt/source_line.h"

// Planted bugs that the layer reports without the race check.
namespace counterfoil::simt_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// What the runtime says about a planted bug, "" if nothing.
std::string report_of(Bug bug, int blocks = 1) {
  const DeviceArray<float> data(static_cast<std::size_t>(64 * blocks), 1.0f);
  plant(bug, data.get(), blocks, nullptr);
  const cudaError_t error = cudaDeviceSynchronize();
  if (error == cudaSuccess) return "";
  EXPECT_EQ(error, cudaErrorLaunchFailure);
  const std::string report = cudaGetErrorString(error);
  EXPECT_EQ(cudaGetLastError(), error);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess) << "the failure is returned once";
  return report;
}

class Misuse : public testing::TestWithParam<simt::Schedule> {
 protected:
  void SetUp() override { simt::set_options({.schedule = GetParam(), .seed = 3}); }
  void TearDown() override { simt::set_options({}); }
};

TEST_P(Misuse, DivergentBarriers) {
  EXPECT_THAT(report_of(Bug::divergent_barrier),
              AllOf(HasSubstr("kernel divergent_barrier_kernel, block (0,0,0), thread ("),
                    HasSubstr("divergent barriers"), HasSubstr(planted_line("BUG: divergent_barrier"))));
}

TEST_P(Misuse, BarrierNotReachedByAll) {
  EXPECT_THAT(
      report_of(Bug::skipped_barrier),
      AllOf(HasSubstr("kernel skipped_barrier_kernel, block (0,0,0), thread (40,0,0): barrier not reached by all"),
            HasSubstr(planted_line("BUG: skipped_barrier"))));
}

TEST_P(Misuse, LaneOutsideItsOwnMask) {
  EXPECT_THAT(report_of(Bug::not_in_mask), AllOf(HasSubstr("kernel not_in_mask_kernel, "), HasSubstr("bad mask: lane "),
                                                 HasSubstr("0x0000ffff"), HasSubstr(planted_line("BUG: not_in_mask"))));
}

TEST_P(Misuse, ExitedLaneInMask) {
  // Reported by the lane that waits or by the one that exits, whichever comes last.
  for (const auto& [bug, name, lane] :
       {std::tuple(Bug::exited_lane, "exited_lane", 0), std::tuple(Bug::exits_later, "exits_later", 31)}) {
    EXPECT_THAT(
        report_of(bug),
        AllOf(HasSubstr(std::string("kernel ") + name + "_kernel, block (0,0,0), thread ("),
              testing::AnyOf(HasSubstr("lane " + std::to_string(lane) + " in its mask 0xffffffff, which has exited"),
                             HasSubstr("exited, but is in the mask 0xffffffff")),
              HasSubstr(planted_line(std::string("BUG: ") + name))));
  }
}

TEST_P(Misuse, ShuffleDeadlock) {
  EXPECT_THAT(report_of(Bug::shuffle_deadlock),
              AllOf(HasSubstr("kernel shuffle_deadlock_kernel, block (0,0,0), thread (0,0,0): deadlock"),
                    HasSubstr(planted_line("BUG: shuffle_deadlock")), HasSubstr("lacks lanes 0xffff0000"),
                    HasSubstr("thread (16,0,0) waits at the barrier")));
}

TEST_P(Misuse, WarpOperationsAtDifferentLines) {
  EXPECT_THAT(report_of(Bug::divergent_shuffle),
              AllOf(HasSubstr("kernel divergent_shuffle_kernel, "), HasSubstr("divergent warp operations"),
                    HasSubstr(planted_line("BUG: divergent_shuffle"))));
}

TEST_P(Misuse, SharedArraysPast48KiB) {
  EXPECT_THAT(report_of(Bug::too_much_shared),
              AllOf(HasSubstr("the shared array 'too_much' at " + planted_line("BUG: too_much_shared").substr(0, 10)),
                    HasSubstr("49152")));
}

TEST_P(Misuse, WritePastASharedArray) {
#if defined(COUNTERFOIL_SIMT_ASAN)
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const std::string line = planted_line("BUG: overflow");
  EXPECT_DEATH(report_of(Bug::overflow), "use-after-poison(.|\n)*overflow_kernel(.|\n)*" + line);
#else
  EXPECT_THAT(report_of(Bug::overflow), AllOf(HasSubstr("kernel overflow_kernel, block (0,0,0), out of bounds"),
                                              HasSubstr("'first' (240 bytes")));
#endif
}

TEST_P(Misuse, TheFirstFailingBlockIsNamed) {
  simt::set_options({.schedule = GetParam(), .workers = 1});
  EXPECT_THAT(report_of(Bug::skipped_barrier, 3),
              HasSubstr(GetParam() == simt::Schedule::descending ? "block (2,0,0)" : "block ("));
  EXPECT_EQ(report_of(Bug::none), "");
}

TEST_P(Misuse, UnwrittenSharedMemoryAndUnnamedLanesReadAsPoison) {
  const DeviceArray<float> data(64, 1.0f);
  plant(Bug::uninitialised, data.get(), 1, nullptr);
  std::vector<float> found = data.read();
  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(std::isnan(found[i]), i == 58) << i;
  plant(Bug::unshuffled, data.get(), 1, nullptr);
  found = data.read();
  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(std::isnan(found[i]), i >= 8 && i < 16) << i;
}

TEST_P(Misuse, AsynchronousCopiesWithoutAWaitNeverArrive) {
  const DeviceArray<float> x(128, 1.0f), out(64);
  pipeline(out.get(), x.get(), 2, false, nullptr);
  for (const float value : out.read()) EXPECT_TRUE(std::isnan(value));
}

INSTANTIATE_TEST_SUITE_P(Schedules, Misuse, kSchedules, schedule_name);

TEST(Schedule, AMissingBarrierShowsInOneOrderOrTheOther) {
  std::vector<std::vector<float>> results;
  for (const simt::Schedule schedule : {simt::Schedule::ascending, simt::Schedule::descending}) {
    simt::set_options({.schedule = schedule});
    const DeviceArray<float> data(64);
    plant(Bug::missing_barrier, data.get(), 1, nullptr);
    results.push_back(data.read());
  }
  simt::set_options({});
  EXPECT_NE(std::isnan(results[0][0]), std::isnan(results[1][0]));
}

TEST(Schedule, OptionsAreChecked) {
  EXPECT_THROW(simt::set_options({.workers = -1}), Error);
}

}  // namespace
}  // namespace counterfoil::simt_test
