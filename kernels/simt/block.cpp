#include "kernels/simt/block.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "kernels/simt/observer.h"

namespace counterfoil::simt {

thread_local constinit Builtins builtins{};
thread_local BlockRunner* BlockRunner::running_ = nullptr;

namespace {

std::uint64_t mixed(std::uint64_t x) {  // splitmix64's finaliser
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

bool same_line(const char* file, int line, const BlockRunner::Thread& thread) {
  return thread.line == line && (thread.file == file || std::strcmp(thread.file, file) == 0);
}

const char* name_of(WarpOp op) {
  switch (op) {
    case WarpOp::sync:
      return "__syncwarp";
    case WarpOp::shuffle:
      return "shuffle";
    case WarpOp::ballot:
      return "ballot";
    case WarpOp::match:
      return "match";
    case WarpOp::collective:
      return "matrix product";
  }
  return "";
}

}  // namespace

void Launch::fail(std::uint64_t block_number, std::string text) {
  const std::lock_guard lock(mutex);
  failed = true;
  if (block_number >= report_block) return;
  report_block = block_number;
  const std::uint64_t row = block_number / grid.x;
  const uint3 index{static_cast<unsigned>(block_number % grid.x), static_cast<unsigned>(row % grid.y),
                    static_cast<unsigned>(row / grid.y)};
  report = fmt::format("block {}, {}", to_string(index), text);
}

BlockRunner& BlockRunner::of_this_os_thread() {
  thread_local BlockRunner runner;
  return runner;
}

void BlockRunner::prepare(const Launch& launch) {
  const bool same_shape = shape_.x == launch.block.x && shape_.y == launch.block.y && shape_.z == launch.block.z;
  if (!same_shape || order_kind_ != launch.options.schedule) {
    shape_ = launch.block;
    order_kind_ = launch.options.schedule;
    count_ = shape_.x * shape_.y * shape_.z;
    for (unsigned i = 0; i < count_; ++i) {
      threads_[i].number = static_cast<unsigned short>(i);
      threads_[i].index = {i % shape_.x, i / shape_.x % shape_.y, i / (shape_.x * shape_.y)};
    }
    order_.resize(count_);
    std::iota(order_.begin(), order_.end(), static_cast<unsigned short>(0));
    if (order_kind_ == Schedule::descending) std::reverse(order_.begin(), order_.end());
  }
  for (unsigned w = 0; w * 32 < count_; ++w) {
    const unsigned lanes = std::min(32u, count_ - w * 32);
    warps_[w].exists = lanes == 32 ? ~0u : (1u << lanes) - 1;
    warps_[w].exited = 0;
    warps_[w].meetings = 0;
  }
  started_ = exited_ = waiting_ = ready_begin_ = ready_end_ = 0;
  random_ = mixed(launch.options.seed + 0x9e3779b97f4a7c15u) + block_number_;
  draw_order();
}

unsigned BlockRunner::draw(unsigned below) {
  random_ += 0x9e3779b97f4a7c15u;
  return static_cast<unsigned>(mixed(random_) % below);
}

void BlockRunner::draw_order() {
  if (order_kind_ != Schedule::shuffled) return;
  for (unsigned i = count_; i > 1; --i) std::swap(order_[i - 1], order_[draw(i)]);
}

bool BlockRunner::run(Launch& launch, std::uint64_t block_number) {
  launch_ = &launch;
  block_number_ = block_number;
  prepare(launch);
  shared_.begin_block(launch.dynamic_shared);
  async_.clear();
  const std::uint64_t row = block_number / launch.grid.x;
  builtins.block_idx = {static_cast<unsigned>(block_number % launch.grid.x), static_cast<unsigned>(row % launch.grid.y),
                        static_cast<unsigned>(row / launch.grid.y)};
  builtins.block_dim = launch.block;
  builtins.grid_dim = launch.grid;
  if (observer != nullptr) observer->block_begins();

  running_ = this;
  fibre_ = &spare_fibre();
  switch_context(scheduler_, *fibre_);
  running_ = nullptr;

  if (observer != nullptr) observer->block_ends();
  if (!failure_.empty()) {
    launch.fail(block_number, std::exchange(failure_, {}));
    spare_.clear();
    for (const auto& fibre : fibres_) {
      fibre->restart();
      spare_.push_back(fibre.get());
    }
    return false;
  }
  if (const SharedMemory::Array* array = shared_.overrun()) {
    launch.fail(block_number, fmt::format("out of bounds: a thread wrote outside the shared array '{}' ({} bytes{}{})",
                                          array->name, array->bytes, array->line > 0 ? ", " : "",
                                          array->line > 0 ? to_string(array->file, array->line) : std::string()));
    return false;
  }
  return true;
}

void BlockRunner::fibre_main() {
  Fibre::started();
  running_->run_threads();
}

void BlockRunner::run_threads() {
  for (;;) {
    if (Thread* thread = next_ready()) {
      Fibre& mine = *fibre_;
      spare_.push_back(&mine);
      resume(*thread, mine);
    } else if (started_ < count_) {
      start(threads_[order_[started_++]]);
    } else if (exited_ == count_) {
      Fibre& mine = *fibre_;
      spare_.push_back(&mine);
      switch_context(mine, scheduler_);
    } else {
      report_deadlock();
    }
  }
}

void BlockRunner::start(Thread& thread) {
  current_ = &thread;
  thread.wait = Thread::Wait::nothing;
  builtins.thread_idx = thread.index;
  launch_->thread();
  finish(*current_);
}

void BlockRunner::finish(Thread& thread) {
  ++exited_;
  Warp& warp = warps_[thread.number / 32];
  warp.exited |= 1u << (thread.number % 32);
  if (waiting_ > 0) report_missing(thread, *first_waiting_);
  for (int i = 0; i < warp.meetings; ++i) {
    if ((warp.meeting[i].mask >> (thread.number % 32) & 1) != 0) {
      const unsigned waiting =
          thread.number / 32 * 32 + static_cast<unsigned>(std::countr_zero(warp.meeting[i].arrived));
      failure_ =
          fmt::format("exited, but is in the mask {:#010x} of the {} at {}, where thread {} waits",
                      warp.meeting[i].mask, name_of(threads_[waiting].op),
                      to_string(threads_[waiting].file, threads_[waiting].line), to_string(threads_[waiting].index));
      abandon(thread);
    }
  }
}

Fibre& BlockRunner::spare_fibre() {
  if (spare_.empty()) {
    fibres_.push_back(std::make_unique<Fibre>(&BlockRunner::fibre_main, static_cast<unsigned>(fibres_.size())));
    return *fibres_.back();
  }
  Fibre& fibre = *spare_.back();
  spare_.pop_back();
  return fibre;
}

void BlockRunner::resume(Thread& thread, Fibre& from) {
  current_ = &thread;
  thread.wait = Thread::Wait::nothing;
  builtins.thread_idx = thread.index;
  fibre_ = thread.fibre;
  switch_context(from, *fibre_);
}

void BlockRunner::wait() {
  Thread& self = *current_;
  Fibre& mine = *fibre_;
  self.fibre = &mine;
  if (Thread* thread = next_ready()) {
    if (thread == &self) {
      self.wait = Thread::Wait::nothing;
    } else {
      resume(*thread, mine);
    }
  } else if (started_ < count_) {
    fibre_ = &spare_fibre();
    switch_context(mine, *fibre_);
  } else {
    report_deadlock();
  }
}

void BlockRunner::barrier(const char* file, int line) {
  Thread& self = *current_;
  self.wait = Thread::Wait::barrier;
  self.file = file;
  self.line = line;
  if (exited_ > 0) {
    for (unsigned i = 0; i < count_; ++i) {
      if ((warps_[i / 32].exited >> (i % 32) & 1) != 0) report_missing(threads_[i], self);
    }
  }
  if (waiting_ == 0) {
    first_waiting_ = &self;
  } else if (!same_line(file, line, *first_waiting_)) {
    failure_ = fmt::format("divergent barriers: it waits at the barrier at {}, while thread {} waits at {}",
                           to_string(file, line), to_string(first_waiting_->index),
                           to_string(first_waiting_->file, first_waiting_->line));
    abandon(self);
  }
  if (++waiting_ == count_) {
    waiting_ = 0;
    if (observer != nullptr) observer->barrier_passed();
    draw_order();
    for (const unsigned short number : order_) make_ready(threads_[number]);
  }
  wait();
}

std::uint64_t BlockRunner::warp_meet(WarpOp op, unsigned mask, std::uint64_t value, unsigned source, const char* file,
                                     int line) {
  Thread& self = *current_;
  Warp& warp = warps_[self.number / 32];
  const unsigned lane = self.number % 32, first = self.number - lane, bit = 1u << lane;
  if ((mask & bit) == 0) {
    failure_ = fmt::format("bad mask: lane {} calls the {} at {} with mask {:#010x}, which does not name it", lane,
                           name_of(op), to_string(file, line), mask);
    abandon(self);
  }
  if (const unsigned gone = mask & (warp.exited | ~warp.exists); gone != 0) {
    const int which = std::countr_zero(gone);
    failure_ = fmt::format("bad mask: the {} at {} names lane {} in its mask {:#010x}, which {}", name_of(op),
                           to_string(file, line), which, mask,
                           (warp.exists >> which & 1) != 0 ? "has exited" : "the block does not have");
    abandon(self);
  }
  self.wait = Thread::Wait::warp;
  self.op = op;
  self.mask = mask;
  self.value = value;
  self.source = source;
  self.file = file;
  self.line = line;

  int m = 0;
  while (m < warp.meetings && warp.meeting[m].mask != mask) ++m;
  if (m == warp.meetings) {
    warp.meeting[warp.meetings++] = {mask, bit};
  } else {
    const Thread& other = threads_[first + static_cast<unsigned>(std::countr_zero(warp.meeting[m].arrived))];
    if (other.op != op || !same_line(file, line, other)) {
      failure_ = fmt::format("divergent warp operations: it calls the {} at {}, while thread {} waits in the {} at {}",
                             name_of(op), to_string(file, line), to_string(other.index), name_of(other.op),
                             to_string(other.file, other.line));
      abandon(self);
    }
    warp.meeting[m].arrived |= bit;
  }
  if (warp.meeting[m].arrived == mask) complete(warp, first, m);
  wait();
  return self.value;
}

void BlockRunner::complete(Warp& warp, unsigned first, int m) {
  const unsigned mask = warp.meeting[m].mask;
  warp.meeting[m] = warp.meeting[--warp.meetings];
  Thread* const lanes = &threads_[first];
  std::uint64_t values[32];
  unsigned ballot = 0;
  for (unsigned lane = 0; lane < 32; ++lane) {
    const bool named = (mask >> lane & 1) != 0;
    values[lane] = named ? lanes[lane].value : ~std::uint64_t{0};
    ballot |= (named && values[lane] != 0 ? 1u : 0u) << lane;
  }
  const WarpOp op = current_->op;
  if (op == WarpOp::collective) {
    const Collective* all[32];
    for (unsigned lane = 0; lane < 32; ++lane) all[lane] = reinterpret_cast<const Collective*>(values[lane]);
    all[0]->run(all);
  }
  if (op == WarpOp::sync && observer != nullptr) observer->warp_synchronised(first, mask);
  unsigned step = 1, offset = 0;
  if (order_kind_ == Schedule::descending) {
    step = offset = 31;
  } else if (order_kind_ == Schedule::shuffled) {
    step = draw(16) * 2 + 1;
    offset = draw(32);
  }
  for (unsigned i = 0; i < 32; ++i) {
    const unsigned lane = (i * step + offset) % 32;
    if ((mask >> lane & 1) == 0) continue;
    Thread& thread = lanes[lane];
    if (op == WarpOp::shuffle) {
      thread.value = values[thread.source % 32];
    } else if (op == WarpOp::ballot) {
      thread.value = ballot;
    } else if (op == WarpOp::match) {
      unsigned equal = 0;
      for (unsigned other = 0; other < 32; ++other) {
        if ((mask >> other & 1) != 0 && values[other] == values[lane]) equal |= 1u << other;
      }
      thread.value = equal;
    }
    make_ready(thread);
  }
}

// The frames of the kernel are abandoned without unwinding, so nothing in them may own memory: reports are put together
// in a statement of their own before this call.
void BlockRunner::abandon(const Thread& thread) {
  failure_.insert(0, fmt::format("thread {}: ", to_string(thread.index)));
  switch_context(*fibre_, scheduler_);
  __builtin_unreachable();
}

void BlockRunner::end_block(const char* why) {
  failure_ = why;
  abandon(*current_);
}

void BlockRunner::report_missing(const Thread& missing, const Thread& waiting) {
  failure_ = fmt::format(
      "barrier not reached by all: it exited without reaching the barrier at {}, where thread {} "
      "waits",
      to_string(waiting.file, waiting.line), to_string(waiting.index));
  abandon(missing);
}

std::string BlockRunner::describe(const Thread& thread) const {
  if (thread.wait == Thread::Wait::barrier)
    return fmt::format("waits at the barrier at {}", to_string(thread.file, thread.line));
  return fmt::format("waits in the {} at {} with mask {:#010x}", name_of(thread.op),
                     to_string(thread.file, thread.line), thread.mask);
}

void BlockRunner::report_deadlock() {
  for (unsigned i = 0; i < count_; ++i) {
    const Thread& thread = threads_[i];
    if (thread.wait != Thread::Wait::warp) continue;
    const Warp& warp = warps_[i / 32];
    for (int m = 0; m < warp.meetings; ++m) {
      if (warp.meeting[m].mask != thread.mask) continue;
      const unsigned absent = thread.mask & ~warp.meeting[m].arrived;
      const Thread& other = threads_[i / 32 * 32 + static_cast<unsigned>(std::countr_zero(absent))];
      failure_ = fmt::format("deadlock: it {}, which lacks lanes {:#010x}; thread {} {}", describe(thread), absent,
                             to_string(other.index), describe(other));
      abandon(thread);
    }
  }
  failure_ = "deadlock";
  abandon(*current_);
}

BlockRunner::AsyncCopies& BlockRunner::async_copies() {
  if (async_.empty()) async_.resize(count_);
  return async_[current_->number];
}

void* BlockRunner::shared_array(const void* site, std::size_t bytes, const char* name, const char* file, int line) {
  void* const data = shared_.array(site, bytes, name, file, line);
  if (data != nullptr) return data;
  failure_ = fmt::format("the shared array '{}' at {} does not fit: a block has {} bytes", name, to_string(file, line),
                         kStaticSharedBytes);
  abandon(*current_);
}

void* shared_array(const void* site, std::size_t bytes, const char* name, const char* file, int line) {
  return BlockRunner::running()->shared_array(site, bytes, name, file, line);
}

void* dynamic_shared() {
  return BlockRunner::running()->shared().dynamic();
}

void block_barrier(const char* file, int line) {
  BlockRunner::running()->barrier(file, line);
}

std::uint64_t warp_meet(WarpOp op, unsigned mask, std::uint64_t value, unsigned source, const char* file, int line) {
  return BlockRunner::running()->warp_meet(op, mask, value, source, file, line);
}

unsigned lane() {
  return BlockRunner::running()->thread().number % 32;
}

std::string to_string(uint3 index) {
  return fmt::format("({},{},{})", index.x, index.y, index.z);
}

std::string to_string(const char* file, int line) {
  const char* const slash = std::strrchr(file, '/');
  return fmt::format("{}:{}", slash != nullptr ? slash + 1 : file, line);
}

}  // namespace counterfoil::simt
