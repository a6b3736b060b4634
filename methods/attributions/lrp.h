#pragma once

#include <string>

#include "methods/attributions/attribution.h"

namespace counterfoil::methods {

/// Layer-wise relevance propagation: S. Bach et al., "On pixel-wise explanations for non-linear classifier decisions by
/// layer-wise relevance propagation" (2015). The score is the relevance of the output; each operation of the graph
/// hands the relevance R of its outputs to its inputs, down to the features. Layers that are called several times,
/// functional ones, batch norms, residual and dense blocks are operations like any other.
///
/// Layers z_j = sum_i x_i w_ij + b_j, which are convolutions, transposed convolutions, linear layers and norms with
/// their statistics as constants (batch norm in eval mode: one weight and one bias per channel; with "epsilon" and a
/// small epsilon that is the same as folding it into the convolution before it), share by a rule:
///
///   epsilon      R_i = sum_j x_i w_ij R_j / (z_j + epsilon sign(z_j)), sign(0) = 1 (eq. 58)
///   alpha_beta   R_i = sum_j (alpha (x_i w_ij)+ / (z_j+ + epsilon) - (alpha - 1) (x_i w_ij)- / (z_j- - epsilon)) R_j,
///                where z+ and z- are the sums of the positive and negative parts (eq. 60); a unit all of whose
///                parts have one sign hands on alpha or 1 - alpha times what it has
///   z_plus       that with alpha = 1: positive parts alone
///
/// and, if they are no norms and take the images themselves (as they are, cut, reshaped or resized), by the input rule
/// (G. Montavon et al., "Explaining nonlinear classification decisions with deep Taylor decomposition", 2017):
///
///   same         the rule of the other layers
///   w_squared    R_i = sum_j w_ij^2 R_j / (sum_i w_ij^2 + epsilon), which does not look at the image
///   z_box        R_i = sum_j (x_i w_ij - w_ij-) R_j / (sum_i (x_i w_ij - w_ij-) + epsilon sign), pixels in [0,1]
///
/// Sums without weights (residual adds, average pooling, resizing, reductions) are shared in proportion, by "epsilon".
/// Max-pool, max, maximum and minimum: the winner takes all. Activations, softmax among them, pass relevance on as it
/// is, and so does all that only moves elements (concatenation, reshape, ...). A product with a constant passes it on,
/// one of two computed values halves it; of a quotient the dividend has it, if it is computed.
///
/// Biases and epsilon absorb relevance. `gap` says how much: sum of the values - S(x). Explain logits: of a probability
/// the relevance is p_c, and it goes to the logit of c alone.
class Lrp final : public AttributionMethod {
 public:
  std::string rule = "epsilon";
  std::string input_rule = "same";
  double epsilon = 1e-4;
  double alpha = 2;  ///< of alpha_beta

  void declare(nn::Keys& keys) override;
  BaselineUse baseline_use() const override { return BaselineUse::none; }

 private:
  /// Error on an input rule where no layer takes the images.
  Attribution compute(const AttributionCall& call) const override;
};

}  // namespace counterfoil::methods
