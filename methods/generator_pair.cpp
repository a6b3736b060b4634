#include "methods/generator_pair.h"

#include "autograd/ops.h"
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

nn::SyceDiscriminatorOptions discriminator_options(const GeneratorPairConfig& config, const data::Dataset& images) {
  nn::SyceDiscriminatorOptions options;
  options.image = {images.height, images.width, images.channels};
  options.widths.clear();
  for (std::int64_t level = 1; level <= config.discriminator_levels; ++level)
    options.widths.push_back(config.discriminator_width * level);
  return options;
}

}  // namespace

GeneratorPair::GeneratorPair(const GeneratorPairConfig& config, const nn::UNetOptions& unet, Generators generators,
                             nn::Classifier& classifier, const data::Dataset& train, std::uint64_t seed, Device& device)
    : config_(config),
      classifier_(classifier),
      device_(device),
      weights_random_(seed, "weights"),
      dropout_random_(seed, "dropout"),
      penalty_random_(seed, "penalty"),
      batches_("generator pair", classifier, train, config.batch, config.augmentation, seed, device) {
  const nn::Init init{weights_random_, device_};
  const AdamStep discriminator_step{config.discriminator_learning_rate, config.beta1, config.beta2};
  nn::NamedParameters generator_parameters;
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string index = std::to_string(i);
    if (i == 0 || generators == Generators::two) {
      const std::string name = generators == Generators::one ? "g" : "g" + index;
      generators_.push_back(std::make_unique<nn::UNet>(init, unet));
      for (auto& parameter : generators_[i]->named_parameters(name + ".")) generator_parameters.push_back(parameter);
      state_.modules.emplace_back(name, generators_[i].get());
    }
    discriminators_[i] = std::make_unique<nn::SyceDiscriminator>(init, discriminator_options(config, train));
    discriminator_optimisers_[i] =
        nn::adam(discriminators_[i]->named_parameters("d" + index + "."), discriminator_step);
    state_.modules.emplace_back("d" + index, discriminators_[i].get());
    state_.optimisers.emplace_back("d" + index, discriminator_optimisers_[i].get());
  }
  generator_optimiser_ = nn::adam(generator_parameters, config.adam());
  state_.optimisers.emplace_back("generators", generator_optimiser_.get());
  state_.randoms.emplace_back("dropout", &dropout_random_);
  state_.randoms.emplace_back("penalty", &penalty_random_);
  batches_.remember_in(state_);
}

Variable GeneratorPair::generate(int i, const Variable& x) {
  return generator(i).forward(x, config_.training_pass(dropout_random_));
}

Variables GeneratorPair::generate_heads(int i, const Variable& x) {
  return generator(i).forward_heads(x, config_.training_pass(dropout_random_));
}

Variable GeneratorPair::generate_eval(int i, const Variable& x) {
  return generator(i).forward(x, nn::Pass::eval());
}

Variable GeneratorPair::gan_loss(const Variable& adversarial, int source) {
  nn::SyceDiscriminator& discriminator = *discriminators_[static_cast<std::size_t>(1 - source)];
  return nn::gan_generator(discriminator.forward(adversarial, nn::Pass::train(dropout_random_)));
}

Variable GeneratorPair::discriminator_loss(int domain, const Tensor& real, const Tensor& fake, nn::LossTerms& terms) {
  nn::SyceDiscriminator& discriminator = *discriminators_[static_cast<std::size_t>(domain)];
  const nn::Pass pass = nn::Pass::train(dropout_random_);
  const auto critic = [&](const Variable& x) { return discriminator.forward(x, pass); };
  // Eq. 10: L_D = L_bce(1, D(real)) + L_bce(0, D(fake))
  const Variable l_d = nn::gan_discriminator(critic(real), critic(fake));
  const Variable l_gp = nn::gradient_penalty(critic, real, fake, penalty_random_);
  const std::string index = std::to_string(domain);
  terms.emplace_back("L_D" + index, l_d.item());
  terms.emplace_back("L_gp" + index, l_gp.item());
  // Eq. 22: L_D^d = lambda_D^d L_D + lambda_gp^d L_gp
  return l_d * config_.weight_discriminator + l_gp * config_.weight_gradient_penalty;
}

nn::LossTerms GeneratorPair::train_step() {
  const std::array<Tensor, 2> batches = {batches_.next(0), batches_.next(1)};

  nn::LossTerms terms;  // the equations sum the expectations over chi_0 and chi_1
  for (int source = 0; source < 2; ++source) {
    const GeneratorLoss loss = generator_loss(batches[static_cast<std::size_t>(source)], source);
    generator_optimiser_->minimise(loss.total);
    for (std::size_t i = 0; i < loss.terms.size(); ++i) {
      if (source == 0) terms.emplace_back(loss.terms[i].first, 0.0);
      terms[i].second += loss.terms[i].second.item();
    }
  }

  drawn_.resize(2);
  for (int domain = 0; domain < 2; ++domain) {
    const int other = 1 - domain;
    Tensor fake;
    {
      const NoGrad no_grad;
      fake = generate(other, batches[static_cast<std::size_t>(other)]).value();
    }
    drawn_[static_cast<std::size_t>(domain)] = {"g" + std::to_string(other), fake};
    const Variable loss = discriminator_loss(domain, batches[static_cast<std::size_t>(domain)], fake, terms);
    discriminator_optimisers_[static_cast<std::size_t>(domain)]->minimise(loss);
  }
  return terms;
}

Tensor GeneratorPair::adversarial(const Tensor& x) {
  return by_domain(x, [&](const Tensor& part, int domain) { return generate_eval(domain, part).value(); });
}

}  // namespace counterfoil::methods
