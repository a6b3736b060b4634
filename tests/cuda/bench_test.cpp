#include <algorithm>
#include <fstream>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "bench/subjects/subject.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/peak.h"
#include "kernels/simt/simt.h"

namespace counterfoil::cuda_test {
namespace {

/// "max_pool_kernel<unsigned int>" and "max_pool_kernel<64bit>" are both of max_pool_kernel.
std::string without_arguments(const std::string& name) {
  return name.substr(0, name.find('<'));
}

// An engineer with a GPU finds a benchmark of each kernel in the budget.
TEST(CudaBench, StartsEveryKernel) {
  for (const bench::Subject& subject : bench::all_subjects(bench::Sizes::small())) {
    const bench::Run run = subject.prepare(cuda::open());
    ASSERT_NO_THROW(run(cuda::open().backend()); cuda::open().synchronize()) << subject.name;
  }
  std::set<std::string> started;
  for (const auto& [name, count] : simt::launches()) started.insert(without_arguments(name));
  std::ifstream budget(COUNTERFOIL_SOURCE_DIR "/tests/cuda/budget.txt");
  std::string line;
  std::getline(budget, line);
  int kernels = 0;
  for (; std::getline(budget, line); ++kernels) {
    const std::string kernel = without_arguments(line.substr(0, line.find(' ')));
    EXPECT_TRUE(started.contains(kernel)) << "no benchmark starts " << kernel;
  }
  EXPECT_GT(kernels, 70);
}

TEST(CudaBench, NamesAreUnique) {
  for (const bench::Sizes& sizes : {bench::Sizes{}, bench::Sizes::small()}) {
    std::set<std::string> names;
    for (const bench::Subject& subject : bench::all_subjects(sizes)) {
      EXPECT_TRUE(names.insert(subject.name).second) << subject.name;
    }
  }
}

// The figures that NVIDIA publishes, within 1 %: A100 SXM 40 GB, and H100 SXM at the clock of 1.83 GHz that they are
// for.
TEST(CudaPeak, IsThePublishedOne) {
  const Peak a100 = cuda::peak_of({.major = 8,
                                   .minor = 0,
                                   .multiprocessors = 108,
                                   .clock_khz = 1'410'000,
                                   .memory_clock_khz = 1'215'000,
                                   .memory_bits = 5120,
                                   .cache_bytes = 40 << 20});
  EXPECT_NEAR(a100.flops, 19.5e12, 0.2e12);
  EXPECT_NEAR(a100.tensor_flops, 312e12, 3e12);
  EXPECT_NEAR(a100.memory_bytes, 1.555e12, 0.016e12);
  const Peak h100 = cuda::peak_of({.major = 9,
                                   .minor = 0,
                                   .multiprocessors = 132,
                                   .clock_khz = 1'830'000,
                                   .memory_clock_khz = 2'619'000,
                                   .memory_bits = 5120,
                                   .cache_bytes = 50 << 20});
  EXPECT_NEAR(h100.tensor_flops, 989e12, 10e12);
  EXPECT_NEAR(h100.memory_bytes, 3.35e12, 0.034e12);
}

TEST(CudaPeak, IsUnknownWithoutAClock) {
  const Peak peak = cuda::peak_of_device();
  EXPECT_EQ(peak.flops, 0);
  EXPECT_EQ(peak.cache_bytes, 0);
}

}  // namespace
}  // namespace counterfoil::cuda_test
