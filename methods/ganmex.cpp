#include "methods/ganmex.h"

#include "autograd/ops.h"
#include "kernels/span.h"
#include "methods/augmentation_keys.h"
#include "methods/image_range.h"
#include "nn/losses.h"

namespace counterfoil::methods {

void GanmexConfig::declare(nn::Keys& keys) {
  keys.add("variant", variant, {"full", "no-similarity", "no-reconstruction", "stand-alone"},
           "the method, without one of its losses, or with a class discriminator of its own for the classifier");
  keys.add("loss", loss, {"wgan-gp", "log"}, "of critic and generator against each other, eq. 3");
  keys.add("batch", batch, 1, 4096, "images per update");
  keys.add("critic_steps", critic_steps, 1, 100, "updates of the critic per update of the generator");
  keys.add("generator_learning_rate", generator_learning_rate, 0, 1, "of Adam for the generator");
  keys.add("critic_learning_rate", critic_learning_rate, 0, 1, "of Adam for the critic");
  keys.add("beta1", beta1, 0, 0.999999, "of Adam");
  keys.add("beta2", beta2, 0, 0.999999, "of Adam");
  keys.add("weight_gan", weight_gan, 0, 1e6, "of passing for real, eq. 9");
  keys.add("weight_classifier", weight_classifier, 0, 1e6, "lambda_cls: of the class asked for, eq. 9");
  keys.add("weight_reconstruction", weight_reconstruction, 0, 1e6, "lambda_rec: of the way back to x, eq. 6");
  keys.add("weight_similarity", weight_similarity, 0, 1e6, "lambda_sim: of the distance to x, eq. 9");
  keys.add("weight_gradient_penalty", weight_gradient_penalty, 0, 1e6, "of the critic's slope, for wgan-gp");
  keys.add("width", width, 1, 1024, "channels next to the image; doubles per level");
  keys.add("levels", levels, 1, 6, "times the generator halves the image");
  keys.add("blocks", blocks, 0, 100, "residual blocks of the generator");
  keys.add("critic_levels", critic_levels, 1, 10, "times the critic halves the image, at most");
  declare_augmentation(keys, augmentation);
}

namespace {

nn::StarganOptions network_options(const GanmexConfig& config, const nn::Classifier& classifier,
                                   const data::Dataset& images) {
  nn::StarganOptions options;
  options.image = {images.height, images.width, images.channels};
  options.classes = classifier.class_count();
  options.width = config.width;
  options.downs = static_cast<int>(config.levels);
  options.blocks = static_cast<int>(config.blocks);
  options.critic_convs = static_cast<int>(config.critic_levels);
  options.class_head = config.variant == "stand-alone";
  if (options.class_head && std::ssize(images.class_names) != classifier.class_count()) {
    fail("ganmex: a stand-alone variant learns the labels of the images: expected {} classes, found {}",
         classifier.class_count(), images.class_names.size());
  }
  return options;
}

}  // namespace

Ganmex::Ganmex(const GanmexConfig& config, nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed,
               Device& device)
    : TargetedExplainer(classifier),
      config_(config),
      device_(device),
      weights_random_(seed, "weights"),
      target_random_(seed, "targets"),
      penalty_random_(seed, "penalty"),
      augmentation_random_(seed, "augmentation"),
      generator_(nn::Init{weights_random_, device}, network_options(config, classifier, train)),
      critic_(nn::Init{weights_random_, device}, network_options(config, classifier, train)),
      generator_optimiser_(
          nn::adam(generator_.named_parameters(), {config.generator_learning_rate, config.beta1, config.beta2})),
      critic_optimiser_(
          nn::adam(critic_.named_parameters(), {config.critic_learning_rate, config.beta1, config.beta2})),
      images_(train),
      sampler_(train.size(), config.batch, seed, "batches") {
  state_.modules = {{"g", &generator_}, {"d", &critic_}};
  state_.optimisers = {{"g", generator_optimiser_.get()}, {"d", critic_optimiser_.get()}};
  state_.randoms = {{"batches", &sampler_.progress()},
                    {"targets", &target_random_},
                    {"penalty", &penalty_random_},
                    {"augmentation", &augmentation_random_}};
}

std::vector<Tensor> Ganmex::draw() {
  std::vector<Tensor> drawn;
  for (std::int64_t i = 0; i < config_.critic_steps; ++i) {
    const std::vector<std::int32_t> positions = sampler_.next();
    std::vector<std::int32_t> labels, targets;
    for (const std::int32_t position : positions) {
      labels.push_back(images_.labels[static_cast<std::size_t>(position)]);
      targets.push_back(
          static_cast<std::int32_t>(target_random_.integer(static_cast<std::uint64_t>(classifier().class_count()))));
    }
    drawn.push_back(data::augment(images_.images(positions, device_), config_.augmentation, augmentation_random_));
    drawn.push_back(Tensor::from(targets, {config_.batch}, device_));
    if (stand_alone()) drawn.push_back(Tensor::from(labels, {config_.batch}, device_));
  }
  return drawn;
}

Tensor Ganmex::source(const Batch& batch) {
  return stand_alone() ? batch.labels : classifier().decisions(batch.image);
}

Variable Ganmex::generate(const Variable& x, const Tensor& classes) {
  return generator_.forward(x, classes, nn::Pass::eval());  // instance norm is the same in training
}

Variable Ganmex::critic(const Variable& x) {
  return critic_.forward(x, nn::Pass::eval());
}

// Eq. 5, and eq. 4 on real images: E -log S_c(x), or -log D_cls(c | x) of the stand-alone variant
Variable Ganmex::class_loss(const Variable& x, const Tensor& classes) {
  if (stand_alone()) return cross_entropy(critic_.class_logits(x, nn::Pass::eval()), classes);
  return classifier().loss(to_classifier(x), classes);
}

// Eq. 7: L_D = -L_adv, and + lambda_rcls L_rcls where D_cls is to be trained
Variable Ganmex::critic_loss(const Batch& batch, nn::DeviceTerms& terms) {
  Tensor fake;
  {
    const NoGrad no_grad;
    fake = generate(batch.x, batch.target).value();
  }
  // Eq. 3: L_adv = E log D(x) + E log(1 - D(x~)); Wasserstein: E D(x) - E D(x~)
  const bool wasserstein = config_.loss == "wgan-gp";
  const Variable l_adv = wasserstein ? nn::wasserstein_critic(critic(batch.x), critic(fake))
                                     : nn::gan_discriminator(critic(batch.x), critic(fake));
  terms.emplace_back("L_adv_d", l_adv.value());
  Variable loss = l_adv;
  if (wasserstein) {
    const Variable l_gp =
        nn::gradient_penalty([&](const Variable& x) { return critic(x); }, batch.x, fake, penalty_random_);
    terms.emplace_back("L_gp", l_gp.value());
    loss = loss + l_gp * config_.weight_gradient_penalty;
  }
  if (stand_alone()) {
    const Variable l_cls = class_loss(batch.x, batch.labels);
    terms.emplace_back("L_cls_r", l_cls.value());
    loss = loss + l_cls * config_.weight_classifier;
  }
  return loss;
}

// Eq. 9: L_G = L_adv - lambda_fcls log S_c(x~) + lambda_rec ||x - G(x~, c')||_1 + lambda_sim ||x - x~||_1
Variable Ganmex::generator_loss(const Batch& batch, nn::DeviceTerms& terms) {
  const Variable fake = generate(batch.x, batch.target);
  const Tensor source = this->source(batch);
  drawn_ = {{"G", fake.value(), source, batch.target}};
  Variable total;
  const auto add = [&](const std::string& name, double weight, const Variable& term) {
    terms.emplace_back(name, term.value());
    total = total.defined() ? total + term * weight : term * weight;
  };
  add("L_adv_g", config_.weight_gan,
      config_.loss == "wgan-gp" ? nn::wasserstein_generator(critic(fake)) : nn::gan_generator(critic(fake)));
  add("L_cls_f", config_.weight_classifier, class_loss(fake, batch.target));
  if (reconstructing())  // eq. 6
    add("L_rec", config_.weight_reconstruction, l1_loss(batch.x, generate(fake, source)));
  if (keeping_similar()) add("L_sim", config_.weight_similarity, l1_loss(batch.x, fake));
  return total;
}

nn::DeviceTerms Ganmex::compute(const std::vector<Tensor>& drawn) {
  nn::DeviceTerms terms;  // of the last update of either
  Batch batch;
  const std::size_t each = drawn.size() / static_cast<std::size_t>(config_.critic_steps);
  for (std::size_t i = 0; i < drawn.size(); i += each) {
    const Span span(device_, "critic");
    batch = {drawn[i], to_generator(drawn[i]).value(), drawn[i + 1], stand_alone() ? drawn[i + 2] : Tensor()};
    terms.clear();
    critic_optimiser_->minimise(critic_loss(batch, terms));
  }
  const Span span(device_, "generator");
  generator_optimiser_->minimise(generator_loss(batch, terms));
  return terms;
}

Tensor Ganmex::baseline(const Tensor& x, const Tensor& targets) {
  const NoGrad no_grad;
  return to_classifier(generate(to_generator(x), targets)).value();
}

Explanation Ganmex::explain_towards(const Tensor& x, const Tensor& targets) {
  const Tensor counterfactual = baseline(x, targets);
  return {{"counterfactual", counterfactual}, {"map", difference_map(x, counterfactual)}};
}

}  // namespace counterfoil::methods
