#include <algorithm>
#include <cstdio>
#include <ctime>

#include "kernels/simt/simt.h"
#include "tests/simt/correct.h"
#include "tests/simt/device_array.h"

// How fast the layer executes kernels: medians of 11 runs, in processor time, which other programs disturb less.
namespace counterfoil::simt_test {
namespace {

template <typename Run>
void measure(const char* what, double threads, Run run) {
  std::vector<double> seconds;
  for (int i = 0; i < 11; ++i) {
    run();
    const std::clock_t start = std::clock();
    cuda::check(cudaDeviceSynchronize(), what);
    seconds.push_back(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  std::nth_element(seconds.begin(), seconds.begin() + 5, seconds.end());
  std::printf("%-48s %7.2f M threads per core and second, %8.4f s\n", what, threads / seconds[5] * 1e-6, seconds[5]);
}

void run() {
  const int n = 1 << 22, edge = 256, sums = 4096;
  const DeviceArray<float> x(static_cast<std::size_t>(n), 1.0f), out(static_cast<std::size_t>(n));
  const DeviceArray<__nv_bfloat16> y(static_cast<std::size_t>(n), __nv_bfloat16(0.0f));
  for (const int workers : {1, 0}) {
    simt::set_options({.workers = workers});
    std::printf("%s\n", workers == 1 ? "one OS thread" : "one OS thread per core");
    measure("scale_to_bf16, no barrier", n, [&] { scale_to_bf16(y.get(), x.get(), 2.0f, n, nullptr); });
    measure("block_sum, 256 threads, 10 shuffles, 1 barrier", 256.0 * sums,
            [&] { block_sum(out.get(), x.get(), n, sums, nullptr); });
    measure("tiled_matmul 256x256x256, 32 barriers", 65536,
            [&] { tiled_matmul(out.get(), x.get(), x.get(), edge, edge, edge, nullptr); });
  }
}

}  // namespace
}  // namespace counterfoil::simt_test

int main() {
  counterfoil::simt_test::run();
}
