#include "nn/models/ordinal_projection.h"

#include <vector>

#include "autograd/matmul.h"
#include "autograd/pointwise.h"
#include "autograd/pooling.h"
#include "autograd/reduction.h"
#include "tensor/ops.h"

namespace counterfoil::nn {
namespace {

std::int64_t vector_count(const OrdinalProjectionOptions& options) {
  if (options.bins < 2) fail("ordinal projection: at least 2 bins are needed, found {}", options.bins);
  return options.shared ? 2 : options.bins - 1;
}

/// Per threshold: 1 if the bin passes it. Shared: thresholds not passed, thresholds passed.
std::vector<float> counts(const OrdinalProjectionOptions& options) {
  std::vector<float> table;
  for (std::int64_t bin = 0; bin < options.bins; ++bin) {
    if (options.shared) {
      table.push_back(static_cast<float>(options.bins - 1 - bin));
      table.push_back(static_cast<float>(bin));
      continue;
    }
    for (std::int64_t i = 0; i < options.bins - 1; ++i) table.push_back(i < bin ? 1.0F : 0.0F);
  }
  return table;
}

}  // namespace

OrdinalProjection::OrdinalProjection(const Init& init, std::int64_t channels, const OrdinalProjectionOptions& options)
    : psi_(init, channels, 1, {.spectral_norm = options.spectral_norm}),
      thresholds_(init, vector_count(options), channels, {.spectral_norm = options.spectral_norm}),
      counts_(Tensor::from(counts(options), Shape{options.bins, vector_count(options)}, init.device).to(init.dtype)) {
  register_child("psi", psi_);
  register_child("thresholds", thresholds_);
}

Variable OrdinalProjection::forward(const Variable& features, const Tensor& labels, const Pass& pass) {
  const Variable phi = global_sum_pool(relu(features));                                // [N,C]
  const Variable products = linear(phi, thresholds_.table(pass));                      // v_i . phi, [N,thresholds]
  const Variable ratio = sum(products * Variable(gather_rows(counts_, labels)), {1});  // log r(k|x), [N,1]
  return psi_.forward(phi, pass) + ratio;
}

}  // namespace counterfoil::nn
