#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/random.h"

namespace counterfoil::data {

/// Which images make the next batch: the endless sequence of epochs, each a fresh permutation of 0 .. count - 1, cut
/// into batches. Every image appears once per epoch; a batch may hold the end of one epoch and the start of the next.
class BatchSampler {
 public:
  /// count = 0 is legal as long as next() is not called. Throws Error on batch < 1.
  BatchSampler(std::int64_t count, std::int64_t batch, std::uint64_t seed, const std::string& name);

  std::vector<std::int32_t> next();
  std::int64_t batch() const { return batch_; }
  /// Epochs completed so far.
  std::int64_t epoch() const;
  /// The whole state: a stream whose position counts the images drawn. List it in TrainingState::randoms.
  Random& progress() { return progress_; }

 private:
  std::int64_t count_, batch_;
  Random progress_, shuffle_;
  std::int64_t shuffled_epoch_ = -1;
  std::vector<std::int32_t> order_;
};

}  // namespace counterfoil::data
