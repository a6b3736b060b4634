#include "kernels/simt/runtime.h"

#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "kernels/simt/simt.h"
#include "tests/simt/correct.h"
#include "tests/simt/device_array.h"

namespace counterfoil::simt_test {
namespace {

using testing::HasSubstr;

class Runtime : public testing::Test {
 protected:
  void SetUp() override {
    for (cudaStream_t& stream : streams_)
      cuda::check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "create");
    cuda::check(cudaEventCreate(&event_), "event");
  }
  void TearDown() override {
    simt::set_faults({});
    for (const cudaStream_t stream : streams_) cudaStreamDestroy(stream);
    cudaEventDestroy(event_);
    cudaGetLastError();
  }

  int to_host(const int* x, cudaStream_t stream) {
    int value = -1;
    cuda::check(cudaMemcpyAsync(&value, x, sizeof value, cudaMemcpyDeviceToHost, stream), "copy");
    cuda::check(cudaStreamSynchronize(stream), "synchronize");
    return value;
  }

  cudaStream_t streams_[2]{};
  cudaEvent_t event_ = nullptr;
};

TEST_F(Runtime, NothingRunsBeforeSomethingWaits) {
  const DeviceArray<int> x(1);
  touch(x.get(), 0, streams_[0]);
  int value = -1;
  ASSERT_EQ(cudaMemcpyAsync(&value, x.get(), sizeof value, cudaMemcpyDeviceToHost, streams_[0]), cudaSuccess);
  EXPECT_EQ(value, -1);
  EXPECT_EQ(cudaStreamQuery(streams_[0]), cudaErrorNotReady);
  EXPECT_EQ(cudaStreamSynchronize(streams_[1]), cudaSuccess);
  EXPECT_EQ(value, -1);
  EXPECT_EQ(cudaStreamSynchronize(streams_[0]), cudaSuccess);
  EXPECT_EQ(value, 1);
  EXPECT_EQ(cudaStreamQuery(streams_[0]), cudaSuccess);
}

/// Pages of this process that lie in memory, in bytes.
std::size_t resident_bytes() {
  std::size_t all = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

TEST_F(Runtime, LargeMemoryIsPoisonAndTakesNoneUntilItIsWritten) {
  constexpr std::size_t kBytes = (std::size_t{2} << 30) + 4097;
  constexpr unsigned char kPoison = 0xff;
  const std::size_t before = resident_bytes();
  unsigned char* data = nullptr;
  ASSERT_EQ(cudaMalloc(&data, kBytes), cudaSuccess);
  const std::size_t places[] = {0, 4095, (std::size_t{64} << 20) - 1, std::size_t{64} << 20, kBytes / 2, kBytes - 1};
  for (const std::size_t place : places) {
    ASSERT_EQ(data[place], kPoison) << place;
    data[place] = 7;
  }
  for (const std::size_t place : places) EXPECT_EQ(data[place], 7) << place;
  EXPECT_EQ(data[1], kPoison);
  EXPECT_EQ(data[kBytes / 2 + 1], kPoison);
  // All but the ends becomes poison again.
  ASSERT_EQ(cudaMemsetAsync(data + 1, -1, kBytes - 2, streams_[0]), cudaSuccess);
  ASSERT_EQ(cudaStreamSynchronize(streams_[0]), cudaSuccess);
  for (const std::size_t place : places) {
    EXPECT_EQ(data[place], place == 0 || place == kBytes - 1 ? 7 : kPoison) << place;
  }
  EXPECT_LT(resident_bytes() - before, std::size_t{256} << 20);
  EXPECT_EQ(cudaFree(data), cudaSuccess);
}

TEST_F(Runtime, EventsOrderStreams) {
  const DeviceArray<int> x(1);
  touch(x.get(), 0, streams_[0]);
  ASSERT_EQ(cudaEventRecord(event_, streams_[0]), cudaSuccess);
  touch(x.get(), 0, streams_[0]);
  ASSERT_EQ(cudaStreamWaitEvent(streams_[1], event_), cudaSuccess);
  EXPECT_EQ(cudaEventQuery(event_), cudaErrorNotReady);
  EXPECT_EQ(to_host(x.get(), streams_[1]), 1) << "what was issued before the record, and no more";
  EXPECT_EQ(cudaEventQuery(event_), cudaSuccess);
  EXPECT_EQ(to_host(x.get(), streams_[0]), 2);
}

TEST_F(Runtime, EventsMeasureTime) {
  cudaEvent_t stop = nullptr;
  ASSERT_EQ(cudaEventCreate(&stop), cudaSuccess);
  float milliseconds = -1.0f;
  ASSERT_EQ(cudaEventRecord(event_, streams_[0]), cudaSuccess);
  ASSERT_EQ(cudaEventRecord(stop, streams_[0]), cudaSuccess);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, event_, stop), cudaErrorNotReady);
  ASSERT_EQ(cudaEventSynchronize(stop), cudaSuccess);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, event_, stop), cudaSuccess);
  EXPECT_GE(milliseconds, 0.0f);
  EXPECT_EQ(cudaEventDestroy(stop), cudaSuccess);
  EXPECT_EQ(cudaEventDestroy(stop), cudaErrorInvalidResourceHandle);
}

TEST_F(Runtime, StreamZeroIsOrderedWithBlockingStreams) {
  cudaStream_t blocking = nullptr;
  ASSERT_EQ(cudaStreamCreate(&blocking), cudaSuccess);
  const DeviceArray<int> x(1), y(1);
  touch(x.get(), 0, blocking);
  touch(x.get(), 0, nullptr);
  touch(x.get(), 0, blocking);
  touch(y.get(), 0, streams_[0]);
  EXPECT_EQ(to_host(x.get(), nullptr), 3);
  EXPECT_EQ(cudaStreamQuery(streams_[0]), cudaErrorNotReady) << "non-blocking streams are not";
  EXPECT_EQ(cudaStreamDestroy(blocking), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(blocking), cudaErrorInvalidResourceHandle);
}

TEST_F(Runtime, GraphsReplayWhatWasCaptured) {
  const DeviceArray<int> x(1);
  ASSERT_EQ(cudaStreamBeginCapture(streams_[0], cudaStreamCaptureModeGlobal), cudaSuccess);
  touch(x.get(), 0, streams_[0]);
  ASSERT_EQ(cudaEventRecord(event_, streams_[0]), cudaSuccess);  // forks into the second stream
  ASSERT_EQ(cudaStreamWaitEvent(streams_[1], event_), cudaSuccess);
  touch(x.get(), 0, streams_[1]);
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  EXPECT_EQ(cudaStreamIsCapturing(streams_[1], &status), cudaSuccess);
  EXPECT_EQ(status, cudaStreamCaptureStatusActive);
  ASSERT_EQ(cudaEventRecord(event_, streams_[1]), cudaSuccess);  // and joins again
  ASSERT_EQ(cudaStreamWaitEvent(streams_[0], event_), cudaSuccess);
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamEndCapture(streams_[0], &graph), cudaSuccess);
  cudaGraphExec_t executable = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&executable, graph), cudaSuccess);
  ASSERT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  EXPECT_EQ(to_host(x.get(), streams_[0]), 0) << "capturing runs nothing";
  ASSERT_EQ(cudaGraphLaunch(executable, streams_[0]), cudaSuccess);
  ASSERT_EQ(cudaGraphLaunch(executable, streams_[0]), cudaSuccess);
  EXPECT_EQ(to_host(x.get(), streams_[0]), 4);
  EXPECT_EQ(cudaGraphExecDestroy(executable), cudaSuccess);
}

TEST_F(Runtime, CaptureRefusesWhatCudaRefuses) {
  cudaGraph_t graph = nullptr;
  const auto begin = [&] { ASSERT_EQ(cudaStreamBeginCapture(streams_[0], cudaStreamCaptureModeGlobal), cudaSuccess); };
  begin();
  EXPECT_EQ(cudaStreamSynchronize(streams_[0]), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(cudaStreamEndCapture(streams_[0], &graph), cudaErrorStreamCaptureInvalidated);
  begin();
  void* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, 8), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(cudaStreamEndCapture(streams_[0], &graph), cudaErrorStreamCaptureInvalidated);
  begin();
  ASSERT_EQ(cudaEventRecord(event_, streams_[0]), cudaSuccess);
  ASSERT_EQ(cudaStreamWaitEvent(streams_[1], event_), cudaSuccess);
  EXPECT_EQ(cudaStreamEndCapture(streams_[1], &graph), cudaErrorStreamCaptureUnmatched);
  EXPECT_EQ(cudaStreamEndCapture(streams_[0], &graph), cudaErrorStreamCaptureUnjoined);
  EXPECT_EQ(graph, nullptr);
  EXPECT_EQ(cudaStreamSynchronize(streams_[1]), cudaSuccess) << "the failed capture let go of both streams";
  begin();
  ASSERT_EQ(cudaEventRecord(event_, streams_[0]), cudaSuccess);
  EXPECT_EQ(cudaEventSynchronize(event_), cudaErrorCapturedEvent);
  EXPECT_EQ(cudaStreamEndCapture(streams_[0], &graph), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(cudaEventQuery(event_), cudaErrorCapturedEvent) << "until it is recorded again";
  ASSERT_EQ(cudaEventRecord(event_, streams_[1]), cudaSuccess);
  EXPECT_EQ(cudaEventSynchronize(event_), cudaSuccess);
  begin();
  EXPECT_EQ(cudaStreamWaitEvent(streams_[0], event_), cudaErrorStreamCaptureIsolation) << "recorded outside";
  EXPECT_EQ(cudaStreamEndCapture(streams_[0], &graph), cudaErrorStreamCaptureInvalidated);
}

TEST_F(Runtime, MemoryIsPoisonedCountedAndChecked) {
  std::size_t before = 0, during = 0, total = 0;
  ASSERT_EQ(cudaMemGetInfo(&before, &total), cudaSuccess);
  int* data = nullptr;
  ASSERT_EQ(cudaMalloc(&data, 4096), cudaSuccess);
  ASSERT_EQ(cudaMemGetInfo(&during, &total), cudaSuccess);
  EXPECT_EQ(before - during, 4096);
  EXPECT_EQ(to_host(data + 1023, streams_[0]), -1);
  int host[2] = {};
  EXPECT_EQ(cudaMemcpy(host, data + 1023, 8, cudaMemcpyDeviceToHost), cudaErrorInvalidValue) << "past the end";
  EXPECT_EQ(cudaMemcpy(host, data, 8, cudaMemcpyHostToDevice), cudaErrorInvalidValue) << "wrong direction";
  EXPECT_EQ(cudaMemset(data, 0, 4097), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(data, 1, 4096), cudaSuccess);
  EXPECT_EQ(to_host(data, nullptr), 0x01010101);
  EXPECT_EQ(cudaFree(host), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(data), cudaSuccess);
  EXPECT_EQ(cudaFree(data), cudaErrorInvalidValue);
}

TEST_F(Runtime, AllocationsFailWhenToldTo) {
  void* data = nullptr;
  simt::set_faults({.allocation = 2});
  EXPECT_EQ(cudaMalloc(&data, 8), cudaSuccess);
  EXPECT_EQ(cudaFree(data), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&data, 8), cudaErrorMemoryAllocation);
  EXPECT_EQ(data, nullptr);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  simt::set_faults({.memory = 1000});
  EXPECT_EQ(cudaMalloc(&data, 1001), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaMalloc(&data, 1000), cudaSuccess);
  EXPECT_EQ(cudaFree(data), cudaSuccess);
}

TEST_F(Runtime, LaunchesFailWhenToldTo) {
  const DeviceArray<int> x(1);
  simt::set_faults({.launch = 1});
  touch(x.get(), 0, streams_[0]);  // fails only when it runs
  EXPECT_EQ(cudaStreamSynchronize(streams_[0]), cudaErrorIllegalAddress);
  EXPECT_THAT(cudaGetErrorString(cudaErrorIllegalAddress), HasSubstr("kernel touch_kernel"));
  simt::set_faults({.refused_launch = 1});
  EXPECT_THAT([&] { touch(x.get(), 0, streams_[0]); },
              testing::ThrowsMessage<Error>(testing::AllOf(HasSubstr("launch of touch_kernel"), HasSubstr("grid 1x1x1"),
                                                           HasSubstr("cudaErrorInvalidConfiguration"))));
  touch(x.get(), 0, streams_[0]);
  EXPECT_EQ(to_host(x.get(), streams_[0]), 1);
}

TEST_F(Runtime, DynamicSharedMemoryHasLimits) {
  const DeviceArray<int> x(1);
  touch(x.get(), 100 * 1024, streams_[0]);  // launch asks for what passes 48 KiB
  EXPECT_EQ(to_host(x.get(), streams_[0]), 1);
  EXPECT_THROW(touch(x.get(), 164 * 1024, streams_[0]), Error);
}

TEST_F(Runtime, UnknownHandlesAreRefused) {
  const auto bogus = reinterpret_cast<cudaStream_t>(&event_);
  EXPECT_EQ(cudaStreamSynchronize(bogus), cudaErrorInvalidResourceHandle);
  const DeviceArray<int> x(1);
  EXPECT_THROW(touch(x.get(), 0, bogus), Error);
}

}  // namespace
}  // namespace counterfoil::simt_test
