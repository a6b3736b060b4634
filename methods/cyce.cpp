#include "methods/cyce.h"

#include "autograd/ops.h"

namespace counterfoil::methods {

void CyceConfig::declare(nn::Keys& keys) {
  GeneratorPairConfig::declare(keys);
  keys.add("weight_cycle", weight_cycle, 0, 1e6, "lambda_d^cy: distance of g_1-i(g_i(x)) to x, eq. 13");
  keys.add("weight_classifier_adversarial", weight_classifier_adversarial, 0, 1e6, "lambda_f^a: g_i(x) crosses, eq. 9");
  keys.add("weight_classifier_cycle", weight_classifier_cycle, 0, 1e6, "lambda_f^cy: g_1-i(g_i(x)) returns, eq. 14");
}

Cyce::Cyce(const CyceConfig& config, nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed,
           Device& device)
    : GeneratorPair(config, config.unet(train), Generators::two, classifier, train, seed, device), config_(config) {}

GeneratorLoss Cyce::generator_loss(const Variable& x, const Crossing& forth) {
  const Variable adversarial = generate(forth, x);              // [N,H,W,C]
  const Variable cycled = generate(forth.back(), adversarial);  // [N,H,W,C]

  std::vector<WeightedTerm> terms = {
      // eq. 13: ||x - g_{1-i}(g_i(x))||_{1,2}
      {"L_d_cy", config_.weight_cycle, mixed_distance(x, cycled)},
      // eq. 21: L_bce(1, D_{1-i}(g_i(x)))
      {"L_D_g", config_.weight_generator_gan, gan_loss(adversarial, forth)},
  };
  if (config_.weight_classifier_adversarial != 0 || config_.weight_classifier_cycle != 0) {
    // eq. 9: L_bce(1 - c_f(x), f(g_i(x)))
    terms.push_back({"L_f_a", config_.weight_classifier_adversarial, classifier_loss(adversarial, forth.to)});
    // eq. 14: L_bce(c_f(x), f(g_{1-i}(g_i(x))))
    terms.push_back({"L_f_cy", config_.weight_classifier_cycle, classifier_loss(cycled, forth.from)});
  }
  return weigh(terms);
}

Explanation Cyce::explain_towards(const Tensor& x, const Tensor& targets) {
  const Tensor counterfactual = lead(x, targets, 1, [&](const Tensor& part, const Crossing& forth) {
                                  return generate_eval(forth, part);
                                }).front();
  return {{"counterfactual", counterfactual}, {"map", difference_map(x, counterfactual)}};
}

}  // namespace counterfoil::methods
