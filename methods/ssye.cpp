#include "methods/ssye.h"

#include "autograd/ops.h"

namespace counterfoil::methods {

void SsyeConfig::declare(nn::Keys& keys) {
  GeneratorPairConfig::declare(keys);
  keys.add("weight_symmetry", weight_symmetry, 0, 1e6, "lambda_d^s: distance of g(g(x)) to x, eq. 11");
  keys.add("weight_classifier_adversarial", weight_classifier_adversarial, 0, 1e6, "lambda_f^a: g(x) crosses, eq. 9");
  keys.add("weight_classifier_symmetry", weight_classifier_symmetry, 0, 1e6, "lambda_f^s: g(g(x)) returns, eq. 12");
  keys.add("extra_blocks", extra_blocks, 0, 16, "convolution blocks between the U-Net and its output");
}

nn::UNetOptions SsyeConfig::unet(const data::Dataset& images) const {
  nn::UNetOptions options = GeneratorPairConfig::unet(images);
  options.extra_blocks = static_cast<int>(extra_blocks);
  return options;
}

Ssye::Ssye(const SsyeConfig& config, nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed,
           Device& device)
    : GeneratorPair(config, config.unet(train), Generators::one, classifier, train, seed, device), config_(config) {}

GeneratorLoss Ssye::generator_loss(const Variable& x, const Crossing& forth) {
  const Variable adversarial = generate(forth, x);       // [N,H,W,C]
  const Variable stable = generate(forth, adversarial);  // [N,H,W,C]

  // Eq. 15 without L_d^cy and L_f^cy (supplement A.1, "Framework")
  return weigh({
      // eq. 11: ||x - g(g(x))||_{1,2}
      {"L_d_s", config_.weight_symmetry, mixed_distance(x, stable)},
      // eq. 9: L_bce(1 - c_f(x), f(g(x)))
      {"L_f_a", config_.weight_classifier_adversarial, classifier_loss(adversarial, forth.to)},
      // eq. 12: L_bce(c_f(x), f(g(g(x))))
      {"L_f_s", config_.weight_classifier_symmetry, classifier_loss(stable, forth.from)},
      // eq. 21: L_bce(1, D_{1-i}(g(x)))
      {"L_D_g", config_.weight_generator_gan, gan_loss(adversarial, forth)},
  });
}

Explanation Ssye::explain_towards(const Tensor& x, const Tensor& targets) {
  const std::vector<Tensor> images = there_and_back(x, targets);
  return {{"counterfactual", images[0]}, {"stable", images[1]}, {"map", difference_map(images[1], images[0])}};
}

}  // namespace counterfoil::methods
