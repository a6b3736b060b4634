#include "methods/latent_model.h"

#include "autograd/ops.h"
#include "kernels/span.h"
#include "methods/image_range.h"
#include "nn/losses.h"

namespace counterfoil::methods {

namespace {

nn::DcganOptions dcgan_options(const LatentConfig& config, const data::Dataset& images, bool norm) {
  nn::DcganOptions options;
  options.image = {images.height, images.width, images.channels};
  options.width = config.gan_width;
  options.norm = norm;
  return options;
}

Tensor centred(const Tensor& x) {
  return unary(UnaryOp::affine, x, 2, -1);
}

}  // namespace

void LatentConfig::declare(nn::Keys& keys) {
  keys.add("latent", latent, {"wgan-gp", "vae"}, "what draws images from codes");
  keys.add("code", code, 1, 4096, "length of the code z");
  keys.add("batch", batch, 1, 4096, "images per step of the latent model");
  keys.add("gan_learning_rate", gan_learning_rate, 0, 1, "of Adam, for generator and critic");
  keys.add("gan_width", gan_width, 1, 1024, "channels of the GAN's level next to the image; doubles per level");
  keys.add("critic_steps", critic_steps, 1, 100, "steps of the critic per step of the generator");
  keys.add("weight_gradient_penalty", weight_gradient_penalty, 0, 1e6, "of the critic");
  keys.add("vae_learning_rate", vae_learning_rate, 0, 1, "of Adam");
  keys.add("vae_outer", vae_outer, 1, 65536, "units of the VAE's layer next to the image");
  keys.add("vae_inner", vae_inner, 1, 65536, "units of the VAE's layer next to the code");
  keys.add("weight_kl", weight_kl, 0, 1e6, "of the VAE's divergence from N(0, 1), against the squared error");
}

LatentModel::LatentModel(const LatentConfig& config, const data::Dataset& train, std::uint64_t seed, Device& device)
    : config_(config),
      device_(device),
      train_(train),
      weights_random_(seed, "weights"),
      codes_random_(seed, "codes"),
      sampler_(train.size(), config.batch, seed, "batches") {
  const nn::Init init{weights_random_, device};
  if (config.is_gan()) {
    const AdamStep step{config.gan_learning_rate, 0, 0.9};
    generator_ = std::make_unique<nn::DcganGenerator>(init, config.code, dcgan_options(config, train, true));
    critic_ = std::make_unique<nn::DcganDiscriminator>(init, dcgan_options(config, train, false));
    optimiser_ = nn::adam(generator_->named_parameters(), step);
    critic_optimiser_ = nn::adam(critic_->named_parameters(), step);
  } else {
    nn::CdeepexVaeOptions options;
    options.image = {train.height, train.width, train.channels};
    options.hidden = {config.vae_outer, config.vae_inner};
    options.code = config.code;
    vae_ = std::make_unique<nn::CdeepexVae>(init, options);
    optimiser_ = nn::adam(vae_->named_parameters(), {config.vae_learning_rate});
  }
}

nn::Module& LatentModel::networks() {
  return vae_ ? static_cast<nn::Module&>(*vae_) : *generator_;
}

void LatentModel::remember_in(nn::TrainingState& state) {
  const std::string name = vae_ ? "vae" : "generator";
  state.modules.emplace_back(name, &networks());
  state.optimisers.emplace_back(name, optimiser_.get());
  if (critic_) {
    state.modules.emplace_back("training.critic", critic_.get());
    state.optimisers.emplace_back("critic", critic_optimiser_.get());
  }
  state.randoms.emplace_back("batches", &sampler_.progress());
  state.randoms.emplace_back("codes", &codes_random_);
}

void LatentModel::copy_from(LatentModel& other) {
  if (config_.latent != other.config_.latent) {
    fail("expected a latent model of kind {}, found {}", config_.latent, other.config_.latent);
  }
  networks().load_state(other.networks().state());
}

std::vector<Tensor> LatentModel::draw() {
  std::vector<Tensor> batches;
  for (std::int64_t i = 0; i < batches_per_step(); ++i) batches.push_back(train_.images(sampler_.next(), device_));
  return batches;
}

Tensor LatentModel::draw_codes() {
  return codes_random_.normal(Shape{config_.batch, config_.code}, 0, 1, device_);
}

nn::DeviceTerms LatentModel::compute(const std::vector<Tensor>& batches) {
  return vae_ ? vae_step(batches.front()) : gan_step(batches);
}

// Gulrajani et al. 2017, algorithm 1; images in [-1,1].
nn::DeviceTerms LatentModel::gan_step(const std::vector<Tensor>& batches) {
  const nn::Pass pass = nn::Pass::train(codes_random_);
  const nn::Critic critic = [&](const Variable& x) { return critic_->forward(x, pass); };
  nn::DeviceTerms terms;  // of the last update of either
  for (const Tensor& batch : batches) {
    const Span span(device_, "critic");
    const Tensor real = centred(batch);
    Tensor fake;
    {
      const NoGrad no_grad;
      fake = generator_->forward(draw_codes(), pass).value();
    }
    // E D(G(z)) - E D(x) + lambda E (||grad D|| - 1)^2
    const Variable distance = nn::wasserstein_critic(critic(real), critic(fake));
    const Variable penalty = nn::gradient_penalty(critic, real, fake, codes_random_);
    critic_optimiser_->minimise(distance + penalty * config_.weight_gradient_penalty);
    terms = {{"L_critic", distance.value()}, {"L_gp", penalty.value()}};
  }
  const Span span(device_, "generator");
  const Variable made = generator_->forward(draw_codes(), pass);
  drawn_ = made.value();
  const Variable loss = nn::wasserstein_generator(critic(made));  // -E D(G(z))
  optimiser_->minimise(loss);
  terms.emplace_back("L_generator", loss.value());
  return terms;
}

nn::DeviceTerms LatentModel::vae_step(const Tensor& x) {
  const Span span(device_, "vae");
  const nn::Pass pass = nn::Pass::train(codes_random_);
  const nn::GaussianCode code = vae_->encode(x, pass);
  const Variable drawn = vae_->decode(nn::sample(code, codes_random_), pass);
  drawn_ = drawn.value();
  const Variable error = reshape(sum_squares(drawn - x), {1}) / static_cast<double>(config_.batch);
  const Variable divergence = gaussian_kl(code.mean, code.log_variance);
  optimiser_->minimise(error + divergence * config_.weight_kl);
  return {{"L_error", error.value()}, {"L_kl", divergence.value()}};
}

Variable LatentModel::generate(const Variable& z) {
  if (vae_) return vae_->decode(z, nn::Pass::eval());
  return to_classifier(generator_->forward(z, nn::Pass::eval()));
}

Tensor LatentModel::encode(const Tensor& x) {
  if (!vae_) fail("a GAN has no encoder");
  const NoGrad no_grad;
  return vae_->encode(x, nn::Pass::eval()).mean.value();
}

}  // namespace counterfoil::methods
