#pragma once

#include "nn/conv2d.h"
#include "nn/image_shape.h"
#include "nn/linear.h"

namespace counterfoil::nn {

struct LeNetOptions {
  ImageShape image = {};
  int outputs = 1;  ///< 1: one logit for two classes (Charachon et al., supplement D.1); else a logit per class
  std::int64_t width1 = 32, width2 = 64, hidden = 128;
  double dropout_features = 0.25, dropout_hidden = 0.5;
};

/// The digits classifier: conv 3x3 - ReLU - conv 3x3 - ReLU (both without padding) - max-pool 2x2 - dropout - linear -
/// ReLU - dropout - linear. x [N,H,W,C] -> logits [N,outputs]; 1,198,721 parameters as by default. The papers only say
/// "based on LeNet"; this is the shape of the released digits classifier of Charachon et al. Names: "conv1", "conv2",
/// "fc1" (its inputs in the order row, column, channel), "fc2".
class LeNet : public Network {
 public:
  explicit LeNet(const Init& init, const LeNetOptions& options = {});
  Variable forward(const Variable& x, const Pass& pass) override;
  int outputs() const { return options_.outputs; }

 private:
  LeNetOptions options_;
  Conv2d conv1_, conv2_;
  Linear fc1_, fc2_;
};

}  // namespace counterfoil::nn
