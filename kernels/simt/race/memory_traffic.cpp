#include "kernels/simt/race/memory_traffic.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <tuple>

#include <fmt/format.h>

#include "kernels/simt/block.h"
#include "kernels/simt/runtime.h"
#include "kernels/simt/symbols.h"

namespace counterfoil::simt {
namespace {

/// Sums by (kernel, instruction); the lines are looked up when the table is taken.
using Totals = std::map<std::pair<const void*, const void*>, LineTraffic>;

Totals& totals() {
  static Totals& map = *new Totals;
  return map;
}

/// Bytes of `addresses` (first, length), each counted once, in units of `unit` bytes.
std::vector<std::uintptr_t> units(const std::vector<std::pair<std::uintptr_t, std::size_t>>& ranges,
                                  std::uintptr_t unit) {
  std::vector<std::uintptr_t> found;
  for (const auto& [first, bytes] : ranges) {
    for (std::uintptr_t u = first / unit; u <= (first + bytes - 1) / unit; ++u) found.push_back(u);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

void print_at_exit() {
  std::fputs(to_string(take_memory_traffic()).c_str(), stderr);
}

}  // namespace

void MemoryTraffic::launch_begins(const Launch& launch) {
  enabled_ = launch.options.memory_traffic;
  kernel_ = launch.kernel;
  records_.clear();
  occurrences_.clear();
  static const bool print = [] {
    const char* const text = std::getenv("COUNTERFOIL_SIMT");
    return text != nullptr && std::string(text).find("memory_traffic") != std::string::npos &&
           std::atexit(print_at_exit) == 0;
  }();
  static_cast<void>(print);
}

void MemoryTraffic::access(const Access& access, const void* address, std::size_t bytes, bool store, bool shared) {
  if (!enabled_ || (!shared && !is_device_memory(address))) return;
  records_.push_back({access.pc, occurrences_[{access.pc, access.thread}]++,
                      static_cast<std::uint16_t>(access.thread / 32), static_cast<std::uint16_t>(bytes), store, shared,
                      reinterpret_cast<std::uintptr_t>(address)});
}

void MemoryTraffic::block_ends() {
  const auto request = [](const Record& r) { return std::tuple(r.pc, r.warp, r.occurrence); };
  std::stable_sort(records_.begin(), records_.end(),
                   [&](const Record& a, const Record& b) { return request(a) < request(b); });
  std::vector<std::pair<std::uintptr_t, std::size_t>> ranges;
  for (auto first = records_.begin(); first != records_.end();) {
    const auto last =
        std::find_if(first, records_.end(), [&](const Record& r) { return request(r) != request(*first); });
    ranges.clear();
    for (auto r = first; r != last; ++r) ranges.emplace_back(r->address, r->bytes);
    LineTraffic& line = totals()[{kernel_, first->pc}];
    line.shared = first->shared;
    line.store = first->store;
    ++line.requests;
    const std::size_t bytes = units(ranges, 1).size();
    line.bytes += bytes;
    if (first->shared) {
      const auto words = units(ranges, 4);
      std::array<std::uint64_t, 32> banks{};
      for (const std::uintptr_t word : words) ++banks[word % 32];
      line.passes += *std::max_element(banks.begin(), banks.end());
      line.fewest += (words.size() + 31) / 32;
    } else {
      line.sectors += units(ranges, 32).size();
      line.fewest += (bytes + 31) / 32;
    }
    first = last;
  }
  records_.clear();
  occurrences_.clear();
}

std::vector<LineTraffic> take_memory_traffic() {
  std::vector<const void*> addresses;
  for (const auto& [key, line] : totals()) addresses.push_back(static_cast<const char*>(key.second) - 1);
  const std::vector<Place> places = places_of(addresses);
  std::map<std::tuple<std::string, std::string, int, bool, bool>, LineTraffic> by_line;
  std::size_t i = 0;
  for (const auto& [key, line] : totals()) {
    const std::string kernel = function_name(key.first);
    const Place& place = places[i++];
    LineTraffic& sum = by_line[{kernel, place.file, place.line, line.shared, line.store}];
    sum.kernel = kernel;
    sum.line = place.to_string();
    sum.shared = line.shared;
    sum.store = line.store;
    sum.requests += line.requests;
    sum.bytes += line.bytes;
    sum.sectors += line.sectors;
    sum.passes += line.passes;
    sum.fewest += line.fewest;
  }
  totals().clear();
  std::vector<LineTraffic> lines;
  for (auto& [key, line] : by_line) lines.push_back(std::move(line));
  return lines;
}

std::string to_string(const std::vector<LineTraffic>& lines) {
  std::string text = fmt::format("{:<32} {:<24} {:<13} {:>10} {:>13} {:>12} {:>6}\n", "kernel", "line", "access",
                                 "requests", "bytes/request", "per request", "ideal");
  for (const LineTraffic& line : lines) {
    const auto requests = static_cast<double>(line.requests);
    text += fmt::format("{:<32} {:<24} {:<13} {:>10} {:>13.1f} {:>4.1f} {:<7} {:>6.1f}\n", line.kernel, line.line,
                        fmt::format("{} {}", line.shared ? "shared" : "global", line.store ? "store" : "load"),
                        line.requests, static_cast<double>(line.bytes) / requests,
                        static_cast<double>(line.shared ? line.passes : line.sectors) / requests,
                        line.shared ? "passes" : "sectors", static_cast<double>(line.fewest) / requests);
  }
  return text;
}

}  // namespace counterfoil::simt
