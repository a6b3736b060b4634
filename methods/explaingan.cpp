#include "methods/explaingan.h"

#include "autograd/ops.h"
#include "kernels/span.h"
#include "methods/augmentation_keys.h"

namespace counterfoil::methods {

void ExplainganConfig::declare(nn::Keys& keys) {
  keys.add("variant", variant, {"full", "norec", "nomask"}, "the method, or without reconstruction or mask");
  keys.add("batch", batch, 1, 4096, "images per step and class");
  keys.add("learning_rate", learning_rate, 0, 1, "of Adam, for either side");
  keys.add("beta1", beta1, 0, 0.999999, "of Adam");
  keys.add("beta2", beta2, 0, 0.999999, "of Adam");
  keys.add("code", code, 1, 4096, "length of the code z");
  keys.add("width", width, 1, 1024, "channels of the level next to the image; doubles per level");
  keys.add("shared_layers", shared_layers, 1, 8, "last layers that E0 and E1, and D0 and D1, have in common");
  keys.add("weight_gan", weight_gan, 0, 1e6, "of fooling the discriminators, eq. 8");
  keys.add("weight_classifier", weight_classifier, 0, 1e6, "of the composites' class, eq. 9 and 10");
  keys.add("weight_reconstruction", weight_reconstruction, 0, 1e6, "of the reconstruction, eq. 11");
  keys.add("weight_consistency", weight_consistency, 0, 1e6, "of agreement outside the mask, eq. 13");
  keys.add("weight_count", weight_count, 0, 1e6, "of the mask's size, eq. 14");
  keys.add("weight_smoothness", weight_smoothness, 0, 1e6, "of the mask's variation, eq. 15");
  keys.add("weight_entropy", weight_entropy, 0, 1e6, "of the mask's distance from 0 and 1, eq. 16");
  keys.add("kappa", kappa, 0, 1, "share of the pixels that may change at no cost, eq. 14");
  declare_augmentation(keys, augmentation);
}

namespace explaingan {

namespace {

/// ||x||^2 per image, the mean over the batch.
Variable mean_squared_norm(const Variable& x) {
  return reshape(sum_squares(x) / static_cast<double>(x.shape()[0]), {1});
}

}  // namespace

// Eq. 5: C_{1-j}(x_j) = x_j (1 - G_m(z_j)) + G_{1-j}(z_j) G_m(z_j)
Variable composite(const Variable& x, const Variable& transformed, const Variable& mask) {
  return x * (1 - mask) + transformed * mask;
}

// Eq. 8, maximised by D_j: E log D_j(x) + sum over the kinds of fakes of E log(1 - D_j(fake)); its negative.
Variable gan_discriminator(const Variable& real_logits, const std::vector<Variable>& fake_logits) {
  Variable loss = bce_with_logits(real_logits, 1);
  for (const Variable& logits : fake_logits) loss = loss + bce_with_logits(logits, 0);
  return loss;
}

// Eq. 8, the generator's side: sum over the kinds of fakes of E -log D_j(fake).
Variable gan_generator(const std::vector<Variable>& fake_logits) {
  Variable loss = bce_with_logits(fake_logits.front(), 1);
  for (std::size_t i = 1; i < fake_logits.size(); ++i) loss = loss + bce_with_logits(fake_logits[i], 1);
  return loss;
}

// Eq. 9 and 10: E_{S_0} -log F(C_1(x)) and E_{S_1} -log(1 - F(C_0(x))); target is the composite's class.
Variable classifier_loss(nn::Classifier& classifier, const Variable& composite, int target) {
  return classifier.loss(composite, Tensor::full(Shape{composite.shape()[0]}, target, DType::i32, composite.device()));
}

// Eq. 11: E ||G_j(E_j(x)) - x||^2
Variable reconstruction_loss(const Variable& reconstruction, const Variable& x) {
  return mean_squared_norm(reconstruction - x);
}

// Eq. 13: E ||(1 - G_m(z_j)) x_j - (1 - G_m(z_j)) G_{1-j}(z_j)||^2
Variable consistency_loss(const Variable& x, const Variable& transformed, const Variable& mask) {
  return mean_squared_norm((1 - mask) * (x - transformed));
}

// Eq. 14: E max(|G_m(z_j)| / n, kappa), n the number of pixels. No gradient below kappa.
Variable count_loss(const Variable& mask, double kappa) {
  const Variable share = mean(mask, {1, 2, 3});  // [N,1,1,1]; the mask is not negative
  return reshape(mean(relu(share - kappa)), {1}) + kappa;
}

// Eq. 15: E |grad G_m(z_j)|, the differences down and across, each divided by the number of pixels.
Variable smoothness_loss(const Variable& mask) {
  return total_variation(mask, 1) / static_cast<double>(mask.shape()[1] * mask.shape()[2]);
}

// Eq. 16: E |min(G_m(z_j), 1 - G_m(z_j))|, the mean over pixels.
Variable entropy_loss(const Variable& mask) {
  return reshape(mean(minimum(mask, 1 - mask)), {1});
}

}  // namespace explaingan

namespace {

nn::DcganOptions network_options(const ExplainganConfig& config, const data::Dataset& images) {
  nn::DcganOptions options;
  options.image = {images.height, images.width, images.channels};
  options.width = config.width;
  return options;
}

/// G_0, G_1 and the mask as channels of one image.
nn::DcganOptions head_options(const ExplainganConfig& config, const data::Dataset& images) {
  nn::DcganOptions options = network_options(config, images);
  options.image.channels = 2 * images.channels + 1;
  options.output = Activation::sigmoid;
  return options;
}

}  // namespace

Explaingan::Explaingan(const ExplainganConfig& config, nn::Classifier& classifier, const data::Dataset& train,
                       std::uint64_t seed, Device& device)
    : config_(config),
      classifier_(classifier),
      channels_(train.channels),
      weights_random_(seed, "weights"),
      dropout_random_(seed, "dropout"),
      encoders_(nn::Init{weights_random_, device}, config.code, static_cast<int>(config.shared_layers),
                network_options(config, train)),
      generator_(nn::Init{weights_random_, device}, config.code, head_options(config, train)),
      discriminators_(nn::Init{weights_random_, device}, 1, static_cast<int>(config.shared_layers),
                      network_options(config, train)),
      batches_("ExplainGAN", classifier, train, config.batch, config.augmentation, seed, device) {
  const AdamStep step{config.learning_rate, config.beta1, config.beta2};
  nn::NamedParameters parameters = encoders_.named_parameters("e.");
  for (auto& parameter : generator_.named_parameters("g.")) parameters.push_back(parameter);
  generator_optimiser_ = nn::adam(parameters, step);
  discriminator_optimiser_ = nn::adam(discriminators_.named_parameters("d."), step);
  state_.modules = {{"e", &encoders_}, {"g", &generator_}, {"d", &discriminators_}};
  state_.optimisers = {{"generator", generator_optimiser_.get()}, {"discriminator", discriminator_optimiser_.get()}};
  state_.randoms = {{"dropout", &dropout_random_}};
  batches_.remember_in(state_);
}

Generated Explaingan::split_heads(const Variable& heads, const Variable& x, int j) const {
  const auto head = [&](int k) { return slice(heads, 3, k * channels_, (k + 1) * channels_); };
  Generated made;
  made.reconstruction = head(j);                                  // G_j(z_j), [N,H,W,C]
  made.transformed = head(1 - j);                                 // G_{1-j}(z_j), [N,H,W,C]
  made.mask = slice(heads, 3, 2 * channels_, 2 * channels_ + 1);  // G_m(z_j), [N,H,W,1]
  made.composite = masked() ? explaingan::composite(x, made.transformed, made.mask) : made.transformed;
  return made;
}

std::array<Generated, 2> Explaingan::generate(const std::array<Tensor, 2>& x) {
  const nn::Pass pass = nn::Pass::train(dropout_random_);
  // Eq. 4: z_j = E_j(x_j), both classes one after the other
  const Variable trunks = concat({encoders_.trunk(0, x[0], pass), encoders_.trunk(1, x[1], pass)}, 0);
  const Variable heads = generator_.forward(encoders_.end(trunks, pass), pass);  // [N0 + N1,H,W,2C + 1]
  const std::int64_t first = x[0].shape()[0], both = first + x[1].shape()[0];
  return {split_heads(slice(heads, 0, 0, first), x[0], 0), split_heads(slice(heads, 0, first, both), x[1], 1)};
}

std::vector<Variable> Explaingan::judge_fakes(const std::array<Generated, 2>& made, int j) {
  const nn::Pass pass = nn::Pass::train(dropout_random_);
  const Generated& own = made[static_cast<std::size_t>(j)];
  const Generated& other = made[static_cast<std::size_t>(1 - j)];  // made of images of class 1 - j, they show class j
  std::vector<Variable> logits;
  if (reconstructing()) logits.push_back(discriminators_.forward(j, own.reconstruction, pass));
  logits.push_back(discriminators_.forward(j, other.transformed, pass));
  if (masked()) logits.push_back(discriminators_.forward(j, other.composite, pass));
  return logits;
}

Variable Explaingan::discriminator_loss(const std::array<Tensor, 2>& x) {
  std::array<Generated, 2> made;
  {
    const NoGrad no_grad;
    made = generate(x);
  }
  // Eq. 7: L_GAN = L_GAN:0 + L_GAN:1
  std::array<Variable, 2> losses;
  for (std::size_t j = 0; j < 2; ++j) {
    const int side = static_cast<int>(j);
    const Variable real = discriminators_.forward(side, x[j], nn::Pass::train(dropout_random_));
    losses[j] = explaingan::gan_discriminator(real, judge_fakes(made, side));
  }
  return losses[0] + losses[1];
}

Variable Explaingan::generator_loss(const std::array<Tensor, 2>& x, nn::DeviceTerms& terms) {
  const std::array<Generated, 2> made = generate(x);
  drawn_ = {{"G1", made[0].transformed.value()}, {"G0", made[1].transformed.value()}};
  Variable total;
  const auto add = [&](const std::string& name, double weight, const Variable& on0, const Variable& on1) {
    const Variable both = on0 + on1;  // every equation sums over the classes
    terms.emplace_back(name, both.value());
    total = total.defined() ? total + both * weight : both * weight;
  };
  add("L_GAN_g", config_.weight_gan, explaingan::gan_generator(judge_fakes(made, 0)),
      explaingan::gan_generator(judge_fakes(made, 1)));
  add("L_classifier", config_.weight_classifier, explaingan::classifier_loss(classifier_, made[0].composite, 1),
      explaingan::classifier_loss(classifier_, made[1].composite, 0));
  if (reconstructing()) {
    add("L_recon", config_.weight_reconstruction, explaingan::reconstruction_loss(made[0].reconstruction, x[0]),
        explaingan::reconstruction_loss(made[1].reconstruction, x[1]));
  }
  if (!masked()) return total;
  // Eq. 12: L_prior = L_const + L_count + L_smoothness + L_entropy
  add("L_const", config_.weight_consistency, explaingan::consistency_loss(x[0], made[0].transformed, made[0].mask),
      explaingan::consistency_loss(x[1], made[1].transformed, made[1].mask));
  add("L_count", config_.weight_count, explaingan::count_loss(made[0].mask, config_.kappa),
      explaingan::count_loss(made[1].mask, config_.kappa));
  add("L_smoothness", config_.weight_smoothness, explaingan::smoothness_loss(made[0].mask),
      explaingan::smoothness_loss(made[1].mask));
  add("L_entropy", config_.weight_entropy, explaingan::entropy_loss(made[0].mask),
      explaingan::entropy_loss(made[1].mask));
  return total;
}

nn::DeviceTerms Explaingan::compute(const std::vector<Tensor>& batches) {
  const std::array<Tensor, 2> x = {batches[0], batches[1]};
  nn::DeviceTerms terms;
  {
    const Span span(x[0].device(), "discriminators");
    const Variable loss = discriminator_loss(x);
    terms.emplace_back("L_GAN_d", loss.value());
    discriminator_optimiser_->minimise(loss);
  }
  const Span span(x[0].device(), "generator");
  generator_optimiser_->minimise(generator_loss(x, terms));
  return terms;
}

Explanation Explaingan::explain(const Tensor& x) {
  // The composite, transformed and reconstructed images, and the mask: [N,H,W,3C + 1].
  Tensor all = Tensor::zeros(Shape{x.shape()[0], x.shape()[1], x.shape()[2], 3 * channels_ + 1}, x.dtype(), x.device());
  if (x.shape()[0] > 0) {
    all = by_decision(classifier_, x, [&](const Tensor& part, int j) {
      const nn::Pass pass = nn::Pass::eval();
      const Generated made = split_heads(generator_.forward(encoders_.forward(j, part, pass), pass), part, j);
      return concat({made.composite, made.transformed, made.reconstruction, made.mask}, 3).value();
    });
  }
  const auto images = [&](int k) { return slice(all, 3, k * channels_, (k + 1) * channels_); };
  Explanation explanation{{"counterfactual", images(0)}, {"transformed", images(1)}};
  if (reconstructing()) explanation["reconstruction"] = images(2);
  if (masked()) explanation["mask"] = slice(all, 3, 3 * channels_, 3 * channels_ + 1);
  explanation["map"] = masked() ? explanation["mask"] : difference_map(x, explanation["counterfactual"]);
  return explanation;
}

}  // namespace counterfoil::methods
