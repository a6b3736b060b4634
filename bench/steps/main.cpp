#include <algorithm>
#include <chrono>
#include <iostream>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "bench/steps/work.h"

// counterfoil_bench_step --work syce            times a step alone
// counterfoil_bench_step --work syce --serve    the protocol of bench/peers/README.md: "ready", then {"ms": x} per line
// "step"

namespace {

double milliseconds(const counterfoil::bench::Step& step, counterfoil::Device& device) {
  const auto start = std::chrono::steady_clock::now();
  step();
  device.synchronize();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

void serve(const counterfoil::bench::Step& step, counterfoil::Device& device) {
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line) && line != "quit";) {
    if (line == "step") std::cout << fmt::format("{{\"ms\": {:.3f}}}", milliseconds(step, device)) << std::endl;
  }
}

void report(const std::string& work, const counterfoil::bench::Step& step, counterfoil::Device& device, int steps) {
  std::vector<double> times;
  const std::size_t calls_before = device.memory_use().system_calls;
  device.reset_high_water();
  for (int i = 0; i < steps; ++i) times.push_back(milliseconds(step, device));
  std::ranges::sort(times);
  const counterfoil::MemoryUse use = device.memory_use();
  std::cout << fmt::format(
      "{}: median {:.1f} ms of {} steps ({:.1f} to {:.1f}), peak memory {:.1f} MiB, {} allocations from the system\n",
      work, times[times.size() / 2], steps, times.front(), times.back(),
      static_cast<double>(use.high_water) / (1 << 20), use.system_calls - calls_before);
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("Times one training step: alone, or answering a driver");
  std::string work = "syce", device_name = "cpu";
  int threads = 2, steps = 10, warm_up = 2;
  bool serving = false;
  app.add_option("--work", work, "which step")->check(CLI::IsMember(counterfoil::bench::work_names()));
  app.add_option("--device", device_name, "where");
  app.add_option("--threads", threads, "of the CPU backend")->check(CLI::Range(1, 1024));
  app.add_option("--steps", steps, "timed steps")->check(CLI::Range(1, 1000000));
  app.add_option("--warm-up", warm_up, "steps before them")->check(CLI::Range(0, 1000));
  app.add_flag("--serve", serving, "answer lines on standard input");
  bool listing = false;
  app.add_flag("--list", listing, "the names of the steps, one a line");
  CLI11_PARSE(app, argc, argv);
  if (listing) {
    for (const std::string& name : counterfoil::bench::work_names()) std::cout << name << '\n';
    return 0;
  }

  counterfoil::set_thread_count(threads);
  counterfoil::Device& device = counterfoil::open_device(device_name);
  const counterfoil::bench::Step step = counterfoil::bench::make_work(work, device);
  for (int i = 0; i < warm_up; ++i) step();
  if (serving) {
    serve(step, device);
  } else {
    report(work, step, device, steps);
  }
  return 0;
} catch (const std::exception& error) {
  std::cerr << "counterfoil_bench_step: " << error.what() << '\n';
  return 2;
}
