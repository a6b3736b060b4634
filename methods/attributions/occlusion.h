#pragma once

#include "methods/attributions/attribution.h"

// Occlusion: M. D. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks" (2014), section 4.2: how
// much the score drops when a part of the image is covered. GANMEX (methods/ganmex.h, appendix A.3) compares
// Occlusion-1 (M. Ancona et al., "Towards better understanding of gradient-based attribution methods", 2018): one
// feature at a time, which is the default here, with a baseline of one's choice in its place.
//
//   symbol           here
//   x, x'            x, baselines: an image for each
//   w                a window of height x width pixels, of one channel or all
//   S(x) - S(x_w)    worth: the drop when the window shows the baseline
//
// Numbered deviations:
//  1. A feature that several windows cover has the mean of their drops, as in the public implementations.
//  2. Where the stride does not divide, the last window of a row or column is cut at the edge, so that every feature is
//     covered; its drop is that of the smaller window.

namespace counterfoil::methods {

/// Values [N,H,W,C]. Of a linear model and windows of one feature, w (x - x'). H W C / stride^2 images are classified
/// per image, about. Throws Error on windows larger than the images and on a stride that leaves features uncovered.
class Occlusion final : public AttributionMethod {
 public:
  std::int64_t height = 1, width = 1;  ///< pixels, of a window
  std::int64_t stride = 1;             ///< pixels, in both directions
  std::string channels = "each";

  void declare(nn::Keys& keys) override;
  BaselineUse baseline_use() const override { return BaselineUse::one; }

 private:
  Attribution compute(const AttributionCall& call) const override;
};

}  // namespace counterfoil::methods
