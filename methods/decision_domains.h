#pragma once

#include <array>
#include <functional>
#include <vector>

#include "data/augmentation.h"
#include "data/batch_sampler.h"
#include "data/dataset.h"
#include "nn/classifier.h"
#include "nn/trainable.h"

// The domains {x : c_f(x) = k} of a classifier, two or several. They follow its decisions, never the labels.

namespace counterfoil::methods {

/// Throws Error, in which `method` is named, unless the classifier has two classes.
void check_two_classes(const std::string& method, const nn::Classifier& classifier);

/// Of two domains: training batches of either, each drawn from its own endless sequence of epochs.
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

/// Of any number of domains: batches whose images are drawn one by one, each from a domain of its own. A domain gives
/// its images in an endless sequence of epochs.
class ClassBatches {
 public:
  /// `train` is copied.
  ClassBatches(nn::Classifier& classifier, const data::Dataset& train, const data::AugmentationOptions& augmentation,
               std::uint64_t seed, Device& device);
  /// For each class in turn an image of its domain: [N,H,W,C] in [0,1], augmented. Throws Error when the classifier
  /// puts no image in it.
  Tensor next(const std::vector<std::int32_t>& classes);
  /// Puts the streams "batches_<class>" and "augmentation" among what a training run remembers.
  void remember_in(nn::TrainingState& state);

 private:
  data::AugmentationOptions augmentation_;
  Device& device_;
  data::Dataset train_;
  std::vector<std::vector<std::int32_t>> domains_;  // positions in train_
  std::vector<data::BatchSampler> samplers_;
  Random augmentation_random_;
};

/// Applies `each` to the images of every group 0, 1, ... and puts the results, a row per image, back in order; images
/// of a group below 0 stay as they are. A group without images is left out; N = 0 gives x.
Tensor by_group(const Tensor& x, const std::vector<std::int32_t>& groups,
                const std::function<Tensor(const Tensor& part, int group, const Tensor& positions)>& each);

/// Applies `each` to the images of either domain of x [N,H,W,C] and puts the results, a row per image, back in order. A
/// domain without images is left out; N = 0 gives x.
Tensor by_decision(nn::Classifier& classifier, const Tensor& x,
                   const std::function<Tensor(const Tensor& part, int domain)>& each);

/// From which class to which each image of a batch is led, i32 [N] each.
struct Crossing {
  int domain;  ///< of two classes, the one that all images come from; of several 0 or 1, and without meaning
  Tensor from, to;
  Crossing back() const { return {1 - domain, to, from}; }
};

/// Makes images of those of a part that have to cross, a row per image each.
using LeadEach = std::function<Variables(const Tensor& part, const Crossing& forth)>;

/// `count` images [N,H,W,C] for each of x [N,H,W,C], made by `each`, of those that have to cross to be of their target
/// class (i32 [N]); the others stay as they are. `by_domain`: the images of either class are led apart. Without
/// gradients.
std::vector<Tensor> lead(nn::Classifier& classifier, const Tensor& x, const Tensor& targets, bool by_domain,
                         std::size_t count, const LeadEach& each);

/// A classifier's decisions and the opposite classes, i32 [N].
struct Decisions {
  Tensor same, opposite;
};
Decisions decide(nn::Classifier& classifier, const Tensor& x);

}  // namespace counterfoil::methods
