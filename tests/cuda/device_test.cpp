#include <cstring>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/backend.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/staging.h"
#include "kernels/error.h"
#include "kernels/simt/profiler_ranges.h"
#include "kernels/simt/simt.h"
#include "kernels/span.h"
#include "tensor/ops.h"

namespace counterfoil::cuda_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class CudaDevice : public testing::Test {
 protected:
  void TearDown() override { simt::set_faults({}); }

  Device& device_ = cuda::open();
};

TEST_F(CudaDevice, NamesItself) {
  EXPECT_EQ(device_.name(), "simt");
  EXPECT_THAT(device_.description(), HasSubstr("compute capability"));
  EXPECT_FALSE(device_.host_accessible());
  EXPECT_EQ(&device_, &cuda::open());
}

TEST_F(CudaDevice, CopiesMoreThanTheStagingMemoryHolds) {
  std::vector<std::uint32_t> values(2'400'007), found(values.size());
  std::iota(values.begin(), values.end(), 17u);
  const std::size_t bytes = values.size() * sizeof(std::uint32_t);
  void* const data = device_.allocate(bytes);
  void* const copy = device_.allocate(bytes);
  device_.copy_from_host(data, values.data(), bytes);
  device_.copy_within(copy, data, bytes);
  device_.copy_to_host(found.data(), copy, bytes);
  EXPECT_EQ(found, values);
  device_.release(data, bytes);
  device_.release(copy, bytes);
}

TEST_F(CudaDevice, CopiesTakeTheHostsValuesWhenTheyAreCalled) {
  Tensor x = Tensor::full({4}, 1, DType::f32, device_);
  float source[4] = {1, 2, 3, 4};
  device_.copy_from_host(x.mutable_view().data, source, sizeof source);
  std::fill_n(source, 4, -1.0f);  // nothing has run yet: streams are lazy
  EXPECT_THAT(binary(BinaryOp::add, x, x).to_doubles(), testing::ElementsAre(2, 4, 6, 8));
}

// Uploads cross on a stream of their own: each must find its place free, and nobody may read it too early. Streams are
// lazy, so a wait that is missing gives another upload's values, or poison.
TEST_F(CudaDevice, UploadsKeepTheirOrderWithKernelsAndWithEachOther) {
  constexpr int kRounds = 9;
  constexpr std::size_t kCount = 70;
  std::vector<Tensor> sums;
  Tensor x = Tensor::empty({kCount}, DType::f32, device_), sum = Tensor::zeros({kCount}, DType::f32, device_);
  for (int round = 1; round <= kRounds; ++round) {
    const std::vector<float> values(kCount, static_cast<float>(round));
    device_.copy_from_host(x.mutable_view().data, values.data(), x.bytes());  // while a kernel reads what was there
    sum = binary(BinaryOp::add, sum, x);
    sums.push_back(sum);
    if (round == 5) {
      EXPECT_EQ(sum.to_vector<float>()[0], 15) << "a download in between";
    }
  }
  for (int round = 1; round <= kRounds; ++round) {
    EXPECT_THAT(sums[static_cast<std::size_t>(round - 1)].to_doubles(), testing::Each(round * (round + 1) / 2.0));
  }
}

TEST_F(CudaDevice, UploadsOfManyPartsFollowEachOther) {
  constexpr std::size_t kCount = 2'700'000;  // three parts of the staging memory
  std::vector<std::uint32_t> values(kCount), found(kCount);
  Tensor x = Tensor::empty({static_cast<std::int64_t>(kCount)}, DType::i32, device_), first = x.clone();
  std::iota(values.begin(), values.end(), 1u);
  device_.copy_from_host(x.mutable_view().data, values.data(), x.bytes());
  device_.copy_within(first.mutable_view().data, x.view().data, x.bytes());
  std::vector<std::uint32_t> others(kCount, 5);
  device_.copy_from_host(x.mutable_view().data, others.data(), x.bytes());
  device_.copy_to_host(found.data(), first.view().data, x.bytes());
  EXPECT_EQ(found, values);
  device_.copy_to_host(found.data(), x.view().data, x.bytes());
  EXPECT_EQ(found, others);
}

TEST_F(CudaDevice, MemoryIsReusedAndCounted) {
  device_.trim();
  device_.reset_high_water();
  const MemoryUse before = device_.memory_use();
  void* const first = device_.allocate(1 << 20);
  EXPECT_EQ(device_.memory_use().in_use, before.in_use + (1 << 20));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % 256, 0u);
  device_.release(first, 1 << 20);
  EXPECT_EQ(device_.allocate(1 << 20), first);
  device_.release(first, 1 << 20);
  EXPECT_EQ(device_.memory_use().high_water, before.in_use + (1 << 20));
  EXPECT_EQ(device_.memory_use().system_calls, before.system_calls + 1);
}

TEST_F(CudaDevice, OutOfMemoryIsAnError) {
  simt::set_faults({.memory = 1 << 20});
  EXPECT_THAT([&] { device_.allocate(std::size_t{1} << 30); },
              testing::ThrowsMessage<Error>(AllOf(HasSubstr("simt: out of memory"), HasSubstr("in use"))));
}

TEST_F(CudaDevice, AFailedKernelIsNamedByTheNextWait) {
  Tensor x = Tensor::full({4}, 1, DType::f32, device_);
  device_.synchronize();
  simt::set_faults({.launch = 1});
  device_.backend().fill(x.mutable_view(), 2);
  EXPECT_THAT([&] { device_.synchronize(); }, testing::ThrowsMessage<Error>(AllOf(HasSubstr("cudaStreamSynchronize"),
                                                                                  HasSubstr("fill_vectors_kernel"))));
  device_.backend().fill(x.mutable_view(), 3);
  EXPECT_THAT(x.to_doubles(), testing::Each(3.0));
}

TEST_F(CudaDevice, ARefusedLaunchNamesOperatorKernelAndGeometry) {
  Tensor x = Tensor::full({4}, 1, DType::f32, device_);
  simt::set_faults({.refused_launch = 1});
  EXPECT_THAT([&] { device_.backend().unary(UnaryOp::exp, x.mutable_view(), x.view(), 0, 0); },
              testing::ThrowsMessage<Error>(
                  AllOf(testing::StartsWith("cuda: unary: launch of map1_kernel"), HasSubstr("block 256x1x1"))));
  simt::set_faults({.launch = 1});
  device_.backend().fill(x.mutable_view(), 2);
  EXPECT_THAT([&] { device_.synchronize(); },
              testing::ThrowsMessage<Error>(testing::StartsWith("cuda: cudaStreamSynchronize: ")));
}

// What Nsight Systems shows: the phase, in it the operator; all closed again, whatever is thrown.
TEST_F(CudaDevice, OperatorsAndPhasesAreRangesForProfilers) {
  Tensor x = Tensor::full({4}, 1, DType::f32, device_);
  const auto opened = [](const char* name) {
    const auto found = simt::opened_ranges().find(name);
    return found != simt::opened_ranges().end() ? found->second : 0;
  };
  const std::uint64_t phases = opened("a phase"), exponentials = opened("unary exp"), fills = opened("fill");
  {
    const Span span(device_, "a phase");
    EXPECT_EQ(simt::open_ranges(), 1);
    device_.backend().unary(UnaryOp::exp, x.mutable_view(), x.view(), 0, 0);
    EXPECT_EQ(simt::open_ranges(), 1);
    simt::set_faults({.refused_launch = 1});
    EXPECT_THROW(device_.backend().fill(x.mutable_view(), 2), Error);
  }
  EXPECT_EQ(simt::open_ranges(), 0);
  EXPECT_EQ(opened("a phase"), phases + 1);
  EXPECT_EQ(opened("unary exp"), exponentials + 1);
  EXPECT_EQ(opened("fill"), fills + 1);
}

TEST_F(CudaDevice, StagingMemoryThatCannotBeHadIsAskedForAgain) {
  cudaStream_t stream = nullptr;
  cuda::check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  cuda::Staging staging(stream);
  Tensor x = Tensor::full({4}, 1, DType::f32, device_);
  device_.synchronize();
  const float source[4] = {1, 2, 3, 4};
  const auto upload = [&] { staging.to_device(x.mutable_view().data, source, sizeof source); };
  simt::set_faults({.allocation = 1});
  EXPECT_THAT(upload, testing::ThrowsMessage<Error>(HasSubstr("cudaMalloc")));
  EXPECT_NO_THROW(upload());
  cuda::check(cudaStreamDestroy(stream), "cudaStreamDestroy");
  EXPECT_THAT(x.to_doubles(), testing::ElementsAre(1, 2, 3, 4));
}

TEST_F(CudaDevice, FloatsAreF32) {
  Tensor x = Tensor::full({4}, 1, DType::f64, device_);
  EXPECT_THAT([&] { device_.backend().unary(UnaryOp::exp, x.mutable_view(), x.view(), 0, 0); },
              testing::ThrowsMessage<Error>(HasSubstr("unary: expected f32 arrays")));
}

}  // namespace
}  // namespace counterfoil::cuda_test
