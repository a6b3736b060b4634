#pragma once

#include <map>
#include <string>

#include "nn/trainable.h"

namespace counterfoil::methods {

/// What an explainer says of a batch, by documented names: "counterfactual" [N,H,W,C] in [0,1] always; "stable" where
/// the method has a stable image; "map" [N,H,W,1] >= 0, the explanation map; others as the method's header says.
using Explanation = std::map<std::string, Tensor>;

/// |a - b| averaged over channels, the map of the methods that explain by a difference: [N,H,W,C] twice -> [N,H,W,1].
Tensor difference_map(const Tensor& a, const Tensor& b);

class Explainer : public nn::Trainable {
 public:
  /// x [N,H,W,C] in [0,1], any N.
  virtual Explanation explain(const Tensor& x) = 0;
};

}  // namespace counterfoil::methods
