#include "methods/pixelda.h"

#include "autograd/ops.h"
#include "kernels/span.h"
#include "methods/augmentation_keys.h"
#include "methods/image_range.h"
#include "nn/losses.h"

namespace counterfoil::methods {

void PixeldaConfig::declare(nn::Keys& keys) {
  keys.add("direction", direction, {"both", "0-to-1", "1-to-0"}, "of the transformation, by the classifier's classes");
  keys.add("batch", batch, 1, 4096, "images per step and class");
  keys.add("learning_rate", learning_rate, 0, 1, "of Adam, for generator and discriminator");
  keys.add("beta1", beta1, 0, 0.999999, "of Adam");
  keys.add("beta2", beta2, 0, 0.999999, "of Adam");
  keys.add("weight_gan", weight_gan, 0, 1e6, "alpha: of passing for an image of the other class");
  keys.add("weight_classifier", weight_classifier, 0, 1e6, "beta: of the classifier's other class");
  keys.add("weight_content", weight_content, 0, 1e6, "gamma: of the differences between pixels, eq. 7");
  keys.add("width", width, 1, 1024, "channels of the generator, and next to the image of the discriminator");
  keys.add("blocks", blocks, 0, 100, "residual blocks of the generator");
  keys.add("noise", noise, 1, 4096, "length of the noise z");
  declare_augmentation(keys, augmentation);
}

Variable content_loss(const Variable& a, const Variable& b) {
  const Variable difference = a - b;
  return reshape(mean(square(difference)) - mean(square(mean(difference, {1, 2, 3}))), {1});
}

Pixelda::Way::Way(const nn::Init& init, const nn::PixeldaOptions& options, const AdamStep& step)
    : generator(init, options),
      discriminator(init, options),
      generator_optimiser(nn::adam(generator.named_parameters(), step)),
      discriminator_optimiser(nn::adam(discriminator.named_parameters(), step)) {}

Pixelda::Pixelda(const PixeldaConfig& config, nn::Classifier& classifier, const data::Dataset& train,
                 std::uint64_t seed, Device& device)
    : config_(config),
      classifier_(classifier),
      seed_(seed),
      weights_random_(seed, "weights"),
      dropout_random_(seed, "dropout"),
      noise_random_(seed, "noise"),
      batches_("PixelDA", classifier, train, config.batch, config.augmentation, seed, device) {
  nn::PixeldaOptions options;
  options.image = {train.height, train.width, train.channels};
  options.width = config.width;
  options.blocks = static_cast<int>(config.blocks);
  options.code = config.noise;
  for (int source = 0; source < 2; ++source) {
    if (config.direction == (source == 0 ? "1-to-0" : "0-to-1")) continue;
    auto& way = ways_[static_cast<std::size_t>(source)];
    way = std::make_unique<Way>(nn::Init{weights_random_, device}, options,
                                AdamStep{config.learning_rate, config.beta1, config.beta2});
    const std::string g = "g" + std::to_string(source), d = "d" + std::to_string(1 - source);
    state_.modules.emplace_back(g, &way->generator);
    state_.modules.emplace_back(d, &way->discriminator);
    state_.optimisers.emplace_back(g, way->generator_optimiser.get());
    state_.optimisers.emplace_back(d, way->discriminator_optimiser.get());
  }
  state_.randoms = {{"dropout", &dropout_random_}, {"noise", &noise_random_}};
  batches_.remember_in(state_);
}

Variable Pixelda::generate(Way& way, const Tensor& x) {
  const Tensor z = noise_random_.uniform({x.shape()[0], config_.noise}, -1, 1, x.device());
  return way.generator.forward(x, z, nn::Pass::train(dropout_random_));
}

void Pixelda::train_way(int source, const std::array<Tensor, 2>& x, nn::DeviceTerms& terms) {
  Way& way = *ways_[static_cast<std::size_t>(source)];
  const Tensor& from = x[static_cast<std::size_t>(source)];
  const Tensor& to = x[static_cast<std::size_t>(1 - source)];
  const nn::Pass pass = nn::Pass::train(dropout_random_);
  const std::string index = std::to_string(source);

  {
    const Span span(from.device(), "discriminator");
    // Eq. 2: L_d = E log D(x_t) + E log(1 - D(G(x_s, z))), maximised by D
    Tensor fake;
    {
      const NoGrad no_grad;
      fake = generate(way, from).value();
    }
    const Variable real = way.discriminator.forward(to, pass);  // one after the other: each draws its dropout
    const Variable l_d = nn::gan_discriminator(real, way.discriminator.forward(fake, pass));
    terms.emplace_back("L_d" + index, l_d.value());
    way.discriminator_optimiser->minimise(l_d);
  }

  const Span span(from.device(), "generator");
  // Eq. 6, G's side: alpha L_d + beta L_t + gamma L_c, with -log D(G(x_s, z)) for L_d
  const Variable made = generate(way, from);
  drawn_.push_back({"G" + index, made.value()});
  const Tensor asked = Tensor::full({config_.batch}, 1 - source, DType::i32, from.device());
  const Variable l_g = nn::gan_generator(way.discriminator.forward(made, pass));
  const Variable l_t = classifier_.loss(to_classifier(made), asked);  // eq. 3, deviation 1
  Variable total = l_g * config_.weight_gan + l_t * config_.weight_classifier;
  terms.emplace_back("L_g" + index, l_g.value());
  terms.emplace_back("L_t" + index, l_t.value());
  if (config_.weight_content > 0) {
    const Variable l_c = content_loss(made, from);
    terms.emplace_back("L_c" + index, l_c.value());
    total = total + l_c * config_.weight_content;
  }
  way.generator_optimiser->minimise(total);
}

nn::DeviceTerms Pixelda::compute(const std::vector<Tensor>& batches) {
  const std::array<Tensor, 2> x = {to_generator(batches[0]).value(), to_generator(batches[1]).value()};
  drawn_.clear();
  nn::DeviceTerms terms;
  for (int source = 0; source < 2; ++source) {
    if (ways_[static_cast<std::size_t>(source)]) train_way(source, x, terms);
  }
  return terms;
}

Explanation Pixelda::explain(const Tensor& x) {
  const Tensor counterfactual = by_decision(classifier_, x, [&](const Tensor& part, int source) {
    const auto& way = ways_[static_cast<std::size_t>(source)];
    if (!way) return part;
    Random random(seed_, "explanation");
    const Tensor z = random.uniform({1, config_.noise}, -1, 1, part.device());
    const Tensor same = broadcast_to(z, Shape{part.shape()[0], config_.noise});
    return to_classifier(way->generator.forward(to_generator(part), same, nn::Pass::eval())).value();
  });
  return {{"counterfactual", counterfactual}, {"map", difference_map(x, counterfactual)}};
}

}  // namespace counterfoil::methods
