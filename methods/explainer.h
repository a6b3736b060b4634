#pragma once

#include <map>
#include <string>

#include "nn/classifier.h"
#include "nn/trainable.h"

namespace counterfoil::methods {

/// What an explainer says of a batch, by documented names: "counterfactual" [N,H,W,C] in [0,1] always; "stable" where
/// the method has a stable image; "map" [N,H,W,1] >= 0, the explanation map; "mask" [N,H,W,1] in [0,1] where the method
/// draws what may change; others as the method's header says. All but maps and masks that have the shape of x are
/// images.
using Explanation = std::map<std::string, Tensor>;

/// |a - b| averaged over channels, the map of the methods that explain by a difference: [N,H,W,C] twice -> [N,H,W,1].
Tensor difference_map(const Tensor& a, const Tensor& b);

class Explainer : public nn::Trainable {
 public:
  /// x [N,H,W,C] in [0,1], any N.
  virtual Explanation explain(const Tensor& x) = 0;
};

/// Of each image the class that f finds most likely after the one it decides, i32 [N]; of two classes the other one.
/// x [N,H,W,C].
Tensor runner_up(nn::Classifier& classifier, const Tensor& x);

/// An explainer that answers one against one: why the class that f decides, and not the one that is asked for?
class TargetedExplainer : public Explainer {
 public:
  /// targets: the classes asked for, i32 [N]. Where one is what f decides already, so is the counterfactual.
  virtual Explanation explain_towards(const Tensor& x, const Tensor& targets) = 0;
  /// Towards the runner-up.
  Explanation explain(const Tensor& x) final { return explain_towards(x, runner_up(classifier_, x)); }

 protected:
  /// `classifier` outlives this.
  explicit TargetedExplainer(nn::Classifier& classifier) : classifier_(classifier) {}
  nn::Classifier& classifier() const { return classifier_; }

 private:
  nn::Classifier& classifier_;
};

}  // namespace counterfoil::methods
