#include <gtest/gtest.h>

#include "kernels/cuda/cuda_device.h"
#include "tests/cases/check.h"
#include "tests/cuda/families.h"

namespace counterfoil::cuda_test {
namespace {

class CudaRaces : public testing::TestWithParam<Family> {};

// A race is a launch failure, which the next copy to the host reports.
TEST_P(CudaRaces, None) {
  for (const cases::Case& one : GetParam().small()) {
    try {
      compare_devices(one, cuda::open());
    } catch (const std::exception& error) {
      ADD_FAILURE() << one.name << ": " << error.what();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, CudaRaces, testing::ValuesIn(kFamilies),
                         [](const auto& family) { return std::string(family.param.name); });

}  // namespace
}  // namespace counterfoil::cuda_test
