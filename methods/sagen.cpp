#include "methods/sagen.h"

#include "autograd/ops.h"

namespace counterfoil::methods {

void SagenConfig::declare(nn::Keys& keys) {
  ImageGeneratorConfig::declare(keys);
  keys.add("weight_classifier_stable", weight_classifier_stable, 0, 1e6, "of L_bce: f decides the stable image like x");
  keys.add("weight_classifier_adversarial", weight_classifier_adversarial, 0, 1e6, "of L_bce: g^a(x) crosses");
  keys.add("weight_stable", weight_stable, 0, 1e6, "of the distance of g^s(x) to x");
  keys.add("weight_adversarial", weight_adversarial, 0, 1e6, "of the distance of g^a(x) to x");
  keys.add("weight_similarity", weight_similarity, 0, 1e6, "of the distance of g^a(x) to g^s(x)");
}

nn::UNetOptions SagenConfig::unet(const data::Dataset& images) const {
  nn::UNetOptions options = ImageGeneratorConfig::unet(images);
  options.heads = 2;
  options.head_widths = {32, 16};
  return options;
}

Sagen::Sagen(const SagenConfig& config, nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed,
             Device& device)
    : SingleGenerator(config, config.unet(train), classifier, train, seed, device), config_(config) {
  if (classifier.class_count() != 2)
    fail("sagen: expected a classifier of 2 classes, found {}", classifier.class_count());
}

GeneratorLoss Sagen::generator_loss(const Variable& x) {
  const Variables heads = generator().forward_heads(x, training_pass());
  const Variable &adversarial = heads[0], &stable = heads[1];  // [N,H,W,C]
  drawn_ = {{"the adversarial head", adversarial.value()}, {"the stable head", stable.value()}};
  const Decisions decisions = decide(classifier(), x.value());
  return weigh({
      // L_bce(c_f(x), f(g^s(x)))
      {"L_f_s", config_.weight_classifier_stable, classifier().loss(stable, decisions.same)},
      // L_bce(1 - c_f(x), f(g^a(x)))
      {"L_f_a", config_.weight_classifier_adversarial, classifier().loss(adversarial, decisions.opposite)},
      // ||x - g^s(x)||, ||x - g^a(x)||, ||g^s(x) - g^a(x)||
      {"L_d_s", config_.weight_stable, mixed_distance(x, stable)},
      {"L_d_a", config_.weight_adversarial, mixed_distance(x, adversarial)},
      {"L_d_sa", config_.weight_similarity, mixed_distance(stable, adversarial)},
  });
}

Explanation Sagen::explain(const Tensor& x) {
  const NoGrad no_grad;
  const Variables heads = generator().forward_heads(x, nn::Pass::eval());
  const Tensor counterfactual = heads[0].value(), stable = heads[1].value();
  return {{"counterfactual", counterfactual}, {"stable", stable}, {"map", difference_map(stable, counterfactual)}};
}

}  // namespace counterfoil::methods
