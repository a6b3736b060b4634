#pragma once

#include "data/dataset.h"
#include "methods/explainer.h"
#include "nn/classifier.h"
#include "nn/keys.h"

// BBMP: R. C. Fong, A. Vedaldi, "Interpretable explanations of black boxes by meaningful perturbation" (2017), with the
// settings that Charachon et al. (methods/syce.h, supplement E.2) compare with. For each image a mask is optimised that
// deletes as little as possible and yet makes the classifier lose its decision. Nothing is trained: a run only stores
// the settings.
//
//   symbol                 here
//   x_0, c = c_f(x_0)      x, classes
//   m                      mask: 1 keeps, 0 deletes; [N,H/divisor,W/divisor,1], then upsampled and filtered
//   Phi(x_0, m)            blend: m x_0 + (1 - m) blur(x_0)
//   tau                    the jitter: a shift of the perturbed image
//   f_c                    the probability of the class c
//
// Numbered deviations:
//  1. All images of a call are optimised at once, each with its own mask; they do not touch each other. The jitter of
//     an iteration is the same for all, and every call draws the same ones, so that an explanation depends on the image
//     and the seed alone.
//  2. Pixels that the jitter shifts in are black.
//  3. The mask starts as the smallest centred disc, of 16 radii, whose deletion takes away 99% of what the deletion of
//     everything takes from f_c; where none does, as the deletion of everything.
//  4. The area term is the mean over cells: the released lambda_1 of 1e-4 on a sum over 28x28 cells is 0.08 on it, and
//     means the same for every size of mask.

namespace counterfoil::methods {

struct BbmpConfig {
  std::int64_t iterations = 150;    ///< supplement E.2
  double learning_rate = 0.1;       ///< of Adam; released code
  double weight_area = 0.08;        ///< lambda_1 times the number of cells, deviation 4
  double weight_smoothness = 1e-2;  ///< lambda_2; released code
  double smoothness_power = 3;      ///< beta; released code
  std::int64_t mask_divisor = 4;    ///< images over mask: 56 of 224, supplement E.2
  double mask_sigma = 3;            ///< pixels; supplement E.2
  double blur_sigma = 5;            ///< pixels; supplement E.2
  std::int64_t jitter = 4;          ///< pixels, the shifts' range; released code

  void declare(nn::Keys& keys);
};

class Bbmp final : public Explainer {
 public:
  /// `classifier` outlives this. `train` is not looked at.
  Bbmp(const BbmpConfig& config, nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed,
       Device& device);

  /// Throws Error: there is nothing to train; a run has 0 steps.
  std::vector<Tensor> draw() override;
  nn::DeviceTerms compute(const std::vector<Tensor>& batch) override;
  std::int64_t images_per_step() const override { return 1; }

  /// "counterfactual": Phi(x, m); "map" and "mask": 1 - m, in [0,1]: what was deleted.
  Explanation explain(const Tensor& x) override;

 private:
  Variable blend(const Tensor& x, const Tensor& blurred, const Variable& mask) const;
  Variable upsampled(const Variable& mask, const Shape& images) const;
  /// f_c of every image, [N,1].
  Variable score(const Variable& x, const Tensor& classes);
  Tensor first_mask(const Tensor& x, const Tensor& blurred, const Tensor& classes);

  BbmpConfig config_;
  nn::Classifier& classifier_;
  std::uint64_t seed_;
  Tensor blur_taps_, mask_taps_;  // of the two Gaussians; mask_taps_ undefined without a filter
};

}  // namespace counterfoil::methods
