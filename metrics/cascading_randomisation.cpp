#include "metrics/cascading_randomisation.h"

#include <cmath>
#include <numeric>
#include <utility>

#include "metrics/attribution_values.h"
#include "metrics/correlation.h"
#include "tensor/ops.h"

namespace counterfoil::metrics {
namespace {

std::string layer_of(const std::string& parameter) {
  const std::size_t dot = parameter.rfind('.');
  return dot == std::string::npos ? "" : parameter.substr(0, dot);
}

double norm(const std::vector<double>& values) {
  return std::sqrt(std::inner_product(values.begin(), values.end(), values.begin(), 0.0));
}

/// Gaussian numbers of the shape, kind and norm of `original`.
Tensor replaced(const Tensor& original, const std::string& name, std::uint64_t seed) {
  Random random(seed, "cascading randomisation of " + name);
  const Tensor numbers = random.normal(original.shape(), 0, 1, reference_device(), DType::f64);
  const double scale = norm(original.to_doubles()) / norm(numbers.to_vector<double>());
  return unary(UnaryOp::affine, numbers, scale, 0).to(original.dtype()).to(original.device());
}

/// Puts a module's parameters and buffers back when it goes.
class Kept {
 public:
  explicit Kept(nn::Module& network) : parameters_(network.parameters()) {
    for (const Variable& parameter : parameters_) values_.push_back(parameter.value());
    for (const auto& [name, buffer] : network.named_buffers()) buffers_.emplace_back(buffer, *buffer);
  }
  ~Kept() {
    for (std::size_t i = 0; i < values_.size(); ++i) parameters_[i].set_value(values_[i]);
    for (const auto& [buffer, tensor] : buffers_) *buffer = tensor;
  }
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;

 private:
  Variables parameters_;
  std::vector<Tensor> values_;
  std::vector<std::pair<Tensor*, Tensor>> buffers_;
};

/// Follows a replaced weight with spectral norm's vectors, if it has them.
void settle_spectral_norm(nn::Module& network, const std::string& layer, const Tensor& weight) {
  Tensor *u = nullptr, *v = nullptr;
  const std::string prefix = layer.empty() ? "" : layer + ".";
  for (const auto& [name, buffer] : network.named_buffers()) {
    if (name == prefix + "weight_u") u = buffer;
    if (name == prefix + "weight_v") v = buffer;
  }
  if (u == nullptr || v == nullptr) return;
  *u = u->clone();  // the ones before are kept
  *v = v->clone();
  power_iteration(*u, *v, weight.reshape({weight.shape()[0], -1}), 15, 1e-12);
}

}  // namespace

void randomise_cascading(nn::Module& network, std::uint64_t seed,
                         const std::function<void(const std::string& layer)>& attribute_again) {
  auto parameters = network.named_parameters();
  if (parameters.empty()) fail("cascading randomisation: a network without parameters");
  const Kept kept(network);
  for (std::size_t end = parameters.size(); end > 0;) {
    const std::string layer = layer_of(parameters[end - 1].first);
    for (; end > 0 && layer_of(parameters[end - 1].first) == layer; --end) {
      auto& [name, parameter] = parameters[end - 1];
      parameter.set_value(replaced(parameter.value(), name, seed));
      if (name.ends_with("weight_orig")) settle_spectral_norm(network, layer, parameter.value());
    }
    attribute_again(layer);
  }
}

RankSimilarity rank_similarity(const Tensor& a, const Tensor& b) {
  const AttributionValues first = attribution_values(a, "rank similarity");
  const AttributionValues second = attribution_values(b, "rank similarity");
  if (!(first.shape == second.shape)) {
    fail("rank similarity: attributions {} and {}, expected equal shapes", first.shape.to_string(),
         second.shape.to_string());
  }
  RankSimilarity found;
  for (std::int64_t n = 0; n < first.images(); ++n) {
    found.values.push_back(spearman(first.of(n), second.of(n)));
    found.magnitudes.push_back(spearman(absolute(first.of(n)), absolute(second.of(n))));
  }
  return found;
}

}  // namespace counterfoil::metrics
