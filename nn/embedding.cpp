#include "nn/embedding.h"

#include "autograd/shaping.h"

namespace counterfoil::nn {

Embedding::Embedding(const Init& init, std::int64_t classes, std::int64_t dimensions, const EmbeddingOptions& options)
    : weight_(init, Shape{classes, dimensions}, Fans{classes, dimensions}, options.spectral_norm) {
  register_child("", weight_);
}

Variable Embedding::forward(const Tensor& index, const Pass& pass) {
  return gather_rows(weight_.use(pass), index);
}

}  // namespace counterfoil::nn
