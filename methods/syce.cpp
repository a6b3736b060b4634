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
    : GeneratorPair(config, classifier, train, seed, device), config_(config) {}

GeneratorPair::GeneratorLoss Syce::generator_loss(const Variable& x, int source) {
  const Variable adversarial = generate(source, x);           // [N,H,W,C]
  const Variable stable = generate(source, adversarial);      // [N,H,W,C]
  const Variable cycled = generate(1 - source, adversarial);  // [N,H,W,C]
  const Decisions decisions = decide(x.value());

  const Variable l_d_s = mixed_distance(x, stable);                         // eq. 11: ||x - g_i(g_i(x))||_{1,2}
  const Variable l_d_cy = mixed_distance(x, cycled);                        // eq. 13: ||x - g_{1-i}(g_i(x))||_{1,2}
  const Variable l_f_a = classifier_loss(adversarial, decisions.opposite);  // eq. 9: L_bce(1 - c_f(x), f(g_i(x)))
  const Variable l_f_s = classifier_loss(stable, decisions.same);           // eq. 12: L_bce(c_f(x), f(g_i(g_i(x))))
  const Variable l_f_cy = classifier_loss(cycled, decisions.same);          // eq. 14: L_bce(c_f(x), f(g_{1-i}(g_i(x))))
  const Variable l_d_g = gan_loss(adversarial, source);                     // eq. 21: L_bce(1, D_{1-i}(g_i(x)))

  // Eq. 15, with eq. 21 in the place of -L_D
  const Variable total = l_d_s * config_.weight_symmetry + l_d_cy * config_.weight_cycle +
                         l_f_a * config_.weight_classifier_adversarial + l_f_s * config_.weight_classifier_symmetry +
                         l_f_cy * config_.weight_classifier_cycle + l_d_g * config_.weight_generator_gan;
  return {
      total,
      {{"L_d_s", l_d_s}, {"L_d_cy", l_d_cy}, {"L_f_a", l_f_a}, {"L_f_s", l_f_s}, {"L_f_cy", l_f_cy}, {"L_D_g", l_d_g}}};
}

Explanation Syce::explain(const Tensor& x) {
  const Tensor counterfactual = adversarial(x);
  const Tensor stable = by_domain(
      x, [&](const Tensor& part, int domain) { return generate_eval(domain, generate_eval(domain, part)).value(); });
  return {{"counterfactual", counterfactual}, {"stable", stable}, {"map", difference_map(stable, counterfactual)}};
}

}  // namespace counterfoil::methods
