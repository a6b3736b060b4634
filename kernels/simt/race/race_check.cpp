#include "kernels/simt/race/race_check.h"

#include <algorithm>

#include <fmt/format.h>

#include "kernels/simt/runtime.h"
#include "kernels/simt/symbols.h"

namespace counterfoil::simt {
namespace {

constexpr std::size_t kMaxFindings = 16;

// Linking the hooks installs the check.
const bool installed = [] {
  observer = &RaceCheck::instance();
  return true;
}();

bool in_builtins(const void* address) {
  const auto* const byte = static_cast<const std::byte*>(address);
  const auto* const first = reinterpret_cast<const std::byte*>(&builtins);
  return byte >= first && byte < first + sizeof builtins;
}

}  // namespace

RaceCheck& RaceCheck::instance() {
  static RaceCheck& check = *new RaceCheck;
  return check;
}

void RaceCheck::launch_begins(const Launch& launch) {
  launch_ = &launch;
  shadow_.begin_launch();
  known_.clear();
  findings_.clear();
  traffic_.launch_begins(launch);
}

std::string RaceCheck::launch_ends() {
  std::string report;
  std::stable_sort(findings_.begin(), findings_.end(),
                   [](const Finding& a, const Finding& b) { return a.fault < b.fault; });
  for (const Finding& finding : findings_) {
    if (!report.empty()) report += "; also ";
    report += text_of(finding);
  }
  launch_ = nullptr;
  return report;
}

void RaceCheck::block_begins() {
  const std::size_t threads = launch_->block.x * launch_->block.y * launch_->block.z;
  epoch_ = 0;
  clock_.assign(threads, 1);
  seen_.assign(threads, {});
}

void RaceCheck::block_ends() {
  traffic_.block_ends();
}

void RaceCheck::barrier_passed() {
  ++epoch_;
}

void RaceCheck::warp_synchronised(unsigned first, unsigned mask) {
  std::array<std::uint32_t, 32> joined{};
  const unsigned lanes = std::min<unsigned>(32, static_cast<unsigned>(clock_.size()) - first);
  for (unsigned lane = 0; lane < lanes; ++lane) {
    if ((mask >> lane & 1) == 0) continue;
    for (unsigned other = 0; other < 32; ++other) joined[other] = std::max(joined[other], seen_[first + lane][other]);
    joined[lane] = std::max(joined[lane], clock_[first + lane]++);
  }
  for (unsigned lane = 0; lane < lanes; ++lane) {
    if ((mask >> lane & 1) != 0) seen_[first + lane] = joined;
  }
}

bool RaceCheck::ordered(const Access& before, const Access& now) const {
  if (before.block != now.block) return false;
  if (before.epoch != now.epoch || before.thread == now.thread) return true;
  return before.thread / 32 == now.thread / 32 && before.clock <= seen_[now.thread][before.thread % 32];
}

void RaceCheck::remember(Access (&slots)[2], const Access& now) const {
  slots[slots[0].pc == nullptr || ordered(slots[0], now) ? 0 : 1] = now;
}

void RaceCheck::add(Finding finding) {
  if (findings_.size() < kMaxFindings && known_.emplace(finding.before.pc, finding.now.pc).second) {
    findings_.push_back(std::move(finding));
  }
}

void RaceCheck::access(const void* address, std::size_t bytes, Kind kind, bool aligned, const void* pc) {
  BlockRunner* const runner = BlockRunner::running();
  if (runner == nullptr || runner->on_stack(address) || in_builtins(address)) return;
  Access now;
  now.pc = pc;
  now.block = static_cast<std::uint32_t>(runner->block_number());
  now.epoch = epoch_;
  now.thread = runner->thread().number;
  now.clock = clock_[now.thread];
  now.atomic = kind == Kind::atomic;
  const bool writes = kind != Kind::read;

  const bool shared = runner->shared().contains(address);
  // Elsewhere (arguments on their way to the kernel) sixteen bytes may be two words of eight.
  if (aligned && reinterpret_cast<std::uintptr_t>(address) % bytes != 0 && (shared || is_device_memory(address))) {
    add({Fault::misaligned, now, {}, writes, false, fmt::format("{} bytes at {}", bytes, address)});
    runner->end_block("misaligned");
  }
  if (shared && runner->shared().find(address, bytes) == nullptr) {
    add({Fault::bounds, now, {}, writes, false, runner->shared().nearest(address)});
    return;
  }
  traffic_.access(now, address, bytes, writes, shared);

  shadow_.for_each(reinterpret_cast<std::uintptr_t>(address), bytes, [&](Cell& cell) {
    if (shared) {  // the same bytes served other blocks before this one
      for (Access* slot : {&cell.writes[0], &cell.writes[1], &cell.reads[0], &cell.reads[1]}) {
        if (slot->block != now.block) *slot = {};
      }
      if (kind != Kind::write && cell.writes[0].pc == nullptr) {
        add({Fault::uninitialised, now, {}, false, false, runner->shared().nearest(address)});
      }
    }
    const auto compare = [&](const Access& before, bool before_writes) {
      if (before.pc == nullptr || (before.atomic && now.atomic) || ordered(before, now)) return;
      add({Fault::race, now, before, writes, before_writes, shared ? runner->shared().nearest(address) : ""});
    };
    for (const Access& before : cell.writes) compare(before, true);
    if (writes) {
      for (const Access& before : cell.reads) compare(before, false);
    }
    remember(writes ? cell.writes : cell.reads, now);
  });
}

std::string RaceCheck::text_of(const Finding& finding) const {
  const auto thread = [&](const Access& access) {
    const dim3 shape = launch_->block;
    const unsigned n = access.thread;
    return "thread " + to_string(uint3{n % shape.x, n / shape.x % shape.y, n / (shape.x * shape.y)});
  };
  const auto block = [&](const Access& access) {
    const dim3 grid = launch_->grid;
    const unsigned n = access.block;
    return "block " + to_string(uint3{n % grid.x, n / grid.x % grid.y, n / (grid.x * grid.y)});
  };
  // A hook's return address is just behind the access.
  const auto before_call = [](const void* pc) { return static_cast<const void*>(static_cast<const char*>(pc) - 1); };
  std::vector<const void*> addresses = {before_call(finding.now.pc)};
  if (finding.before.pc != nullptr) addresses.push_back(before_call(finding.before.pc));
  const std::vector<Place> places = places_of(addresses);
  const std::string head = fmt::format("{}, {}: ", block(finding.now), thread(finding.now));
  const char* const verb = finding.now.atomic ? "atomically updates" : finding.now_writes ? "writes" : "reads";
  switch (finding.fault) {
    case Fault::misaligned:
      return fmt::format("{}misaligned: {} {}, no multiple of their number, at {}", head, verb, finding.where,
                         places[0].to_string());
    case Fault::bounds:
      return fmt::format("{}out of bounds: {} outside {} at {}", head, verb, finding.where, places[0].to_string());
    case Fault::uninitialised:
      return fmt::format("{}uninitialised: reads {} at {}, which no thread of the block has written", head,
                         finding.where, places[0].to_string());
    case Fault::race:
      break;
  }
  const bool same_block = finding.before.block == finding.now.block;
  return fmt::format("{}data race{}: {} at {} what {}{} {} at {}, {}", head,
                     finding.where.empty() ? "" : " on " + finding.where, verb, places[0].to_string(),
                     same_block ? "" : block(finding.before) + ", ", thread(finding.before),
                     finding.before.atomic   ? "updates atomically"
                     : finding.before_writes ? "writes"
                                             : "reads",
                     places[1].to_string(), same_block ? "with no barrier between" : "in the same launch");
}

}  // namespace counterfoil::simt
