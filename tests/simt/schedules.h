#pragma once

#include <string>

#include <gtest/gtest.h>

#include "kernels/simt/simt.h"

namespace counterfoil::simt_test {

inline const auto kSchedules =
    testing::Values(simt::Schedule::ascending, simt::Schedule::descending, simt::Schedule::shuffled);

/// The schedule as the name of a test.
inline std::string schedule_name(const testing::TestParamInfo<simt::Schedule>& info) {
  switch (info.param) {
    case simt::Schedule::ascending:
      return "ascending";
    case simt::Schedule::descending:
      return "descending";
    case simt::Schedule::shuffled:
      return "shuffled";
  }
  return "";
}

}  // namespace counterfoil::simt_test
