#pragma once

#include <string>
#include <utility>
#include <vector>

#include "autograd/variable.h"
#include "data/augmentation.h"
#include "data/dataset.h"
#include "nn/keys.h"
#include "nn/models/unet.h"

namespace counterfoil::methods {

/// What every image generator of Charachon et al. is built and trained with: a U-Net, Adam, augmented batches.
struct GeneratorConfig {
  double generator_learning_rate = 1e-4;   ///< supplement E.1
  double beta1 = 0.9, beta2 = 0.999;       ///< Adam; not given in the paper: the frameworks' defaults
  std::int64_t batch = 64;                 ///< supplement E.1, digits
  std::int64_t generator_width = 16;       ///< channels of the U-Net's finest level; doubles per level
  std::int64_t generator_levels = 2;       ///< times the U-Net halves the image; supplement E.1, digits
  std::string batch_norm = "frozen";       ///< or batch; deviation 4 of methods/syce.h
  double dropout = 0;                      ///< supplement E.1: 0.1 to 0.2 "may be added"; deviation 4 too
  data::AugmentationOptions augmentation;  ///< supplement E.1: as for the classifier

  void declare(nn::Keys& keys);
  /// For images of these extents, with the output left as it comes.
  nn::UNetOptions unet(const data::Dataset& images) const;
  nn::Pass training_pass(Random& dropout_random) const;
  AdamStep adam() const { return {generator_learning_rate, beta1, beta2}; }
};

/// Of generators that draw images.
struct ImageGeneratorConfig : GeneratorConfig {
  std::string output = "clip";  ///< or sigmoid; supplement E.1: the clip is better for digits

  void declare(nn::Keys& keys);
  nn::UNetOptions unet(const data::Dataset& images) const;
};

/// A loss to minimise, and its terms for the record, before their weights.
struct GeneratorLoss {
  Variable total;
  std::vector<std::pair<std::string, Variable>> terms;
};
struct WeightedTerm {
  std::string name;
  double weight;
  Variable value;
};
/// total = sum of weight * value.
GeneratorLoss weigh(const std::vector<WeightedTerm>& terms);

/// x [N,H,W,C] with planes [N,P] beside its channels, each number a plane: [N,H,W,C+P].
Variable with_planes(const Variable& x, const Variable& planes);

/// Mean of the L1 and L2 distances, ||a - b||_{1,2} of eq. 11: (mean |a - b| + mean (a - b)^2) / 2 over every pixel.
Variable mixed_distance(const Variable& a, const Variable& b);

}  // namespace counterfoil::methods
