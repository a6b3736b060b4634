#pragma once

#include "methods/explainer.h"
#include "methods/single_generator.h"
#include "nn/classifier.h"

// MGen, the mask generator: P. Dabkowski, Y. Gal, "Real time image saliency for black box classifiers" (2017), in the
// form in which Charachon et al. (methods/syce.h, supplement E.2) compare with it. A network draws, in one pass, the
// mask of what the classifier needs: kept, it preserves the decision; taken away, it destroys it.
//
//   symbol                 here
//   x, c = c_f(x)          x, classes
//   (a, b)                 the two channels that the generator draws
//   m = |a| / (|a| + |b|)  mask: 1 where the evidence is, at half the images' resolution, then upsampled
//   A(x)                   fill: what takes the place of what is taken away
//   Phi(x, m)              blend: m x + (1 - m) A(x)
//   margin_c(y)            log p_c(y) - max_{j != c} log p_j(y)
//
// Numbered deviations:
//  1. Charachon's: two classes need no class embedding at the generator's input, and get none. Here neither do more.
//  2. The encoder is the U-Net of SyCE, trained with the rest, in the place of a ResNet-50 trained before; its
//     output is averaged 2x2, which gives the paper's mask of 14x14 for digits and 112x112 for 224x224.
//  3. The terms are the authors' released ones, weights included: hinges on the margin in the place of the paper's
//     logarithm and power of probabilities. The smoothness term has no extra penalty at the border.
//  4. The released code fills a whole batch with a blur, or with a colour and noise: here each image by its own
//     coin. Its figures for images in [-1, 1] are halved: colour 0.5 +- 0.33, noise of deviation 0.055.
//  5. 1e-6 in the mask's denominator.
//  6. Batch norm has the batch's statistics, unlike SyCE's: the generator sees every image once and no image of its
//     own, so that the averages fit. Frozen, it did not learn the problem of tests/methods/mgen_test.cpp in 800
//     steps; so, it does in 500.

namespace counterfoil::methods {

struct MgenConfig : GeneratorConfig {
  MgenConfig() { batch_norm = "batch"; }  // deviation 6

  double weight_destroyer = 1.0;    ///< released code
  double weight_preserver = 0.3;    ///< released code
  double weight_area = 8.0;         ///< released code
  double weight_smoothness = 5e-3;  ///< released code
  double destroyer_margin = 5.0;    ///< released code
  double preserver_margin = 1.0;    ///< released code
  double area_power = 0.3;          ///< released code; 0.0005 is added under the power
  double blur_sigma = 5.0;          ///< pixels; supplement E.2 names it for BBMP; the released code has 11 at 224
  double mask_sigma = 1.0;  ///< pixels, of the filter on the upsampled mask; supplement E.2 has no figure; 0: none

  void declare(nn::Keys& keys);
  nn::UNetOptions unet(const data::Dataset& images) const;
};

/// log p_c - max_{j != c} log p_j per image, [N,1], for classes c (i32 [N]) and log-probabilities [N,K].
Variable class_margin(const Variable& log_probabilities, const Tensor& classes);

class Mgen final : public Explainer {
 public:
  Mgen(const MgenConfig& config, nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed,
       Device& device);

  std::vector<Tensor> draw() override;  ///< images [N,H,W,C]
  nn::DeviceTerms compute(const std::vector<Tensor>& drawn) override;
  std::int64_t images_per_step() const override { return config_.batch; }
  /// "counterfactual": x with the evidence blurred, Phi(x, 1 - m); "map" and "mask": m, in [0,1].
  Explanation explain(const Tensor& x) override;

 private:
  GeneratorLoss generator_loss(const Variable& x);
  Variable mask(const Variable& x, const nn::Pass& pass);               ///< at half the resolution, [N,H/2,W/2,1]
  Variable upsampled(const Variable& mask, const Shape& images) const;  ///< [N,H,W,1]
  Tensor random_fill(const Tensor& x);                                  ///< A(x) of training

  MgenConfig config_;
  nn::Classifier& classifier_;
  Device& device_;
  SingleGenerator generator_;
  Random fill_random_;
  Tensor blur_taps_, mask_taps_;  // of the two Gaussians; mask_taps_ undefined without a filter
};

}  // namespace counterfoil::methods
