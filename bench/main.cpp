#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>

#include "bench/measure.h"
#include "bench/subjects/subject.h"
#include "kernels/device.h"

namespace counterfoil::bench {
namespace {

constexpr const char* kUsage =
    "counterfoil_bench [--device=NAME] [--small] [--threads=N] [Google Benchmark's flags]\n"
    "  Every primitive, and on the device cuda every kernel, against what the device can do at most.\n"
    "  --device=NAME  cpu (the default), cuda, reference or simt\n"
    "  --small        small arrays, one iteration: whether everything runs; always so on simt, which is no GPU\n"
    "  --threads=N    of the cpu device\n"
    "  --benchmark_filter=REGEX --benchmark_out=FILE --benchmark_counters_tabular=true --benchmark_list_tests ...\n";

struct Flags {
  std::string device = "cpu";
  bool small = false;
};

int run(int count, char** arguments) {
  Flags flags;
  int kept = 1;
  const auto value_of = [](std::string_view argument, std::string_view flag) -> const char* {
    return argument.starts_with(flag) ? argument.data() + flag.size() : nullptr;
  };
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--help") {
      std::fputs(kUsage, stdout);
      return 0;
    }
    if (const char* const name = value_of(argument, "--device=")) {
      flags.device = name;
    } else if (const char* const threads = value_of(argument, "--threads=")) {
      set_thread_count(std::atoi(threads));
    } else if (argument == "--small") {
      flags.small = true;
    } else {
      arguments[kept++] = arguments[i];
    }
  }
  benchmark::Initialize(&kept, arguments);
  if (benchmark::ReportUnrecognizedArguments(kept, arguments)) return 2;
  Device& device = open_device(flags.device);
  Machine machine(device);
  const bool small = flags.small || device.name() == "simt";
  for (const Subject& subject : all_subjects(small ? Sizes::small() : Sizes{})) {
    auto* const registered = benchmark::RegisterBenchmark(
        subject.name.c_str(), [&machine, subject](benchmark::State& state) { machine.measure(state, subject); });
    registered->Unit(benchmark::kMicrosecond)->UseManualTime();
    if (small) registered->Iterations(1);
    if (!small && device.name() == "cuda") registered->MinTime(0.02);  // the flushes between take longer
  }
  machine.describe();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace
}  // namespace counterfoil::bench

int main(int count, char** arguments) {
  try {
    return counterfoil::bench::run(count, arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "counterfoil_bench: %s\n", error.what());
    return 2;
  }
}
