#pragma once

#include "nn/weight.h"

namespace counterfoil::nn {

struct EmbeddingOptions {
  bool spectral_norm = false;
};

/// A learned vector per class: index i32 [M] in [0, classes) -> [M,D]. Parameter: "weight" [classes,D].
class Embedding : public Module {
 public:
  Embedding(const Init& init, std::int64_t classes, std::int64_t dimensions, const EmbeddingOptions& options = {});
  Variable forward(const Tensor& index, const Pass& pass);
  /// The whole table as used, [classes,D].
  Variable table(const Pass& pass) { return weight_.use(pass); }

 private:
  Weight weight_;
};

}  // namespace counterfoil::nn
