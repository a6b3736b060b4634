#pragma once

#include "nn/conv2d.h"
#include "nn/image_shape.h"
#include "nn/linear.h"

namespace counterfoil::nn {

struct GanmexClassifierOptions {
  ImageShape image = {};
  int outputs = 10;
  std::int64_t width1 = 32, width2 = 64;  ///< the paper gives none
};

/// The classifier of GANMEX for MNIST and SVHN (appendix A.1): two 6x6 convolutions with stride 2 and ReLU (without
/// padding), linear 256 - ReLU, dropout .5, linear. x [N,H,W,C] -> logits [N,outputs]. Names: "conv1", "conv2", "fc1"
/// (its inputs in the order row, column, channel), "fc2".
class GanmexClassifier : public Network {
 public:
  explicit GanmexClassifier(const Init& init, const GanmexClassifierOptions& options = {});
  Variable forward(const Variable& x, const Pass& pass) override;

 private:
  GanmexClassifierOptions options_;
  Conv2d conv1_, conv2_;
  Linear fc1_, fc2_;
};

}  // namespace counterfoil::nn
