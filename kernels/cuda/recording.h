#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

#include "kernels/cuda/dialect.h"
#include "kernels/error.h"
#include "kernels/graph.h"

namespace counterfoil::cuda {

/// What a graph's launches do not carry as arguments, because it differs from replay to replay: the position in each
/// random stream and the scalars of the optimisers. Kernels that were recorded read them from a table in device memory,
/// which is written anew before each replay; kernels launched one by one are given no table.
class Recording {
 public:
  /// `table`: kBytes of device memory.
  explicit Recording(std::byte* table) : table_(table) {}

  static constexpr std::size_t kBytes = 16384;

  /// The recording in progress, null without one. Launches come from one thread while there is one.
  static Recording*& active() {
    static Recording* recording = nullptr;
    return recording;
  }

  /// Words first to first + count - 1 of a stream are drawn. Where the number lies, that is to be added to `first`.
  const std::uint64_t* draw(RandomKey key, std::uint64_t first, std::int64_t count) {
    draws_.push_back({key, first, first + static_cast<std::uint64_t>(count)});
    for (const Stream& stream : streams_) {
      if (stream.key.seed == key.seed && stream.key.stream == key.stream) return at<std::uint64_t>(stream.offset);
    }
    streams_.push_back({key, take(sizeof(std::uint64_t))});
    return at<std::uint64_t>(streams_.back().offset);
  }

  /// An optimiser is called. Where its rule lies, that is to be used instead of Rule(step).
  template <typename Rule, typename Step>
  const Rule* update(const void* parameter, const Step& step) {
    const std::size_t offset = take(sizeof(Rule));
    updates_.push_back({parameter});
    rules_.push_back([offset, step](std::byte* table, const Graph::Changes::Optimiser* change) {
      Step now = step;
      if (change != nullptr) {
        now.learning_rate = change->learning_rate;
        if constexpr (requires { now.step; }) now.step += change->more_steps;
      }
      const Rule rule(now);
      std::memcpy(table + offset, &rule, sizeof rule);
    });
    return at<Rule>(offset);
  }

  const std::vector<Graph::Draw>& draws() const { return draws_; }
  const std::vector<Graph::Update>& updates() const { return updates_; }

  /// The table's contents for a replay.
  std::vector<std::byte> contents(const Graph::Changes& changes) const {
    std::vector<std::byte> bytes(used_);
    for (const Stream& stream : streams_) {
      std::uint64_t advance = 0;
      for (const Graph::Changes::Stream& change : changes.streams) {
        if (change.key.seed == stream.key.seed && change.key.stream == stream.key.stream) advance = change.advance;
      }
      std::memcpy(bytes.data() + stream.offset, &advance, sizeof advance);
    }
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      const Graph::Changes::Optimiser* found = nullptr;
      for (const Graph::Changes::Optimiser& change : changes.optimisers) {
        if (change.parameter == updates_[i].parameter) found = &change;
      }
      rules_[i](bytes.data(), found);
    }
    return bytes;
  }

 private:
  struct Stream {
    RandomKey key;
    std::size_t offset;
  };

  template <typename T>
  const T* at(std::size_t offset) const {
    return reinterpret_cast<const T*>(table_ + offset);
  }

  std::size_t take(std::size_t bytes) {
    constexpr std::size_t kAlignment = 16;
    const std::size_t offset = used_;
    used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    if (used_ > kBytes) fail("graph: more random streams and optimisers than {} bytes hold", kBytes);
    return offset;
  }

  std::byte* table_;
  std::size_t used_ = 0;
  std::vector<Stream> streams_;
  std::vector<std::function<void(std::byte*, const Graph::Changes::Optimiser*)>> rules_;
  std::vector<Graph::Draw> draws_;
  std::vector<Graph::Update> updates_;
};

/// For a launch that draws: where the number lies that is to be added to `first`; null where nothing is recorded.
inline const std::uint64_t* recorded_draw(RandomKey key, std::uint64_t first, std::int64_t count) {
  Recording* const recording = Recording::active();
  return recording == nullptr ? nullptr : recording->draw(key, first, count);
}

/// For a launch of an optimiser: where the rule lies; null where nothing is recorded.
template <typename Rule, typename Step>
const Rule* recorded_update(const void* parameter, const Step& step) {
  Recording* const recording = Recording::active();
  return recording == nullptr ? nullptr : recording->update<Rule>(parameter, step);
}

}  // namespace counterfoil::cuda
