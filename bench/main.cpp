#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/measure.h"
#include "bench/subjects/subject.h"
#include "kernels/device.h"
#include "kernels/error.h"
#include "kernels/route.h"

namespace counterfoil::bench {
namespace {

constexpr const char* kUsage =
    "counterfoil_bench [--device=NAME] [--routes=LIST] [--small] [--threads=N] [Google Benchmark's flags]\n"
    "  Every primitive, and on the device cuda every kernel, against what the device can do at most.\n"
    "  --device=NAME  cpu (the default), cuda, reference or simt\n"
    "  --routes=LIST  of matrix products and convolutions on cuda and simt, side by side: own,vendor,vendor-tf32;\n"
    "                 otherwise own and, on cuda where the libraries can be had, vendor\n"
    "  --small        small arrays, one iteration: whether everything runs; always so on simt, which is no GPU\n"
    "  --threads=N    of the cpu device\n"
    "  --benchmark_filter=REGEX --benchmark_out=FILE --benchmark_counters_tabular=true --benchmark_list_tests ...\n";

struct Flags {
  std::string device = "cpu";
  std::string routes;
  bool small = false;
};

/// The routes to measure products by; an empty one where the device has no choice.
std::vector<std::string> routes_of(Device& device, const std::string& asked) {
  if (!asked.empty()) {
    std::vector<std::string> routes;
    for (std::size_t begin = 0; begin <= asked.size();) {
      const std::size_t end = std::min(asked.find(',', begin), asked.size());
      routes.push_back(asked.substr(begin, end - begin));
      begin = end + 1;
    }
    for (const std::string& route : routes) set_route(device, route);  // what cannot be had is said now
    return routes;
  }
  if (device.name() != "cuda") return {""};
  try {
    set_route(device, "vendor");
    return {"own", "vendor"};
  } catch (const Error& error) {
    benchmark::AddCustomContext("vendor", error.what());
    return {"own"};
  }
}

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
    } else if (const char* const routes = value_of(argument, "--routes=")) {
      flags.routes = routes;
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
  const std::vector<std::string> routes = routes_of(device, flags.routes);
  const auto add = [&](const Subject& subject, const std::string& route) {
    auto* const registered =
        benchmark::RegisterBenchmark((route.empty() ? subject.name : subject.name + "/" + route).c_str(),
                                     [&machine, &device, subject, route](benchmark::State& state) {
                                       if (!route.empty()) set_route(device, route);
                                       machine.measure(state, subject);
                                     });
    registered->Unit(benchmark::kMicrosecond)->UseManualTime();
    if (small) registered->Iterations(1);
    if (!small && device.name() == "cuda") registered->MinTime(0.02);  // the flushes between take longer
  };
  for (const Subject& subject : all_subjects(small ? Sizes::small() : Sizes{})) {
    if (!subject.product) {
      add(subject, "");
    } else {
      for (const std::string& route : routes) add(subject, route);
    }
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
