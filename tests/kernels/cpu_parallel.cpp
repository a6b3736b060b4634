#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cpu/parallel.h"
#include "kernels/device.h"

namespace counterfoil::cpu {
namespace {

class CpuParallel : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    saved_ = thread_count();
    set_thread_count(GetParam());
  }
  void TearDown() override { set_thread_count(saved_); }

 private:
  int saved_ = 1;
};

TEST_P(CpuParallel, EveryChunkOnceAndTheSameWithAnyThreadCount) {
  for (const std::int64_t count : {0, 1, 6, 7, 8, 1000}) {
    std::vector<std::pair<std::int64_t, std::int64_t>> seen(static_cast<std::size_t>(chunk_count(count, 7)), {-1, -1});
    parallel_for(count, 7, [&](std::int64_t begin, std::int64_t end) {
      auto& slot = seen[static_cast<std::size_t>(begin / 7)];
      EXPECT_EQ(slot.first, -1);
      slot = {begin, end};
    });
    for (std::size_t i = 0; i < seen.size(); ++i) {
      EXPECT_EQ(seen[i].first, static_cast<std::int64_t>(7 * i));
      EXPECT_EQ(seen[i].second, std::min<std::int64_t>(count, static_cast<std::int64_t>(7 * (i + 1))));
    }
  }
}

TEST_P(CpuParallel, DenormalsAreFlushedInsideAndKeptOutside) {
  volatile float tiny = std::numeric_limits<float>::min();
  std::vector<float> halves(64, 1.0F);
  parallel_for(64, 1, [&](std::int64_t i, std::int64_t) { halves[static_cast<std::size_t>(i)] = tiny * 0.5F; });
  for (const float half : halves) EXPECT_EQ(half, 0.0F);
  EXPECT_GT(tiny * 0.5F, 0.0F);
}

// A handler on a helper's stack would write over the heap where oneDNN's sgemm keeps the stack register.
TEST_P(CpuParallel, NoHelperTakesASignal) {
  std::vector<int> blocked(64, -1);
  for (int turn = 0; turn < 20; ++turn) {  // until a helper wakes up
    parallel_for(64, 1, [&](std::int64_t i, std::int64_t) {
      sigset_t mask;
      pthread_sigmask(SIG_SETMASK, nullptr, &mask);
      if (worker_index() > 0) blocked[static_cast<std::size_t>(i)] = sigismember(&mask, SIGTERM);
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    });
  }
  for (const int state : blocked) EXPECT_NE(state, 0);
  EXPECT_EQ(GetParam() > 1, std::ranges::count(blocked, 1) > 0);
}

TEST_P(CpuParallel, NestedLoopsRunOnTheSameWorker) {
  std::vector<int> sums(32, 0);
  parallel_for(32, 1, [&](std::int64_t i, std::int64_t) {
    const int worker = worker_index();
    EXPECT_LT(worker, thread_count());
    parallel_for(100, 10, [&](std::int64_t begin, std::int64_t end) {
      EXPECT_EQ(worker_index(), worker);
      for (std::int64_t j = begin; j < end; ++j) sums[static_cast<std::size_t>(i)] += static_cast<int>(j);
    });
  });
  for (const int sum : sums) EXPECT_EQ(sum, 4950);
}

TEST_P(CpuParallel, TheFirstFailingChunkIsTheOneReported) {
  int calls = 0;
  try {
    parallel_for(64, 1, [&](std::int64_t i, std::int64_t) {
      if (i % 10 == 7) throw std::runtime_error("chunk " + std::to_string(i));
    });
    ADD_FAILURE() << "no exception";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "chunk 7");
    ++calls;
  }
  EXPECT_EQ(calls, 1);
  parallel_for(1, 1, [&](std::int64_t, std::int64_t) { ++calls; });
  EXPECT_EQ(calls, 2);
}

INSTANTIATE_TEST_SUITE_P(Threads, CpuParallel, testing::Values(1, 2, 5),
                         [](const auto& threads) { return std::to_string(threads.param); });

}  // namespace
}  // namespace counterfoil::cpu
