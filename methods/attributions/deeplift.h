#pragma once

#include "methods/attributions/attribution.h"

namespace counterfoil::methods {

/// DeepLIFT with the rescale rule: A. Shrikumar, P. Greenside, A. Kundaje, "Learning important features through
/// propagating activation differences" (2017), sections 3.1 to 3.5.1, with a rule for each operation of the graph:
/// functional layers and layers that are called several times have theirs, too. With D what differs between an image
/// and its baseline, a multiplier m of each operation's inputs is made from that of its output so that
/// sum m D(input) = m D(output), and the attribution is m D(x). It sums to S(x) - S(baseline); what is missing is the
/// gap, f32 rounding where every operation is covered:
///
///   linear in what comes from the images (convolutions, linear and average-pooling layers, batch norm in eval mode,
///     sums, residual adds, concatenation, resizing, ...): the derivative
///   relu, leaky_relu, elu, sigmoid, tanh, softplus, clip, abs, exp, log, sqrt, pow, ..., also fused into the operation
///     before them: rescale, D(y) / D(x), but the derivative at the image where |D(x)| <= threshold (|x| + |x_0|)
///   max-pool, max, maximum, minimum: D(y) goes to the winner of the image if the output is larger there than for the
///     baseline (of minimum: smaller), else to the winner of the baseline, in each window of its own. The winner's
///     input differs by at least D(y), so that multipliers lie in [0,1]; where windows overlap they add up
///   products and quotients of two computed values: the mean over both orders in which the factors can change,
///     D(a b) = D(a) (b + b_0) / 2 + D(b) (a + a_0) / 2, for matrix products too
///   log_softmax: z_k - log(sum exp(z)), through exp, the sum and log by rescale; softmax: exp of that by rescale. Each
///     image has its own: nothing is averaged over the batch
///
/// Instance norm, by the image's own statistics, is a product of a difference and of a curve of its variance. Not
/// covered, so that their derivative is taken and the gap shows it: select, and losses.
class DeepLift : public AttributionMethod {
 public:
  /// Relative, at least 2^-20 in f32, where smaller differences are rounding.
  double threshold = 1e-10;

  void declare(nn::Keys& keys) override;
  BaselineUse baseline_use() const override { return BaselineUse::one; }

 private:
  /// Error where an operation with a rule does not have the images as its leading axis.
  Attribution compute(const AttributionCall& call) const override;
};

/// DeepSHAP: S. M. Lundberg, S.-I. Lee, "A unified approach to interpreting model predictions" (2017), section 4.2: the
/// mean of DeepLift over a set of baselines. It sums to S(x) - mean S(baseline); with one baseline it is DeepLift.
class DeepShap final : public DeepLift {
 public:
  BaselineUse baseline_use() const override { return BaselineUse::several; }
};

}  // namespace counterfoil::methods
