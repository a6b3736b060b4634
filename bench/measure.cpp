#include "bench/measure.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "bench/roofline.h"
#include "kernels/call_listener.h"
#include "kernels/listening_backend.h"

namespace counterfoil::bench {

namespace {

std::unique_ptr<Timeline> timeline_of(Device& device) {
  auto* const source = dynamic_cast<TimelineSource*>(&device);
  if (source != nullptr) return source->make_timeline();
  return std::make_unique<HostTimeline>();
}

}  // namespace

Machine::Machine(Device& device) : device_(device), timeline_(timeline_of(device)), peak_(timeline_->peak()) {
  if (device.name() == "cpu") {
    const Roofline& measured = roofline();
    peak_ = {.flops = measured.flops, .tensor_flops = measured.flops, .memory_bytes = measured.memory_bytes};
    cache_rate_ = measured.cache_bytes;
  }
  if (peak_.cache_bytes > 0) {
    const auto floats = static_cast<std::int64_t>(2 * peak_.cache_bytes / sizeof(float));
    flushed_ = std::make_unique<Array>(device, Shape{floats});
  }
}

void Machine::describe() const {
  benchmark::AddCustomContext("device", device_.description());
  if (device_.name() == "cpu") benchmark::AddCustomContext("threads", std::to_string(thread_count()));
  if (peak_.flops > 0) benchmark::AddCustomContext("peak", fmt::format("{:.1f} GFLOP/s f32", peak_.flops / 1e9));
  if (peak_.tensor_flops > peak_.flops) {
    benchmark::AddCustomContext("tensor cores", fmt::format("{:.1f} TFLOP/s bf16", peak_.tensor_flops / 1e12));
  }
  if (peak_.memory_bytes > 0) {
    benchmark::AddCustomContext("memory", fmt::format("{:.1f} GB/s", peak_.memory_bytes / 1e9));
  }
  if (cache_rate_ > 0) benchmark::AddCustomContext("cache", fmt::format("{:.1f} GB/s", cache_rate_ / 1e9));
  if (device_.name() == "simt") benchmark::AddCustomContext("emulated", "these times say nothing about a GPU");
}

void Machine::flush() {
  if (flushed_ != nullptr) device_.backend().fill(*flushed_, 0);
}

void Machine::measure(benchmark::State& state, const Subject& subject) {
  const Run run = subject.prepare(device_);
  Backend& backend = device_.backend();
  WorkMeter meter;
  ListeningBackend metered(backend, meter);
  run(metered);  // also warms up
  device_.synchronize();
  for (auto _ : state) {
    flush();
    timeline_->mark();
    run(backend);
    timeline_->mark();
    const std::vector<double> microseconds = timeline_->take();
    state.SetIterationTime((microseconds[1] - microseconds[0]) * 1e-6);
  }
  count(state, meter.total, subject.tensor_cores);
}

void Machine::count(benchmark::State& state, const Work& work, bool tensor_cores) const {
  const auto rate = [&](const char* name, double per_iteration) {
    if (per_iteration > 0) {
      state.counters[name] = benchmark::Counter(per_iteration, benchmark::Counter::kIsIterationInvariantRate);
    }
  };
  const auto seconds_at = [](double amount, double limit) { return limit > 0 ? amount / limit : 0; };
  const double arithmetic = seconds_at(work.flops, tensor_cores ? peak_.tensor_flops : peak_.flops);
  const double memory = seconds_at(work.bytes, peak_.memory_bytes);
  rate("FLOP/s", work.flops);
  rate("%peak", 100 * arithmetic);
  rate("B/s", work.bytes);
  rate("%memory", 100 * memory);
  rate("%cache", 100 * seconds_at(work.bytes, cache_rate_));
  if (flushed_ != nullptr) rate("%bound", 100 * std::max(arithmetic, memory));
}

}  // namespace counterfoil::bench
