#pragma once

#include <memory>

#include "nn/classifier.h"

namespace counterfoil::methods {

/// A classifier of several classes as one of two: class 1 is the class to be explained, class 0 all the others
/// (Charachon et al., supplement B.2, "Explain One class against All others"). With it every explainer of two classes
/// says why f decided for this class or not.
///
/// Its logit is z_c - max_{j != c} z_j, the log-odds of the class against its strongest rival: it is positive exactly
/// where f decides c, so that the domains are those of supplement B.1, {x : c_f(x) = c} and its complement. The
/// log-odds against the sum of the others would leave out images that f decides c with less than one half.
class OneAgainstAll final : public nn::Classifier {
 public:
  /// Throws Error unless `classifier` has at least three classes and `explained` is one of them, from 0.
  OneAgainstAll(std::shared_ptr<nn::Classifier> classifier, int explained);
  Variable logits(const Variable& x) override;  ///< [N,H,W,C] -> [N,1]
  int class_count() const override { return 2; }
  bool single_logit() const override { return true; }

 private:
  std::shared_ptr<nn::Classifier> classifier_;
  int explained_;
};

}  // namespace counterfoil::methods
