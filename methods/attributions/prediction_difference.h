#pragma once

#include "methods/attributions/attribution.h"

// Prediction difference analysis: L. M. Zintgraf, T. S. Cohen, T. Adel, M. Welling, "Visualizing deep neural network
// decisions: prediction difference analysis" (2017): how much less likely a class is when a window of the image isn't
// known. What could stand in its place is drawn from images like those the classifier was trained on: the set of
// baselines. CDeepEx (methods/cdeepex.h, section 4) compares with it.
//
//   symbol                here
//   x_i, x_\i             a window of `window` x `window` pixels, all channels, and the rest of the image
//   p(x_i | x_\i)         conditional: a normal distribution of patches (patch_normal.h), l = window + 2 surrounding;
//                         marginal: what images of the set have there
//   p(c | x_\i)           the mean of p(c | x) over the samples in the window, eq. 3
//   p <- (p n + 1) / (n + K)   Laplace's correction, section 3; n training_images, K classes
//   odds(p) = p / (1 - p)
//   WE_i                  worth: log2 odds(p(c | x)) - log2 odds(p(c | x_\i)), eq. 4
//
// Numbered deviations:
//  1. It is defined on probabilities, so that the question's scale isn't looked at. Held against another class c', the
//     odds of c are those against c', p_c / p_c', each corrected: of two classes that is the same.
//  2. A feature that several windows cover has the mean of their worth, algorithm 1; the channels of a pixel have equal
//     values. A stride above 1 leaves windows out, and the last of a row or column is cut at the edge.
//  3. Near the edge of the image the patch is moved inside, so that the window isn't in its middle.
//  4. The patches' covariance has 1e-6 added to its diagonal, a quarter of a grey level: pixels that never change have
//     none. Samples are clipped to the range of the set's values.
//  5. The marginal sampler takes each image of the set once where there are no more of them than samples, and else
//     different ones.

namespace counterfoil::methods {

/// Values [N,H,W,C]; baselines [N,B,H,W,C]: for each image a set of training images, usually one and the same, which is
/// then fitted once. samples H W / stride^2 images are classified per image, about. What is drawn for image n is keyed
/// by (seed, n), which patches are fitted, where they are not all, by the seed. Throws Error on windows or patches
/// larger than the images, a stride that leaves features uncovered, patches of more than 4096 features and a set with
/// fewer than 2 patches.
class PredictionDifference final : public AttributionMethod {
 public:
  std::int64_t window = 4;  ///< k, pixels; the paper has 10 for images of 224
  std::int64_t stride = 1;
  std::string sampler = "conditional";
  std::int64_t surrounding = 2;          ///< (l - k) / 2, pixels
  std::int64_t samples = 10;             ///< S
  std::int64_t training_images = 60000;  ///< n
  std::int64_t patches = 20000;          ///< at most, that the normal distribution is fitted on

  void declare(nn::Keys& keys) override;
  BaselineUse baseline_use() const override { return BaselineUse::several; }

 private:
  Attribution compute(const AttributionCall& call) const override;
};

}  // namespace counterfoil::methods
