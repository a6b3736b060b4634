#pragma once

#include "nn/conv2d.h"
#include "nn/linear.h"

namespace counterfoil::nn {

/// The digits classifier of CDeepEx (appendix 6.1), which the paper calls the discriminator network: conv 5x5 (10) -
/// max-pool - ReLU - conv 5x5 (20) - max-pool - ReLU - dropout2d .5 - linear 3380 to 50 - linear 50 to 10, with nothing
/// between the linear layers, as listed there. Grey images [N,H,W,1], resized to 64x64 (section 4.1) -> logits
/// [N,outputs]; 174,840 parameters with 10 outputs. Names: "conv1", "conv2", "fc1" (its inputs in the order row,
/// column, channel), "fc2".
class CdeepexClassifier : public Network {
 public:
  explicit CdeepexClassifier(const Init& init, int outputs = 10);
  Variable forward(const Variable& x, const Pass& pass) override;

 private:
  Conv2d conv1_, conv2_;
  Linear fc1_, fc2_;
};

}  // namespace counterfoil::nn
