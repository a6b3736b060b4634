#include "methods/cycsae.h"

#include <map>

#include "autograd/ops.h"

namespace counterfoil::methods {

void CycsaeConfig::declare(nn::Keys& keys) {
  GeneratorPairConfig::declare(keys);
  keys.add("weight_stable", weight_stable, 0, 1e6, "lambda_d^s: distance of g_i^s(x) to x, eq. 11");
  keys.add("weight_cycle", weight_cycle, 0, 1e6, "lambda_d^cy: distance of g_1-i^a(g_i^a(x)) to x, eq. 13");
  keys.add("weight_classifier_adversarial", weight_classifier_adversarial, 0, 1e6, "lambda_f^a: g_i^a(x) crosses");
  keys.add("weight_classifier_stable", weight_classifier_stable, 0, 1e6, "lambda_f^s: g_i^s(x) stays, eq. 12");
  keys.add("weight_classifier_cycle", weight_classifier_cycle, 0, 1e6,
           "lambda_f^cy: g_1-i^a(g_i^a(x)) returns, eq. 14");
  keys.add("weight_proximity", weight_proximity, 0, 1e6, "lambda_w: squared distance between the heads' parameters");
}

nn::UNetOptions CycsaeConfig::unet(const data::Dataset& images) const {
  nn::UNetOptions options = GeneratorPairConfig::unet(images);
  options.heads = 2;
  options.head_widths = {32, 16};
  return options;
}

Variable head_distance(const nn::UNet& generator) {
  std::map<std::string, Variable> first;
  Variable distance;
  for (const auto& [name, parameter] : generator.named_parameters()) {
    const std::string head0 = "heads.0.", head1 = "heads.1.";
    if (name.starts_with(head0)) first.emplace(name.substr(head0.size()), parameter);
    if (!name.starts_with(head1)) continue;
    const Variable squares = reshape(sum_squares(parameter - first.at(name.substr(head1.size()))), {1});
    distance = distance.defined() ? distance + squares : squares;
  }
  if (!distance.defined()) fail("head distance: expected a U-Net with two heads");
  return distance;
}

Cycsae::Cycsae(const CycsaeConfig& config, nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed,
               Device& device)
    : GeneratorPair(config, config.unet(train), Generators::two, classifier, train, seed, device), config_(config) {}

GeneratorLoss Cycsae::generator_loss(const Variable& x, const Crossing& forth) {
  const Variables heads = generate_heads(forth, x);
  const Variable &adversarial = heads[0], &stable = heads[1];   // [N,H,W,C]
  const Variable cycled = generate(forth.back(), adversarial);  // [N,H,W,C]
  Variable distance;                                            // d_w^0 + d_w^1 = sum_i ||w_i^s - w_i^a||^2
  for (const auto& generator : generators())
    distance = distance.defined() ? distance + head_distance(*generator) : head_distance(*generator);

  // Supplement A.2: L_Tot of SyCE + lambda_w (d_w^0 + d_w^1)
  return weigh({
      // eq. 11: ||x - g_i^s(x)||_{1,2}
      {"L_d_s", config_.weight_stable, mixed_distance(x, stable)},
      // eq. 13: ||x - g_{1-i}^a(g_i^a(x))||_{1,2}
      {"L_d_cy", config_.weight_cycle, mixed_distance(x, cycled)},
      // eq. 9: L_bce(1 - c_f(x), f(g_i^a(x)))
      {"L_f_a", config_.weight_classifier_adversarial, classifier_loss(adversarial, forth.to)},
      // eq. 12: L_bce(c_f(x), f(g_i^s(x)))
      {"L_f_s", config_.weight_classifier_stable, classifier_loss(stable, forth.from)},
      // eq. 14: L_bce(c_f(x), f(g_{1-i}^a(g_i^a(x))))
      {"L_f_cy", config_.weight_classifier_cycle, classifier_loss(cycled, forth.from)},
      // eq. 21: L_bce(1, D_{1-i}(g_i^a(x)))
      {"L_D_g", config_.weight_generator_gan, gan_loss(adversarial, forth)},
      {"d_w", config_.weight_proximity, distance},
  });
}

Explanation Cycsae::explain_towards(const Tensor& x, const Tensor& targets) {
  const std::vector<Tensor> images =
      lead(x, targets, 2, [&](const Tensor& part, const Crossing& forth) { return generate_eval(forth, part); });
  return {{"counterfactual", images[0]}, {"stable", images[1]}, {"map", difference_map(images[1], images[0])}};
}

}  // namespace counterfoil::methods
