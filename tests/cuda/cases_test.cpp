#include <gtest/gtest.h>

#include "kernels/cuda/cuda_device.h"
#include "kernels/simt/simt.h"
#include "tests/cases/check.h"
#include "tests/cuda/families.h"

namespace counterfoil::cuda_test {
namespace {

class CudaCases : public testing::TestWithParam<Family> {
 protected:
  void TearDown() override { simt::set_options({}); }
};

TEST_P(CudaCases, AgreeWithTheReference) {
  for (const cases::Case& one : GetParam().small()) {
    const cases::Report report = compare_devices(one, cuda::open());
    EXPECT_TRUE(report.passed) << report.message << ", error " << report.error;
  }
}

// check_repeat runs a case four times; here each time under another schedule.
TEST_P(CudaCases, HaveTheSameBitsUnderEverySchedule) {
  const simt::Options schedules[] = {{.schedule = simt::Schedule::ascending},
                                     {.schedule = simt::Schedule::descending},
                                     {.schedule = simt::Schedule::shuffled, .seed = 1},
                                     {.schedule = simt::Schedule::shuffled, .seed = 2, .workers = 3}};
  for (const cases::Case& one : GetParam().small()) {
    std::size_t run = 0;
    cases::Case scheduled = one;
    scheduled.apply = [&](const Variables& inputs) {
      simt::set_options(schedules[run++ % std::size(schedules)]);
      return one.apply(inputs);
    };
    const cases::Report report = check_repeat(scheduled, cuda::open());
    EXPECT_TRUE(report.passed) << report.message;
    EXPECT_EQ(run, std::size(schedules));
  }
}

INSTANTIATE_TEST_SUITE_P(Families, CudaCases, testing::ValuesIn(kFamilies),
                         [](const auto& family) { return std::string(family.param.name); });

}  // namespace
}  // namespace counterfoil::cuda_test
