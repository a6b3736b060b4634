#include "methods/sagen.h"

#include "autograd/ops.h"
#include "kernels/span.h"
#include "methods/decision_domains.h"

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

namespace {

nn::UNetOptions with_target_planes(nn::UNetOptions options, int classes) {
  if (classes > 2) options.channels += classes;
  return options;
}

}  // namespace

Sagen::Sagen(const SagenConfig& config, nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed,
             Device& device)
    : TargetedExplainer(classifier),
      config_(config),
      device_(device),
      generator_(config, with_target_planes(config.unet(train), classifier.class_count()), train, seed, device),
      targets_random_(seed, "targets") {
  generator_.remember_in(state_);
  if (conditional()) state_.randoms.emplace_back("targets", &targets_random_);
}

Variables Sagen::heads(const Variable& x, const Tensor& targets, const nn::Pass& pass) {
  const Variable seen = conditional() ? with_planes(x, Variable(one_hot(targets, classifier().class_count()))) : x;
  return generator_.network().forward_heads(seen, pass);
}

std::vector<Tensor> Sagen::draw() {
  const Tensor x = generator_.next_images();
  if (!conditional()) {
    const Decisions decisions = decide(classifier(), x);
    return {x, decisions.same, decisions.opposite};
  }
  const auto classes = static_cast<std::uint64_t>(classifier().class_count());
  const Tensor decided = classifier().decisions(x);
  std::vector<std::int32_t> targets = decided.to_vector<std::int32_t>();
  for (std::int32_t& target : targets) {
    const std::uint64_t further = targets_random_.integer(classes - 1);
    target = static_cast<std::int32_t>((static_cast<std::uint64_t>(target) + 1 + further) % classes);
  }
  return {x, decided, Tensor::from(targets, decided.shape(), device_)};
}

nn::DeviceTerms Sagen::compute(const std::vector<Tensor>& drawn) {
  const Span span(device_, "generator");
  return generator_.minimise(generator_loss(drawn[0], drawn[1], drawn[2]));
}

GeneratorLoss Sagen::generator_loss(const Variable& x, const Tensor& decided, const Tensor& targets) {
  const Variables images = heads(x, targets, generator_.training_pass());
  const Variable &adversarial = images[0], &stable = images[1];  // [N,H,W,C]
  // Both are watched by class: a head that draws one image for each is no better than one that draws one for all.
  drawn_ = {{"the adversarial head", adversarial.value(), decided, targets},
            {"the stable head", stable.value(), targets, decided}};
  return weigh({
      // L_bce(c_f(x), f(g^s(x)))
      {"L_f_s", config_.weight_classifier_stable, classifier().loss(stable, decided)},
      // L_bce(1 - c_f(x), f(g^a(x)))
      {"L_f_a", config_.weight_classifier_adversarial, classifier().loss(adversarial, targets)},
      // ||x - g^s(x)||, ||x - g^a(x)||, ||g^s(x) - g^a(x)||
      {"L_d_s", config_.weight_stable, mixed_distance(x, stable)},
      {"L_d_a", config_.weight_adversarial, mixed_distance(x, adversarial)},
      {"L_d_sa", config_.weight_similarity, mixed_distance(stable, adversarial)},
  });
}

Explanation Sagen::explain_towards(const Tensor& x, const Tensor& targets) {
  const std::vector<Tensor> images =
      lead(classifier(), x, targets, false, 2,
           [&](const Tensor& part, const Crossing& forth) { return heads(part, forth.to, nn::Pass::eval()); });
  return {{"counterfactual", images[0]}, {"stable", images[1]}, {"map", difference_map(images[1], images[0])}};
}

}  // namespace counterfoil::methods
