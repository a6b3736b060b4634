#include "kernels/simt/simt.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <string_view>

#include "kernels/error.h"

namespace counterfoil::simt {
namespace {

struct Settings {
  Options options;
  Faults faults;
};

Settings from_environment() {
  Settings settings;
  const char* const text = std::getenv("COUNTERFOIL_SIMT");
  std::string_view rest = text != nullptr ? text : "";
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    const std::size_t equals = std::min(part.find('='), part.size());
    const std::string_view key = part.substr(0, equals), value = part.substr(std::min(equals + 1, part.size()));
    const auto number = [&](auto& target) {
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), target);
      if (error != std::errc() || end != value.data() + value.size()) {
        fail("COUNTERFOIL_SIMT: expected {}=NUMBER, found '{}'", key, part);
      }
    };
    if (key == "schedule" && value == "ascending") {
      settings.options.schedule = Schedule::ascending;
    } else if (key == "schedule" && value == "descending") {
      settings.options.schedule = Schedule::descending;
    } else if (key == "schedule" && value == "shuffled") {
      settings.options.schedule = Schedule::shuffled;
    } else if (key == "seed") {
      number(settings.options.seed);
    } else if (key == "workers") {
      number(settings.options.workers);
    } else if (key == "memory_traffic" && (value == "0" || value == "1")) {
      settings.options.memory_traffic = value == "1";
    } else if (key == "fail_allocation") {
      number(settings.faults.allocation);
    } else if (key == "fail_launch") {
      number(settings.faults.launch);
    } else if (key == "refuse_launch") {
      number(settings.faults.refused_launch);
    } else if (key == "fail_vendor_start") {
      number(settings.faults.vendor_start);
    } else if (key == "fail_vendor_plan") {
      number(settings.faults.vendor_plan);
    } else if (key == "fail_vendor_execution") {
      number(settings.faults.vendor_execution);
    } else if (key == "memory") {
      number(settings.faults.memory);
    } else if (key == "driver") {
      number(settings.faults.driver);
    } else if (key == "devices") {
      number(settings.faults.devices);
    } else if (key == "capability") {
      number(settings.faults.capability);
    } else {
      fail(
          "COUNTERFOIL_SIMT: expected schedule=ascending|descending|shuffled, seed, workers, fail_allocation, "
          "fail_launch, refuse_launch, fail_vendor_start, fail_vendor_plan, fail_vendor_execution, "
          "memory, driver, devices, capability or memory_traffic=0|1, found '{}'",
          part);
    }
  }
  return settings;
}

std::mutex mutex;

Settings& settings() {
  static Settings values = from_environment();
  return values;
}

}  // namespace

void set_options(const Options& options) {
  if (options.workers < 0) fail("simt: workers: expected at least 0, found {}", options.workers);
  const std::lock_guard lock(mutex);
  settings().options = options;
}

Options options() {
  const std::lock_guard lock(mutex);
  return settings().options;
}

void set_faults(const Faults& faults) {
  const std::lock_guard lock(mutex);
  settings().faults = faults;
}

Faults faults() {
  const std::lock_guard lock(mutex);
  return settings().faults;
}

bool fault_due(std::uint64_t Faults::*counter) {
  const std::lock_guard lock(mutex);
  std::uint64_t& left = settings().faults.*counter;
  return left > 0 && --left == 0;
}

}  // namespace counterfoil::simt
