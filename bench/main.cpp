#include <cstdlib>
#include <string>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "bench/roofline.h"
#include "kernels/device.h"

// counterfoil_bench [--threads=N] [Google Benchmark's own flags]: first what the machine can do, then the benchmarks.
int main(int count, char** arguments) {
  const std::string flag = "--threads=";
  int kept = 1;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    if (argument.starts_with(flag))
      counterfoil::set_thread_count(std::atoi(argument.c_str() + flag.size()));
    else
      arguments[kept++] = arguments[i];
  }
  benchmark::Initialize(&kept, arguments);
  if (benchmark::ReportUnrecognizedArguments(kept, arguments)) return 2;
  const counterfoil::bench::Roofline& machine = counterfoil::bench::roofline();
  benchmark::AddCustomContext("device", counterfoil::cpu_device().description());
  benchmark::AddCustomContext("threads", std::to_string(counterfoil::thread_count()));
  benchmark::AddCustomContext("peak", fmt::format("{:.1f} GFLOP/s f32", machine.flops / 1e9));
  benchmark::AddCustomContext("copy", fmt::format("{:.1f} GB/s in memory, {:.1f} GB/s in cache",
                                                  machine.memory_bytes / 1e9, machine.cache_bytes / 1e9));
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
