#pragma once

#include "methods/attributions/attribution.h"

namespace counterfoil::methods {

/// Grad-CAM: R. R. Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization"
/// (2017), section 3. With the channels A^k [h,w] of a layer and the score S:
///
///   a_k = mean over space of dS / dA^k,   map = relu(sum_k a_k A^k)
///
/// brought to the image's size bilinearly. It says where, not which channel: the values of a pixel's C channels are
/// map / C, so that they sum to the map.
///
/// The layers are found on the graph of each score: the output of every convolution (or transposed one) that has more
/// than one pixel, with what follows it pixel by pixel and is its only use: norms, activations, residual adds, dense
/// concatenation. Of those that end in the same place there is one; those of a residual block whose input is used again
/// are one layer, its sum.
class GradCam : public AttributionMethod {
 public:
  std::int64_t layer = 1;  ///< counted from the end: 1 is the last
  bool relu = true;        ///< false: what speaks against the class stays, with its sign

  void declare(nn::Keys& keys) override;
  BaselineUse baseline_use() const override { return BaselineUse::none; }

 protected:
  /// Error where the classifier has no such layer.
  Attribution compute(const AttributionCall& call) const override;
};

/// Guided Grad-CAM (the same paper, section 3.3): the map times guided back-propagation
/// (methods/attributions/guided_backpropagation.h), feature by feature: where, and which channel.
class GuidedGradCam final : public GradCam {
  Attribution compute(const AttributionCall& call) const override;
};

}  // namespace counterfoil::methods
