#include "kernels/device.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "kernels/error.h"

namespace counterfoil {

namespace {
std::atomic<int>& threads() {
  static std::atomic<int> count{static_cast<int>(std::max(1U, std::thread::hardware_concurrency()))};
  return count;
}
}  // namespace

void set_thread_count(int count) {
  if (count < 1 || count > 1024) fail("threads: expected 1 to 1024, found {}", count);
  threads() = count;
}

int thread_count() {
  return threads();
}

}  // namespace counterfoil
