#include <gtest/gtest.h>

#include "tests/cases/check.h"

// Every case on the CPU device against the reference in double precision, and against itself with other thread counts.

namespace counterfoil::cases {
namespace {

void for_each_small_case(const std::function<Report(const Case&)>& check) {
  for (const Case& one : all_cases()) {
    if (one.large) continue;
    const Report report = check(one);
    EXPECT_TRUE(report.passed) << report.message << ", error " << report.error;
  }
}

TEST(CpuCases, AgreeWithTheReference) {
  for_each_small_case([](const Case& one) { return compare_devices(one, cpu_device()); });
}

TEST(CpuCases, RepeatBitForBitWithAnyNumberOfThreads) {
  for_each_small_case([](const Case& one) { return check_repeat(one, cpu_device()); });
}

}  // namespace
}  // namespace counterfoil::cases
