#include "methods/generator_pair.h"

#include <utility>

#include "autograd/ops.h"
#include "kernels/span.h"
#include "nn/losses.h"

namespace counterfoil::methods {

void GeneratorPairConfig::declare(nn::Keys& keys) {
  ImageGeneratorConfig::declare(keys);
  keys.add("discriminator_learning_rate", discriminator_learning_rate, 0, 1, "of Adam for D0 and D1");
  keys.add("weight_generator_gan", weight_generator_gan, 0, 1e6, "lambda_D: fooling the discriminators, eq. 21");
  keys.add("weight_discriminator", weight_discriminator, 0, 1e6, "lambda_D^d: the discriminators' own loss, eq. 22");
  keys.add("weight_gradient_penalty", weight_gradient_penalty, 0, 1e6, "lambda_gp^d: gradient penalty, eq. 22");
  keys.add("discriminator_width", discriminator_width, 1, 1024,
           "channels of the first level; grows by as many per level");
  keys.add("discriminator_levels", discriminator_levels, 1, 6, "times the discriminators halve the image");
}

namespace {

nn::SyceDiscriminatorOptions discriminator_options(const GeneratorPairConfig& config, const data::Dataset& images,
                                                   int planes) {
  nn::SyceDiscriminatorOptions options;
  options.image = {images.height, images.width, images.channels + planes};
  options.widths.clear();
  for (std::int64_t level = 1; level <= config.discriminator_levels; ++level)
    options.widths.push_back(config.discriminator_width * level);
  return options;
}

Tensor classes_tensor(const std::vector<std::int32_t>& classes, Device& device) {
  return Tensor::from(classes, Shape{std::ssize(classes)}, device);
}

}  // namespace

GeneratorPair::GeneratorPair(const GeneratorPairConfig& config, const nn::UNetOptions& unet, Generators generators,
                             nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed, Device& device)
    : TargetedExplainer(classifier),
      config_(config),
      kind_(generators),
      device_(device),
      weights_random_(seed, "weights"),
      dropout_random_(seed, "dropout"),
      penalty_random_(seed, "penalty"),
      pairs_random_(seed, "pairs") {
  const nn::Init init{weights_random_, device_};
  const AdamStep discriminator_step{config.discriminator_learning_rate, config.beta1, config.beta2};
  const int planes = conditional() ? classifier.class_count() : 0;
  nn::UNetOptions unet_options = unet;
  unet_options.channels += generators == Generators::two ? 2 * planes : planes;
  nn::NamedParameters generator_parameters;
  for (std::size_t i = 0; i < (conditional() ? 1U : 2U); ++i) {
    const std::string index = conditional() ? "" : std::to_string(i);
    if (i == 0 || generators == Generators::two) {
      const std::string name = generators == Generators::one ? "g" : "g" + index;
      generators_.push_back(std::make_unique<nn::UNet>(init, unet_options));
      for (auto& parameter : generators_[i]->named_parameters(name + ".")) generator_parameters.push_back(parameter);
      state_.modules.emplace_back(name, generators_[i].get());
    }
    const std::string name = "d" + index;
    discriminators_.push_back(
        std::make_unique<nn::SyceDiscriminator>(init, discriminator_options(config, train, planes)));
    discriminator_optimisers_.push_back(nn::adam(discriminators_[i]->named_parameters(name + "."), discriminator_step));
    state_.modules.emplace_back(name, discriminators_[i].get());
    state_.optimisers.emplace_back(name, discriminator_optimisers_[i].get());
  }
  generator_optimiser_ = nn::adam(generator_parameters, config.adam());
  state_.optimisers.emplace_back("generators", generator_optimiser_.get());
  state_.randoms.emplace_back("dropout", &dropout_random_);
  state_.randoms.emplace_back("penalty", &penalty_random_);
  if (conditional()) {
    state_.randoms.emplace_back("pairs", &pairs_random_);
    class_batches_.emplace(classifier, train, config.augmentation, seed, device);
    class_batches_->remember_in(state_);
  } else {
    domain_batches_.emplace("generator pair", classifier, train, config.batch, config.augmentation, seed, device);
    domain_batches_->remember_in(state_);
  }
}

Variable GeneratorPair::generator_input(const Crossing& way, const Variable& x) const {
  if (!conditional()) return x;
  const int classes = classifier().class_count();
  const Variable from(one_hot(way.from, classes)), to(one_hot(way.to, classes));  // [N,K]
  return with_planes(x, kind_ == Generators::two ? concat({from, to}, 1) : from + to);
}

Variable GeneratorPair::discriminator_input(const Tensor& classes, const Variable& x) const {
  return conditional() ? with_planes(x, Variable(one_hot(classes, classifier().class_count()))) : x;
}

Variable GeneratorPair::generate(const Crossing& way, const Variable& x) {
  return generator(way).forward(generator_input(way, x), config_.training_pass(dropout_random_));
}

Variables GeneratorPair::generate_heads(const Crossing& way, const Variable& x) {
  return generator(way).forward_heads(generator_input(way, x), config_.training_pass(dropout_random_));
}

Variables GeneratorPair::generate_eval(const Crossing& way, const Variable& x) {
  return generator(way).forward_heads(generator_input(way, x), nn::Pass::eval());
}

Variable GeneratorPair::gan_loss(const Variable& adversarial, const Crossing& forth) {
  const Variable judged = discriminator_input(forth.to, adversarial);
  return nn::gan_generator(discriminator(1 - forth.domain).forward(judged, nn::Pass::train(dropout_random_)));
}

Variable GeneratorPair::discriminator_loss(int domain, const Batch& real, const Tensor& fake, nn::DeviceTerms& terms) {
  const nn::Pass pass = nn::Pass::train(dropout_random_);
  const auto critic = [&](const Variable& x) {
    return discriminator(domain).forward(discriminator_input(real.forth.from, x), pass);
  };
  // Eq. 10: L_D = L_bce(1, D(real)) + L_bce(0, D(fake))
  const Variable l_d = nn::gan_discriminator(critic(real.x), critic(fake));
  const Variable l_gp = nn::gradient_penalty(critic, real.x, fake, penalty_random_);
  const std::string index = conditional() ? "" : std::to_string(domain);
  terms.emplace_back("L_D" + index, l_d.value());
  terms.emplace_back("L_gp" + index, l_gp.value());
  // Eq. 22: L_D^d = lambda_D^d L_D + lambda_gp^d L_gp
  return l_d * config_.weight_discriminator + l_gp * config_.weight_gradient_penalty;
}

std::array<GeneratorPair::Batch, 2> GeneratorPair::next_batches() {
  if (!conditional()) {
    std::array<Batch, 2> batches;
    for (int domain = 0; domain < 2; ++domain) {
      const Tensor x = domain_batches_->next(domain);
      const auto all = [&](int k) {
        return classes_tensor(std::vector<std::int32_t>(static_cast<std::size_t>(config_.batch), k), device_);
      };
      Decisions decisions{all(domain), all(1 - domain)};
      if (config_.augmentation.any()) decisions = decide(classifier(), x);  // they may have changed
      batches[static_cast<std::size_t>(domain)] = {x, {domain, decisions.same, decisions.opposite}};
    }
    return batches;
  }
  const auto classes = static_cast<std::uint64_t>(classifier().class_count());
  std::vector<std::int32_t> i, k;
  for (std::int64_t image = 0; image < config_.batch; ++image) {
    const std::uint64_t first = pairs_random_.integer(classes), further = pairs_random_.integer(classes - 1);
    i.push_back(static_cast<std::int32_t>(first));
    k.push_back(static_cast<std::int32_t>((first + 1 + further) % classes));
  }
  const auto batch = [&](int domain, std::vector<std::int32_t> from, std::vector<std::int32_t> to) {
    const Tensor x = class_batches_->next(from);
    if (config_.augmentation.any()) {  // an image that it has moved into its target is led back
      const std::vector<std::int32_t> drawn = std::exchange(from, classifier().decisions(x).to_vector<std::int32_t>());
      for (std::size_t n = 0; n < to.size(); ++n) {
        if (to[n] == from[n]) to[n] = drawn[n];
      }
    }
    return Batch{x, {domain, classes_tensor(from, device_), classes_tensor(to, device_)}};
  };
  const Batch first = batch(0, i, k);
  return {first, batch(1, k, i)};
}

std::vector<Tensor> GeneratorPair::draw() {
  std::vector<Tensor> drawn;
  for (const Batch& batch : next_batches()) drawn.insert(drawn.end(), {batch.x, batch.forth.from, batch.forth.to});
  return drawn;
}

nn::DeviceTerms GeneratorPair::compute(const std::vector<Tensor>& drawn) {
  const std::array<Batch, 2> batches = {Batch{drawn[0], {0, drawn[1], drawn[2]}},
                                        Batch{drawn[3], {1, drawn[4], drawn[5]}}};
  nn::DeviceTerms terms;  // the equations sum the expectations over the domains
  for (const Batch& batch : batches) {
    const Span span(device_, batch.forth.domain == 0 ? "generators, batch 0" : "generators, batch 1");
    const GeneratorLoss loss = generator_loss(batch.x, batch.forth);
    generator_optimiser_->minimise(loss.total);
    for (const auto& [name, value] : loss.terms) terms.emplace_back(name, value.value());
  }

  drawn_.resize(2);
  for (int domain = 0; domain < 2; ++domain) {
    const Span span(device_, domain == 0 ? "discriminator, batch 0" : "discriminator, batch 1");
    const Batch& own = batches[static_cast<std::size_t>(domain)];
    const Batch& other = batches[static_cast<std::size_t>(1 - domain)];
    Tensor fake;
    {
      const NoGrad no_grad;
      fake = generate(other.forth, other.x).value();
    }
    nn::Drawn& one = drawn_[static_cast<std::size_t>(domain)];
    one = {"g" + std::to_string(1 - domain), fake};
    if (conditional()) {
      one.from = other.forth.from;
      one.to = other.forth.to;
    }
    const Variable loss = discriminator_loss(domain, own, fake, terms);
    discriminator_optimisers_[static_cast<std::size_t>(domain) % discriminators_.size()]->minimise(loss);
  }
  return terms;
}

std::vector<Tensor> GeneratorPair::there_and_back(const Tensor& x, const Tensor& targets) {
  return lead(x, targets, 2, [&](const Tensor& part, const Crossing& forth) -> Variables {
    const Variable adversarial = generate_eval(forth, part).front();
    return {adversarial, generate_eval(forth, adversarial).front()};
  });
}

}  // namespace counterfoil::methods
