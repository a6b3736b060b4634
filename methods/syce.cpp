#include "methods/syce.h"

#include "autograd/ops.h"

namespace counterfoil::methods {

void SyceConfig::declare(nn::Keys& keys) {
  GeneratorPairConfig::declare(keys);
  keys.add("weight_symmetry", weight_symmetry, 0, 1e6, "lambda_d^s: distance of g_i(g_i(x)) to x, eq. 11");
  keys.add("weight_cycle", weight_cycle, 0, 1e6, "lambda_d^cy: distance of g_1-i(g_i(x)) to x, eq. 13");
  keys.add("weight_classifier_adversarial", weight_classifier_adversarial, 0, 1e6, "lambda_f^a: g_i(x) crosses, eq. 9");
  keys.add("weight_classifier_symmetry", weight_classifier_symmetry, 0, 1e6, "lambda_f^s: g_i(g_i(x)) returns, eq. 12");
  keys.add("weight_classifier_cycle", weight_classifier_cycle, 0, 1e6, "lambda_f^cy: g_1-i(g_i(x)) returns, eq. 14");
}

Syce::Syce(const SyceConfig& config, nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed,
           Device& device)
    : GeneratorPair(config, config.unet(train), Generators::two, classifier, train, seed, device), config_(config) {}

GeneratorLoss Syce::generator_loss(const Variable& x, const Crossing& forth) {
  const Variable adversarial = generate(forth, x);              // [N,H,W,C]
  const Variable stable = generate(forth, adversarial);         // [N,H,W,C]
  const Variable cycled = generate(forth.back(), adversarial);  // [N,H,W,C]

  // Eq. 15, with eq. 21 in the place of -L_D
  return weigh({
      // eq. 11: ||x - g_i(g_i(x))||_{1,2}
      {"L_d_s", config_.weight_symmetry, mixed_distance(x, stable)},
      // eq. 13: ||x - g_{1-i}(g_i(x))||_{1,2}
      {"L_d_cy", config_.weight_cycle, mixed_distance(x, cycled)},
      // eq. 9: L_bce(1 - c_f(x), f(g_i(x)))
      {"L_f_a", config_.weight_classifier_adversarial, classifier_loss(adversarial, forth.to)},
      // eq. 12: L_bce(c_f(x), f(g_i(g_i(x))))
      {"L_f_s", config_.weight_classifier_symmetry, classifier_loss(stable, forth.from)},
      // eq. 14: L_bce(c_f(x), f(g_{1-i}(g_i(x))))
      {"L_f_cy", config_.weight_classifier_cycle, classifier_loss(cycled, forth.from)},
      // eq. 21: L_bce(1, D_{1-i}(g_i(x)))
      {"L_D_g", config_.weight_generator_gan, gan_loss(adversarial, forth)},
  });
}

Explanation Syce::explain_towards(const Tensor& x, const Tensor& targets) {
  const std::vector<Tensor> images = there_and_back(x, targets);
  return {{"counterfactual", images[0]}, {"stable", images[1]}, {"map", difference_map(images[1], images[0])}};
}

}  // namespace counterfoil::methods
