#include "data/batch_sampler.h"

#include <limits>

#include "kernels/error.h"

namespace counterfoil::data {

namespace {
// Numbers of the shuffling stream that belong to one epoch; a permutation uses about one per image.
constexpr std::uint64_t kWordsPerEpoch = std::uint64_t{1} << 36U;
}  // namespace

BatchSampler::BatchSampler(std::int64_t count, std::int64_t batch, std::uint64_t seed, const std::string& name)
    : count_(count), batch_(batch), progress_(seed, name), shuffle_(seed, name + ".shuffle") {
  if (batch < 1) fail("batch: expected at least 1, found {}", batch);
  if (count < 0 || count > std::numeric_limits<std::int32_t>::max()) fail("batches of {} images", count);
}

std::vector<std::int32_t> BatchSampler::next() {
  if (count_ == 0) fail("no images to draw a batch from");
  const auto first = static_cast<std::int64_t>(progress_.reserve(static_cast<std::uint64_t>(batch_)));
  std::vector<std::int32_t> positions;
  for (std::int64_t drawn = first; drawn < first + batch_; ++drawn) {
    const std::int64_t epoch = drawn / count_;
    if (epoch != shuffled_epoch_) {
      shuffle_.seek(static_cast<std::uint64_t>(epoch) * kWordsPerEpoch);
      order_ = shuffle_.permutation(static_cast<std::int32_t>(count_));
      shuffled_epoch_ = epoch;
    }
    positions.push_back(order_[static_cast<std::size_t>(drawn % count_)]);
  }
  return positions;
}

std::int64_t BatchSampler::epoch() const {
  return count_ == 0 ? 0 : static_cast<std::int64_t>(progress_.position()) / count_;
}

}  // namespace counterfoil::data
