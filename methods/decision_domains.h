#pragma once

#include <array>
#include <functional>

#include "data/augmentation.h"
#include "data/batch_sampler.h"
#include "data/dataset.h"
#include "nn/classifier.h"
#include "nn/trainable.h"

// The two domains {x : c_f(x) = 0} and {x : c_f(x) = 1} of a binary classifier. They follow its decisions, never the
// labels.

namespace counterfoil::methods {

/// Training batches of either domain, each drawn from its own endless sequence of epochs.
class DomainBatches {
 public:
  /// Throws Error unless the classifier has two classes; `method` is named in it. `train` is copied.
  DomainBatches(const std::string& method, nn::Classifier& classifier, const data::Dataset& train, std::int64_t batch,
                const data::AugmentationOptions& augmentation, std::uint64_t seed, Device& device);

  /// [batch,H,W,C] in [0,1], augmented. Throws Error when the domain holds less than a batch.
  Tensor next(int domain);
  /// Puts the streams "batches_0", "batches_1" and "augmentation" among what a training run remembers.
  void remember_in(nn::TrainingState& state);

 private:
  data::AugmentationOptions augmentation_;
  Device& device_;
  std::array<data::Dataset, 2> domains_;
  std::array<data::BatchSampler, 2> samplers_;
  Random augmentation_random_;
};

/// Applies `each` to the images of either domain of x [N,H,W,C] and puts the results, a row per image, back in order. A
/// domain without images is left out; N = 0 gives x.
Tensor by_decision(nn::Classifier& classifier, const Tensor& x,
                   const std::function<Tensor(const Tensor& part, int domain)>& each);

/// A classifier's decisions and the opposite classes, i32 [N].
struct Decisions {
  Tensor same, opposite;
};
Decisions decide(nn::Classifier& classifier, const Tensor& x);

}  // namespace counterfoil::methods
